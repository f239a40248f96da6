"""The layers of transform networks on float32 NumPy arrays (C, H, W), with Torch7's bits on a CPU.

Matches nn 8726825 (THNN on the CPU, one BLAS thread). Each PyTorch module that a file gives becomes one
function; what it is called in Torch7 stands in :data:`TORCH7_NAMES`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, singledispatch

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from core.arithmetic.operations import Arithmetic, Window
from core.arithmetic.torch7_tanh import tanh
from core.arithmetic.workers import Workers, cut
from core.errors import TransformError
from core.transform.exact.norms import Affine, normalise_by_statistics, normalise_instances
from core.transform.networks.layers import FrozenInstanceNorm2d, MulConstant, ShaveImage, TotalVariation

Float32 = NDArray[np.float32]
Layer = Callable[[Float32], Float32]

TORCH7_NAMES: dict[type[nn.Module], str] = {
    nn.Conv2d: "SpatialConvolution",
    nn.ConvTranspose2d: "SpatialFullConvolution",
    nn.InstanceNorm2d: "InstanceNormalization",
    FrozenInstanceNorm2d: "InstanceNormalization",
    nn.BatchNorm2d: "SpatialBatchNormalization",
    nn.ReflectionPad2d: "SpatialReflectionPadding",
    nn.ReplicationPad2d: "SpatialReplicationPadding",
    nn.ZeroPad2d: "SpatialZeroPadding",
    nn.Upsample: "SpatialUpSamplingNearest",
    nn.ReLU: "ReLU",
    nn.Tanh: "Tanh",
    nn.Identity: "Identity",
    nn.Dropout: "Dropout",
    ShaveImage: "ShaveImage",
    MulConstant: "MulConstant",
    TotalVariation: "TotalVariation",
}


class Machine:
    """What the layers compute with: products in Torch7's order, and threads for work by channels."""

    def __init__(self, arithmetic: Arithmetic, threads: int) -> None:
        self.arithmetic = arithmetic
        self._workers = Workers(threads)

    def by_channels(self, x: Float32, piece: Callable[[slice, Float32], None]) -> Float32:
        """A new array like ``x``, of which ``piece`` fills some channels at a time."""
        out = np.empty_like(x)
        parts = cut(len(x), self._workers.threads, 1)
        self._workers.run(partial(piece, slice(start, end), out) for start, end in parts)
        return out


@singledispatch
def exact_layer(module: nn.Module, machine: Machine) -> Layer:
    """The function of one module. Raises: TransformError: no layer of the original's networks."""
    raise TransformError(
        f"a layer {type(module).__name__} is not known in torch7 arithmetic; leave -arithmetic torch7 out"
    )


@exact_layer.register
def _(module: nn.Conv2d, machine: Machine) -> Layer:
    arithmetic = machine.arithmetic
    window = _window(module)
    # As in Torch7, the sum starts at zero if there is no bias.
    bias = np.zeros(module.out_channels, np.float32) if module.bias is None else _array(module.bias)
    parameters = arithmetic.convolution(_array(module.weight), bias, module.groups)

    def layer(x: Float32) -> Float32:
        out: Float32 = arithmetic.convolve(x, parameters, window)
        return out

    return layer


@exact_layer.register
def _(module: nn.ConvTranspose2d, machine: Machine) -> Layer:
    """As in Torch7: the input gradient of a convolution with the same weight; the bias is added last."""
    arithmetic = machine.arithmetic
    window, adjustment = _window(module), module.output_padding
    inputs, outputs = module.in_channels, module.out_channels
    parameters = arithmetic.convolution(_array(module.weight), np.zeros(inputs, np.float32), module.groups)
    bias = None if module.bias is None else _array(module.bias)[:, None, None]

    def layer(x: Float32) -> Float32:
        sides = (
            (side - 1) * stride - 2 * padding + kernel + more
            for side, stride, padding, kernel, more in zip(
                x.shape[1:], window.stride, window.padding, window.kernel, adjustment, strict=True
            )
        )
        image = np.broadcast_to(np.float32(0), (outputs, *sides))  # only its shape counts
        out: Float32 = arithmetic.convolve_backward(x, parameters, window, image)
        if bias is not None:
            out += bias
        return out

    return layer


def _window(module: nn.Conv2d | nn.ConvTranspose2d) -> Window:
    if module.dilation != (1, 1) or isinstance(module.padding, str):
        raise TransformError("a dilated convolution cannot run in torch7 arithmetic")
    kernel, stride, padding = module.kernel_size, module.stride, module.padding
    return Window((kernel[0], kernel[1]), (stride[0], stride[1]), (padding[0], padding[1]))


@exact_layer.register
def _(module: nn.InstanceNorm2d, machine: Machine) -> Layer:
    affine = _affine(module)
    return lambda x: machine.by_channels(
        x, lambda channels, out: normalise_instances(x, affine, channels, out)
    )


@exact_layer.register(nn.BatchNorm2d)
@exact_layer.register(FrozenInstanceNorm2d)
def _(module: nn.BatchNorm2d | FrozenInstanceNorm2d, machine: Machine) -> Layer:
    """Inert instance normalisation used statistics that stayed at mean 0 and variance 1."""
    affine = _affine(module)
    if isinstance(module, nn.BatchNorm2d):
        assert module.running_mean is not None and module.running_var is not None
        statistics = _array(module.running_mean), _array(module.running_var)
    else:
        statistics = np.zeros_like(affine.weight), np.ones_like(affine.weight)
    return lambda x: machine.by_channels(
        x, lambda channels, out: normalise_by_statistics(x, affine, statistics, channels, out)
    )


def _affine(module: nn.InstanceNorm2d | nn.BatchNorm2d | FrozenInstanceNorm2d) -> Affine:
    return Affine(_array(module.weight), _array(module.bias), module.eps)


@exact_layer.register
def _(module: nn.ReLU, machine: Machine) -> Layer:
    def rectify(x: Float32, part: slice, out: Float32) -> None:
        np.maximum(x[part], 0, out=out[part])

    return lambda x: machine.by_channels(x, partial(rectify, x))


@exact_layer.register
def _(module: nn.Tanh, machine: Machine) -> Layer:
    return lambda x: machine.by_channels(x, lambda part, out: np.copyto(out[part], tanh(x[part])))


@exact_layer.register
def _(module: MulConstant, machine: Machine) -> Layer:
    factor = np.float32(module.constant)
    return lambda x: x * factor


@exact_layer.register(nn.Identity)
@exact_layer.register(nn.Dropout)
@exact_layer.register(TotalVariation)
def _(module: nn.Module, machine: Machine) -> Layer:
    return lambda x: x


@exact_layer.register
def _(module: ShaveImage, machine: Machine) -> Layer:
    size = module.size
    return lambda x: np.ascontiguousarray(x[:, size : x.shape[1] - size, size : x.shape[2] - size])


@exact_layer.register
def _(module: nn.Upsample, machine: Machine) -> Layer:
    factor = int(module.scale_factor)  # type: ignore[arg-type]
    return lambda x: x.repeat(factor, axis=1).repeat(factor, axis=2)


@exact_layer.register
def _(module: nn.ReflectionPad2d, machine: Machine) -> Layer:
    return partial(_padded, _widths(module.padding), "reflect")


@exact_layer.register
def _(module: nn.ReplicationPad2d, machine: Machine) -> Layer:
    return partial(_padded, _widths(module.padding), "edge")


@exact_layer.register
def _(module: nn.ZeroPad2d, machine: Machine) -> Layer:
    """Negative widths crop, before the others pad."""
    (top, bottom), (left, right) = widths = _widths(module.padding)
    beyond = tuple((max(0, before), max(0, behind)) for before, behind in widths)

    def layer(x: Float32) -> Float32:
        height, width = x.shape[1:]
        kept = x[:, max(0, -top) : height - max(0, -bottom), max(0, -left) : width - max(0, -right)]
        return _padded(beyond, "constant", kept)

    return layer


def _widths(padding: tuple[int, ...]) -> tuple[tuple[int, int], tuple[int, int]]:
    left, right, top, bottom = padding
    return (top, bottom), (left, right)


def _padded(widths: tuple[tuple[int, int], ...], mode: str, x: Float32) -> Float32:
    result: Float32 = np.pad(x, ((0, 0), *widths), mode=mode)  # type: ignore[call-overload]
    return np.ascontiguousarray(result)


def _array(values: Tensor) -> Float32:
    return np.ascontiguousarray(values.detach().numpy(), np.float32)
