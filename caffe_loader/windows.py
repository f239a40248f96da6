"""Kernel, stride and padding of a layer, by loadcaffe's rules. Caffe has several fields for each of them."""

from __future__ import annotations

from collections.abc import Sequence

from caffe_loader.caffe_pb2 import ConvolutionParameter, PoolingParameter

Pair = tuple[int, int]  # vertical, horizontal


def convolution_window(parameters: ConvolutionParameter) -> tuple[Pair, Pair, Pair]:
    """(kernel, stride, padding) of a convolution. The kernel is 0 if the file gives none.

    Matches loadcaffe, convertProtoToLuaV1 and V2, with its quirk: if pad_h or pad_w is 0, both axes get
    ``pad``. So "pad_w: 1" alone has no effect, although Caffe would pad horizontally.
    """
    p = parameters
    padding = (p.pad_h, p.pad_w) if p.pad_h and p.pad_w else _both(p.pad, 0)
    return (
        (p.kernel_h, p.kernel_w) if p.kernel_h and p.kernel_w else _both(p.kernel_size, 0),
        (p.stride_h, p.stride_w) if p.stride_h and p.stride_w else _both(p.stride, 1),
        padding,
    )


def pooling_window(parameters: PoolingParameter) -> tuple[Pair, Pair, Pair]:
    """(kernel, stride, padding) of a pooling layer. The kernel is 0 if the file gives none.

    Unlike for convolutions, ``pad_w: 1`` alone has effect. Matches loadcaffe, convertProtoToLuaV1 and V2.
    """
    p = parameters
    return (
        (p.kernel_h, p.kernel_w) if p.kernel_h and p.kernel_w else (p.kernel_size, p.kernel_size),
        (p.stride_h, p.stride_w) if p.stride_h and p.stride_w else (p.stride, p.stride),
        (p.pad_h, p.pad_w) if p.pad_h or p.pad_w else (p.pad, p.pad),
    )


def _both(values: Sequence[int], default: int) -> Pair:
    """One value for both axes. If there are several, the last: loadcaffe's schema has room for one only."""
    value = values[-1] if values else default
    return value, value
