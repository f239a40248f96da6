"""How a network changes the size of a picture: rounding to its stride, enlargement, smallest size."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from torch import nn

from core.errors import TransformError
from core.transform.networks.layers import ResidualBlock, ShaveImage

LARGEST_SIDE_TRIED = 4096


@dataclass(frozen=True)
class Geometry:
    """The input and output sizes of a network.

    multiple: the network rounds height and width up to a multiple of this.
    smallest: least number of pixels on the shorter side.  enlargement: output side / input side.
    """

    multiple: int
    smallest: int
    enlargement: float


def geometry(network: nn.Module) -> Geometry:
    """The geometry of a network. Raises: TransformError: no picture is large enough for it."""
    scales = _scales(network)
    for side in range(1, LARGEST_SIDE_TRIED):
        if _fits(network, side):
            return Geometry(math.ceil(max(scales)), side, float(1 / scales[-1]))
    raise TransformError("the network's padding does not fit any picture; the file is damaged")


def output_side(network: nn.Module, side: int) -> int:
    """Height or width of the output for that of the input. Raises: TransformError: it is too small."""
    if isinstance(network, nn.Sequential):
        for module in network:
            side = output_side(module, side)
    elif isinstance(network, ResidualBlock):
        body, shortcut = output_side(network.body, side), output_side(network.shortcut, side)
        if body != shortcut:
            raise TransformError("body and shortcut of a residual block differ in size; the file is damaged")
        side = body
    else:
        side = _layer_side(network, side)
    if side < 1:
        raise TransformError("the picture is too small for this network")
    return side


def _layer_side(layer: nn.Module, side: int) -> int:
    if isinstance(layer, nn.ReflectionPad2d | nn.ReplicationPad2d | nn.ZeroPad2d):
        if isinstance(layer, nn.ReflectionPad2d) and max(layer.padding) >= side:
            raise TransformError(
                f"reflection padding of {max(layer.padding)} needs a larger picture than {side}"
            )
        return side + layer.padding[0] + layer.padding[1]
    if isinstance(layer, nn.Conv2d):
        return (side + 2 * _first(layer.padding) - layer.kernel_size[0]) // layer.stride[0] + 1
    if isinstance(layer, nn.ConvTranspose2d):
        grown = (side - 1) * layer.stride[0] + layer.kernel_size[0] + layer.output_padding[0]
        return grown - 2 * _first(layer.padding)
    if isinstance(layer, nn.Upsample):
        return side * _factor(layer)
    if isinstance(layer, ShaveImage):
        return side - 2 * layer.size
    return side


def _fits(network: nn.Module, side: int) -> bool:
    try:
        return output_side(network, side) > 0
    except TransformError:
        return False


def _scales(network: nn.Module) -> list[Fraction]:
    """Input pixels per pixel after every layer, beginning with 1 for the input."""
    scales = [Fraction(1)]
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            scales.append(scales[-1] * layer.stride[0])
        elif isinstance(layer, nn.ConvTranspose2d):
            scales.append(scales[-1] / layer.stride[0])
        elif isinstance(layer, nn.Upsample):
            scales.append(scales[-1] / _factor(layer))
    return scales


def _factor(layer: nn.Upsample) -> int:
    factor = layer.scale_factor
    return int(factor[0] if isinstance(factor, tuple) else factor or 1)


def _first(padding: str | tuple[int, ...]) -> int:
    return int(padding[0])
