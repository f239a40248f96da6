"""ONNX files of our own back to the layers they were written from.

The graph of :mod:`core.transform.onnx.graph` holds every layer as one node, but for batch normalisation and
inert instance normalisation, which became part of a convolution: those networks cannot be had back.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from caffe_loader.errors import printable
from core.errors import TransformError
from core.transform.networks.channels import output_channels
from core.transform.networks.layers import MulConstant, ResidualBlock, ShaveImage, named
from core.transform.networks.transform_network import TransformNetwork
from core.transform.onnx.file import read_onnx
from core.transform.onnx.metadata import ModelMetadata, read_metadata
from core.transform.onnx.walk import attributes
from core.transform.pixels import FORMATS

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

FOLDED = {"batch": "batch normalisation", "frozen": "inert instance normalisation"}
PADDINGS = {"reflect": nn.ReflectionPad2d, "edge": nn.ReplicationPad2d, "constant": nn.ZeroPad2d}
UNREADABLE = (  # what taking a graph apart meets where it is another than ours
    *(TransformError, LookupError, ValueError, TypeError),
    *(AttributeError, ArithmeticError, RuntimeError),
)
Array = NDArray[Any]


def network_of_onnx(path: Path) -> TransformNetwork:
    """The network of a file. Raises: TransformError: as :func:`network_of_model`."""
    return network_of_model(read_onnx(path), path)


def network_of_model(model: ModelProto, path: Path) -> TransformNetwork:
    """The network of a model that ``nstyle convert`` or a training wrote. path: to be named in messages.

    Raises: TransformError: of others, or with a normalisation that the conversion took away; naming the file
    it was converted from.
    """
    shown = printable(str(path))
    metadata = read_metadata(model)
    if metadata is None:
        raise TransformError(
            f"{shown}: -arithmetic torch7 takes .t7, .safetensors and .pth, and .onnx files that nstyle "
            "convert made of those; leave it out for this one"
        )
    source = f"use the file it was made from, {printable(metadata.source_file)}"
    if metadata.normalisation in FOLDED:
        raise TransformError(
            f"{shown}: -arithmetic torch7: its {FOLDED[metadata.normalisation]} became part of the "
            f"convolutions when it was converted; {source}"
        )
    try:
        _check_pixels(metadata)
        module = named(_Graph(model).layers()).eval().requires_grad_(False)
        network = TransformNetwork(module, metadata.preprocessing, path)
        output_channels(module)
        _ = network.geometry
    except (
        TransformError,
        LookupError,
        ValueError,
        TypeError,
        AttributeError,
        ArithmeticError,
        RuntimeError,
    ):
        raise TransformError(f"{shown}: -arithmetic torch7: no graph of nstyle convert; {source}") from None
    return network


def _check_pixels(metadata: ModelMetadata) -> None:
    order = FORMATS[metadata.preprocessing].order
    if metadata.output_pixels != metadata.preprocessing or metadata.channel_order != order:
        raise ValueError(metadata.output_pixels)


class _Graph:
    """Nodes by what they give. Every one is taken once, so that a circle ends in a KeyError."""

    def __init__(self, model: ModelProto) -> None:
        from onnx import numpy_helper

        self._constants = {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}
        self._nodes = {node.output[0]: node for node in model.graph.node}
        self._ends = model.graph.input[0].name, model.graph.output[0].name

    def layers(self) -> list[nn.Module]:
        """All, in order. Raises: KeyError, IndexError, ValueError, TypeError: not written by us."""
        return self._between(*self._ends)

    def _between(self, start: str, end: str) -> list[nn.Module]:
        found: list[nn.Module] = []
        while end != start:
            node = self._nodes.pop(end)
            end = node.input[0]
            if node.op_type == "Add":
                block, end = self._residual(node)
                found.append(block)
            else:
                constants = [self._constants[name] for name in node.input[1:] if name]
                found.append(LAYERS[node.op_type](attributes(node), *constants))
        return found[::-1]

    def _residual(self, node: NodeProto) -> tuple[nn.Module, str]:
        """Two branches that are added, and the tensor at which they part."""
        body, shortcut = node.input
        fork, layer = shortcut, cast(nn.Module, nn.Identity())
        if (crop := self._nodes.get(shortcut)) is not None and crop.op_type == "Slice":
            fork = crop.input[0]
            layer = named(self._between(fork, shortcut))[0]
        return ResidualBlock(named(self._between(fork, body)), layer), fork


def _convolution(how: dict[str, Any], weight: Array, bias: Array | None = None) -> nn.Module:
    outputs, inputs, high, wide = weight.shape
    layer = nn.Conv2d(inputs, outputs, (high, wide), tuple(how["strides"]), _padding(how))
    return _with_weights(layer, weight, bias)


def _full_convolution(how: dict[str, Any], weight: Array, bias: Array | None = None) -> nn.Module:
    inputs, outputs, high, wide = weight.shape
    strides, more = tuple(how["strides"]), tuple(how["output_padding"])
    layer = nn.ConvTranspose2d(inputs, outputs, (high, wide), strides, _padding(how), more)
    return _with_weights(layer, weight, bias)


def _padding(how: dict[str, Any]) -> tuple[int, int]:
    top, left, bottom, right = how.get("pads", (0, 0, 0, 0))
    plain = how.get("group", 1) == 1 and how.get("dilations", [1, 1]) == [1, 1]
    plain &= how.get("auto_pad", b"NOTSET") in (b"NOTSET", b"VALID")
    if (top, left) != (bottom, right) or not plain:
        raise ValueError("not written by us")
    return top, left


def _with_weights(layer: Any, weight: Array, bias: Array | None) -> nn.Module:
    layer.weight = _parameter(weight)
    layer.bias = None if bias is None else _parameter(bias)
    return layer  # type: ignore[no-any-return]


def _instance_norm(how: dict[str, Any], weight: Array, bias: Array) -> nn.Module:
    # An attribute is a float32; the number it stands for is its shortest decimal, such as 1e-05.
    epsilon = float(str(np.float32(how["epsilon"])))
    return _with_weights(nn.InstanceNorm2d(len(weight), epsilon, affine=True), weight, bias)


def _parameter(values: Array) -> nn.Parameter:
    if values.dtype != np.float32:  # --fp16
        raise ValueError(values.dtype)
    return nn.Parameter(torch.from_numpy(values.copy()), requires_grad=False)


def _pad(how: dict[str, Any], widths: Array) -> nn.Module:
    _, _, top, left, _, _, bottom, right = map(int, widths)
    return PADDINGS[how["mode"].decode()]((left, right, top, bottom))


def _slice(how: dict[str, Any], starts: Array, ends: Array, axes: Array) -> nn.Module:
    size = int(starts[0])
    if [*starts, *ends, *axes] != [size, size, -size, -size, 2, 3]:
        raise ValueError("not written by us")
    return ShaveImage(size)


def _resize(how: dict[str, Any], scales: Array) -> nn.Module:
    _, _, down, across = map(float, scales)
    if how["mode"] != b"nearest" or down != across or down != int(down):
        raise ValueError("not written by us")
    return nn.Upsample(scale_factor=down, mode="nearest")


LAYERS: dict[str, Callable[..., nn.Module]] = {
    "Conv": _convolution,
    "ConvTranspose": _full_convolution,
    "InstanceNormalization": _instance_norm,
    "Pad": _pad,
    "Slice": _slice,
    "Resize": _resize,
    "Relu": lambda how: nn.ReLU(),
    "Tanh": lambda how: nn.Tanh(),
    "Mul": lambda how, factor: MulConstant(factor.item()),
}
