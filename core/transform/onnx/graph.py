"""Writes a transform network as an ONNX graph, node by node.

These networks need only about ten operators, so PyTorch's exporter is not used: the file contains no shape
arithmetic and no local paths. N, H and W are free.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from core.errors import TransformError
from core.transform.networks.layers import (
    FrozenInstanceNorm2d,
    MulConstant,
    ResidualBlock,
    ShaveImage,
    TotalVariation,
)

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

OPSET, IR_VERSION = 17, 8  # read by ONNX Runtime 1.13 and later
PRODUCER = "neural-style-exact"


def to_onnx(network: nn.Sequential) -> ModelProto:
    """The ONNX model of a network in evaluation mode, input and output float32 (N, 3, H, W).

    Batch normalisation is folded into the convolution before it. Raises: TransformError: an unknown layer.
    """
    from onnx import TensorProto, checker, helper

    graph = Graph()
    last = _write_all(network, graph, "input")
    if not graph.nodes:
        raise TransformError("the network has no layers")
    graph.nodes[-1].output[0] = "output" if graph.nodes[-1].output[0] == last else last
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 3, height, width])
        for name, height, width in (("input", "H", "W"), ("output", "H_out", "W_out"))
    ]
    made = helper.make_graph(graph.nodes, "transform_network", ends[:1], ends[1:], graph.initializers)
    model = helper.make_model(
        made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name=PRODUCER
    )
    checker.check_model(model, full_check=True)
    return model


class Graph:
    """Collects the nodes and constants of the graph."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.initializers: list[TensorProto] = []

    def node(self, operator: str, inputs: Sequence[str], **attributes: Any) -> str:
        """Append a node with one output and return its name."""
        from onnx import helper

        name = f"{operator.lower()}_{len(self.nodes) + 1}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], name=name, **attributes))
        return name

    def constant(self, values: Tensor | NDArray[Any], what: str) -> str:
        """Store an array and return its name."""
        from onnx import numpy_helper

        array = values.detach().numpy() if isinstance(values, Tensor) else values
        name = f"{what}_{len(self.initializers) + 1}"
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name


def _write_all(network: nn.Sequential, graph: Graph, x: str) -> str:
    layers = list(network)
    position = 0
    while position < len(layers):
        layer = layers[position]
        following = layers[position + 1] if position + 1 < len(layers) else None
        folded = _folded(layer, following)
        if folded is not None:
            x = _convolution(layer, graph, x, *folded)
            position += 1  # skip the normalisation, it is folded in
        else:
            x = write(layer, graph, x)
        position += 1
    return x


def _folded(layer: nn.Module, following: nn.Module | None) -> tuple[Tensor, Tensor] | None:
    """Weight and bias of a convolution with the next layer's scale and shift folded in, in double precision.

    None if the two layers cannot be folded.
    """
    affine = scale_and_shift(following) if following is not None else None
    if affine is None or not isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
        return None
    scale, shift = affine
    shape = (-1, 1, 1, 1) if isinstance(layer, nn.Conv2d) else (1, -1, 1, 1)
    weight = (layer.weight.double() * scale.view(shape)).float()
    bias = layer.bias.double() * scale + shift if layer.bias is not None else shift
    return weight, bias.float()


def scale_and_shift(layer: nn.Module) -> tuple[Tensor, Tensor] | None:
    """Per channel factor and addend, float64 (C,), of a layer that only scales and shifts in evaluation."""
    if isinstance(layer, FrozenInstanceNorm2d):
        return layer.scale.double(), layer.bias.double()
    if isinstance(layer, nn.BatchNorm2d):
        assert layer.running_mean is not None and layer.running_var is not None
        scale = layer.weight.double() / (layer.running_var.double() + layer.eps).sqrt()
        return scale, layer.bias.double() - layer.running_mean.double() * scale
    return None


@singledispatch
def write(layer: nn.Module, graph: Graph, x: str) -> str:
    """Append ``layer`` with the tensor ``x`` as input and return the name of its output."""
    raise TransformError(f"a {type(layer).__name__} layer cannot be written: no transform network has one")


@write.register
def _(layer: nn.Sequential, graph: Graph, x: str) -> str:
    return _write_all(layer, graph, x)


@write.register
def _(layer: ResidualBlock, graph: Graph, x: str) -> str:
    return graph.node("Add", [write(layer.body, graph, x), write(layer.shortcut, graph, x)])


@write.register(nn.Conv2d)
@write.register(nn.ConvTranspose2d)
def _(layer: nn.Conv2d | nn.ConvTranspose2d, graph: Graph, x: str) -> str:
    return _convolution(layer, graph, x, layer.weight, layer.bias)


def _convolution(layer: Any, graph: Graph, x: str, weight: Tensor, bias: Tensor | None) -> str:
    inputs = [x, graph.constant(weight, "weight")]
    if bias is not None:
        inputs.append(graph.constant(bias, "bias"))
    attributes: dict[str, Any] = {
        "kernel_shape": list(layer.kernel_size),
        "strides": list(layer.stride),
        "pads": [*layer.padding, *layer.padding],
    }
    if isinstance(layer, nn.ConvTranspose2d):
        return graph.node("ConvTranspose", inputs, output_padding=list(layer.output_padding), **attributes)
    return graph.node("Conv", inputs, **attributes)


@write.register
def _(layer: nn.InstanceNorm2d, graph: Graph, x: str) -> str:
    inputs = [x, graph.constant(layer.weight, "scale"), graph.constant(layer.bias, "shift")]
    return graph.node("InstanceNormalization", inputs, epsilon=layer.eps)


@write.register(nn.BatchNorm2d)
@write.register(FrozenInstanceNorm2d)
def _(layer: nn.Module, graph: Graph, x: str) -> str:
    """Used after an enlargement, where there is no convolution to fold into."""
    affine = scale_and_shift(layer)
    assert affine is not None
    scale, shift = (graph.constant(value.float().view(1, -1, 1, 1), "affine") for value in affine)
    return graph.node("Add", [graph.node("Mul", [x, scale]), shift])


@write.register
def _(layer: nn.ReLU, graph: Graph, x: str) -> str:
    return graph.node("Relu", [x])


@write.register
def _(layer: nn.Tanh, graph: Graph, x: str) -> str:
    return graph.node("Tanh", [x])


@write.register
def _(layer: MulConstant, graph: Graph, x: str) -> str:
    return graph.node("Mul", [x, graph.constant(np.array(layer.constant, np.float32), "constant")])


@write.register(nn.Identity)
@write.register(TotalVariation)
@write.register(nn.Dropout)
def _(layer: nn.Module, graph: Graph, x: str) -> str:
    return x


@write.register(nn.ReflectionPad2d)
@write.register(nn.ReplicationPad2d)
@write.register(nn.ZeroPad2d)
def _(layer: nn.Module, graph: Graph, x: str) -> str:
    modes = {nn.ReflectionPad2d: "reflect", nn.ReplicationPad2d: "edge", nn.ZeroPad2d: "constant"}
    left, right, top, bottom = layer.padding  # type: ignore[misc]
    widths = np.array([0, 0, top, left, 0, 0, bottom, right], np.int64)
    return graph.node("Pad", [x, graph.constant(widths, "pads")], mode=modes[type(layer)])


@write.register
def _(layer: ShaveImage, graph: Graph, x: str) -> str:
    if not layer.size:
        return x  # Slice would read the end -0 as the beginning
    bounds = (np.full(2, layer.size), np.full(2, -layer.size), np.array([2, 3]))
    names = [graph.constant(bound.astype(np.int64), "bounds") for bound in bounds]
    return graph.node("Slice", [x, *names])


@write.register
def _(layer: nn.Upsample, graph: Graph, x: str) -> str:
    factor = float(layer.scale_factor)  # type: ignore[arg-type]
    scales = graph.constant(np.array([1, 1, factor, factor], np.float32), "scales")
    return graph.node(
        "Resize",
        [x, "", scales],
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )
