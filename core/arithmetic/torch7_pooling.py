"""Pooling with Torch7's rules and bits (THNN SpatialMaxPooling and SpatialAveragePooling on the CPU).

A tap is one position in the window; each tap is a strided view of the input. Where windows overlap, Torch7
adds gradients in the order of the output positions, which is the reverse order of the taps.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from itertools import product

import numpy as np
from numpy.typing import NDArray

from core.arithmetic.operations import Window
from core.arithmetic.workers import Float32

LOWEST = np.finfo(np.float32).min


def _taps(x: NDArray[np.float32], window: Window, size: tuple[int, int]) -> Iterator[tuple[int, Float32]]:
    """The number and the strided view (C, *size) of each tap, in row-major order."""
    (sh, sw), (height, width) = window.stride, size
    for tap, (ky, kx) in enumerate(product(*map(range, window.kernel))):
        yield tap, x[:, ky : ky + (height - 1) * sh + 1 : sh, kx : kx + (width - 1) * sw + 1 : sw]


def _covered(x: Float32, window: Window, size: tuple[int, int], fill: float) -> Float32:
    """``x`` padded with ``fill``, so that it contains every window of an output of ``size``."""
    (ph, pw), (_, height, width) = window.padding, x.shape
    bottom, right = (
        max(0, (n - 1) * stride + kernel - extent - before)
        for n, stride, kernel, extent, before in zip(
            size, window.stride, window.kernel, (height, width), (ph, pw), strict=True
        )
    )
    if not (ph or pw or bottom or right):
        return x
    return np.pad(x, ((0, 0), (ph, bottom), (pw, right)), constant_values=fill)


def max_pool(x: Float32, window: Window, size: tuple[int, int]) -> Float32:
    """Maximum of each window, vertically, then horizontally. Ignores NaN; an empty window gives -FLT_MAX."""
    covered = _covered(x, window, size, -np.inf)
    (kh, kw), (sh, sw), (height, width) = window.kernel, window.stride, size
    down = reduce(np.fmax, [covered[:, ky : ky + (height - 1) * sh + 1 : sh] for ky in range(kh)])
    across = reduce(np.fmax, [down[:, :, kx : kx + (width - 1) * sw + 1 : sw] for kx in range(kw)])
    return np.fmax(across, LOWEST)


def max_pool_backward(grad: Float32, output: Float32, x: Float32, window: Window) -> Float32:
    """Add each output's gradient to the first pixel (in row-major order) that equals the maximum."""
    size = (grad.shape[1], grad.shape[2])
    covered = _covered(x, window, size, -np.inf)
    spread = np.zeros_like(covered)
    left, shares = grad.view(np.int32).copy(), []
    for _, view in _taps(covered, window, size):
        share = left & -(view == output).view(np.int8).astype(np.int32)  # all bits or none: fast and exact
        left ^= share
        shares.append(share.view(np.float32))
    for (_, view), share in reversed(list(zip(_taps(spread, window, size), shares, strict=True))):
        view += share
    return _inner(spread, x, window)


def average_pool(x: Float32, window: Window, size: tuple[int, int]) -> Float32:
    """Mean of each window, clipped to the padded input: padding counts, pixels beyond it do not."""
    total = np.zeros((x.shape[0], *size), np.float32)
    for _, view in _taps(_covered(x, window, size, 0), window, size):
        total += view
    total /= _areas(x, window, size)
    return total


def average_pool_backward(grad: Float32, x: Float32, window: Window) -> Float32:
    """Divide each output's gradient evenly among the pixels of its window."""
    size = (grad.shape[1], grad.shape[2])
    share = grad / _areas(x, window, size)
    covered = _covered(np.zeros_like(x), window, size, 0)
    for _, view in reversed(list(_taps(covered, window, size))):
        view += share
    return _inner(covered, x, window)


def _areas(x: Float32, window: Window, size: tuple[int, int]) -> Float32:
    """The number of pixels in each window, padding included; shape ``size``."""
    sides = []
    for axis in (0, 1):
        starts = np.arange(size[axis]) * window.stride[axis] - window.padding[axis]
        ends = np.minimum(starts + window.kernel[axis], x.shape[1 + axis] + window.padding[axis])
        sides.append((ends - starts).astype(np.float32))
    return np.outer(*sides)


def _inner(covered: Float32, x: Float32, window: Window) -> Float32:
    """The part of the padded array ``covered`` at the place of ``x``, without the padding."""
    if covered.shape == x.shape:
        return covered
    (ph, pw), (_, height, width) = window.padding, x.shape
    return np.ascontiguousarray(covered[:, ph : ph + height, pw : pw + width])
