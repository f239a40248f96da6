"""Analyses an ONNX graph: its input and output, its constants, and the affine steps next to both ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.errors import TransformError

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, ValueInfoProto

Floats = NDArray[np.float64]
FOLDABLE = (
    "Cast",
    "Concat",
    "ConstantOfShape",
    "Gather",
    "Reshape",
    "Slice",
    "Squeeze",
    "Transpose",
    "Unsqueeze",
)
MOVED_TO_INPUTS = ("axes", "starts", "ends")
LARGEST_CONSTANT = 1 << 10  # elements of computed constants: enough for widths and shapes, not weights


def ends(model: ModelProto) -> tuple[ValueInfoProto, ValueInfoProto]:
    """The input picture and the output picture.

    Files from before 2019 list weights as inputs too; these are skipped. Raises: TransformError: the model
    has not exactly one input.
    """
    stored = {tensor.name for tensor in model.graph.initializer}
    inputs = [item for item in model.graph.input if item.name not in stored]
    if len(inputs) != 1:
        names = ", ".join(item.name for item in inputs) or "none"
        raise TransformError(f"a transform network has one input, not {len(inputs)} ({names})")
    return inputs[0], model.graph.output[0]


def opset_of(model: ModelProto) -> int:
    """The opset version of the standard ONNX operators."""
    return next((item.version for item in model.opset_import if item.domain in ("", "ai.onnx")), 1)


def dimensions(item: ValueInfoProto) -> list[int]:
    """Sizes of an input or output, 0 where they are free."""
    return [size.dim_value for size in item.type.tensor_type.shape.dim]


def attributes(node: NodeProto) -> dict[str, Any]:
    """The node's attributes by name, as Python values."""
    from onnx import helper

    return {item.name: helper.get_attribute_value(item) for item in node.attribute}


def constants(graph: GraphProto) -> dict[str, NDArray[Any]]:
    """The graph's constants by tensor name: stored arrays, and small arrays computed from constants."""
    from onnx import numpy_helper

    known = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant":
            value = attributes(node)
            if "value" in value:
                known[node.output[0]] = numpy_helper.to_array(value["value"])
        elif node.op_type in FOLDABLE and _is_small(node, known):
            known[node.output[0]] = _computed(node, known)
    return known


def _is_small(node: NodeProto, known: dict[str, NDArray[Any]]) -> bool:
    """Whether all inputs are constant and small."""
    inputs = [name for name in node.input if name]
    return (
        all(name in known for name in inputs) and sum(known[name].size for name in inputs) <= LARGEST_CONSTANT
    )


def _computed(node: NodeProto, known: dict[str, NDArray[Any]]) -> NDArray[Any]:
    """The node's result from onnx's reference evaluator.

    The opset tells the evaluator whether values such as axes are attributes or inputs.
    """
    from onnx import helper
    from onnx.reference import ReferenceEvaluator

    feeds: dict[str, Any] = {name: known[name] for name in node.input if name}
    ends = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(values.dtype), values.shape)
        for name, values in feeds.items()
    ]
    result = helper.make_empty_tensor_value_info(node.output[0])
    old = any(item.name in MOVED_TO_INPUTS for item in node.attribute)
    opset = helper.make_opsetid("", 9 if old else 18)
    model = helper.make_model(helper.make_graph([node], "one", ends, [result]), opset_imports=[opset])
    results: Any = ReferenceEvaluator(model).run(None, feeds)
    return np.asarray(results[0])


@dataclass(frozen=True)
class Affine:
    """The step ``factor`` x + ``addend``, each float64 (3,) or (1,), made by ``nodes`` of the graph.

    beyond: the operator next to the chain of nodes; '' if the chain ends at the input or output picture.
    """

    factor: Floats
    addend: Floats
    nodes: tuple[NodeProto, ...]
    beyond: str

    @property
    def is_nothing(self) -> bool:
        """Whether there is no such step."""
        return not self.nodes


def leading_affine(graph: GraphProto, source: str, known: dict[str, NDArray[Any]]) -> Affine:
    """The affine step between the input picture ``source`` and the first layer."""
    factor, addend = np.ones(1), np.zeros(1)
    nodes: list[NodeProto] = []
    while True:
        consumers = [node for node in graph.node if source in node.input]
        step = affine_step(consumers[0], source, known) if len(consumers) == 1 else None
        if step is None:
            return Affine(factor, addend, tuple(nodes), consumers[0].op_type if consumers else "")
        factor, addend = factor * step[0], addend * step[0] + step[1]
        nodes.append(consumers[0])
        source = consumers[0].output[0]


def trailing_affine(graph: GraphProto, result: str, known: dict[str, NDArray[Any]]) -> Affine:
    """The affine step between the last layer, whose operator is ``beyond``, and the output picture."""
    producers = {name: node for node in graph.node for name in node.output}
    factor, addend = np.ones(1), np.zeros(1)
    nodes: list[NodeProto] = []
    while result in producers:
        node = producers[result]
        inputs = [name for name in node.input if name and name not in known]
        step = affine_step(node, inputs[0], known) if len(inputs) == 1 else None
        if step is None:
            return Affine(factor, addend, tuple(nodes), node.op_type)
        factor, addend = factor * step[0], addend + factor * step[1]
        nodes.append(node)
        result = inputs[0]
    return Affine(factor, addend, tuple(nodes), "")


def affine_step(node: NodeProto, source: str, known: dict[str, NDArray[Any]]) -> tuple[Floats, Floats] | None:
    """(factor, addend) of a node that multiplies or adds per channel; None for any other node."""
    given = attributes(node)
    if node.op_type == "ImageScaler":
        return np.full(1, given.get("scale", 1.0)), np.array(given.get("bias", [0.0]), np.float64)
    if node.op_type == "Affine":
        return np.full(1, given.get("alpha", 1.0)), np.full(1, given.get("beta", 0.0))
    if node.op_type == "Identity":
        return np.ones(1), np.zeros(1)
    if node.op_type not in ("Add", "Sub", "Mul", "Div") or len(node.input) != 2:
        return None
    first = node.input[0] == source
    other = known.get(node.input[1 if first else 0])
    values = _per_channel(other) if other is not None else None
    return None if values is None else _arithmetic(node.op_type, values, first)


def _per_channel(array: NDArray[Any]) -> Floats | None:
    if array.size not in (1, 3) or (array.size == 3 and 3 not in array.shape[-3:]):
        return None
    return array.astype(np.float64).reshape(-1)


def _arithmetic(operator: str, values: Floats, picture_first: bool) -> tuple[Floats, Floats] | None:
    one, zero = np.ones(1), np.zeros(1)
    if operator == "Add":
        return one, values
    if operator == "Mul":
        return values, zero
    if operator == "Sub":
        return (one, -values) if picture_first else (-one, values)
    return (1 / values, zero) if picture_first and values.all() else None
