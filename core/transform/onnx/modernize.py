"""Converts old and fixed-size ONNX models to current models for any size, with unchanged results.

Three steps: replace operators that ONNX has removed, convert to one opset with onnx's own converter, and
rewrite the parts that work for one size only. Shape inference at another size then checks that no such part
is left.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.errors import TransformError
from core.transform.onnx.free_size import drop_identities, free_sizes, turn_into_identity
from core.transform.onnx.modernize_ends import declare_free, keep_picture_ends
from core.transform.onnx.modernize_sizes import check_sizes_free
from core.transform.onnx.walk import affine_step, attributes, constants, opset_of
from core.transform.pixels import VGG_MEANS_BGR

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

OPSET, IR_VERSION = 18, 10
RESIZE_HAS_MODES = 11
OLDEST = 7  # earlier opsets broadcast in another way
SUBGRAPHS = ("If", "Loop", "Scan", "SequenceMap")


@dataclass(frozen=True)
class Modernized:
    """A converted model.

    changes: one sentence each.  preprocessing: 'vgg' if VGG's means were removed from the graph, else ''.
    """

    model: ModelProto
    changes: tuple[str, ...]
    preprocessing: str


def modernize(model: ModelProto) -> Modernized:
    """Convert to opset 18 and to pictures of any size and number. Raises: TransformError naming the node."""
    import onnx

    _check_operators(model)
    result = onnx.ModelProto()
    result.CopyFrom(model)
    del result.graph.value_info[:]
    result.ir_version = IR_VERSION  # before 4, weights had to be listed as inputs
    changes = keep_picture_ends(result)
    changes += _without_removed_operators(result)
    result = _at_current_opset(result, changes)
    changes += free_sizes(result.graph)
    preprocessing = "vgg" if _without_means(result.graph, changes) else ""
    changes += declare_free(result.graph)
    _store_constants(result.graph)
    result.producer_name = result.producer_name or model.producer_name
    try:
        onnx.checker.check_model(result, full_check=True)
    except Exception as error:  # the checker's exceptions share no more specific base class
        raise TransformError(f"the converted model is not valid ONNX: {_cause(error)}") from None
    check_sizes_free(result)
    return Modernized(result, tuple(changes), preprocessing)


def _check_operators(model: ModelProto) -> None:
    from onnx import defs

    if opset_of(model) < OLDEST:
        raise TransformError(f"opset {opset_of(model)} is too old; the oldest supported opset is {OLDEST}")
    for number, node in enumerate(model.graph.node, 1):
        where = f"node {number} ('{node.name or node.output[0]}', {node.op_type})"
        if node.domain not in ("", "ai.onnx"):
            raise TransformError(
                f"{where} is from the domain '{node.domain}'; only operators of standard ONNX are supported"
            )
        if node.op_type in SUBGRAPHS:
            raise TransformError(f"{where} contains a subgraph, which is not supported")
        if node.op_type not in REMOVED and not defs.has(node.op_type):
            raise TransformError(f"{where} is not an ONNX operator")
        if node.op_type == "BatchNormalization" and attributes(node).get("spatial", 1) != 1:
            raise TransformError(
                f"{where} has spatial = 0 (statistics for each pixel), which works for one picture size only"
            )


def _cause(error: Exception) -> str:
    """onnx's message without the location in its source code."""
    return " ".join(str(error).split()).rpartition(" failed: ")[2][:160]


def _without_removed_operators(model: ModelProto) -> list[str]:
    """Replace ImageScaler, Affine and Crop: experimental operators that ONNX 1.5 removed."""
    nodes: list[NodeProto] = []
    counts = dict.fromkeys(REMOVED, 0)
    for node in model.graph.node:
        if node.op_type in REMOVED:
            counts[node.op_type] += 1
            nodes += REMOVED[node.op_type](model, node)
        else:
            nodes.append(node)
    replace_nodes(model.graph, nodes)
    return [f"{count} {name} replaced (removed from ONNX)" for name, count in counts.items() if count]


def _scaled(model: ModelProto, node: NodeProto) -> list[NodeProto]:
    given = attributes(node)
    factor = given.get("scale", given.get("alpha", 1.0))
    addend = np.array(given.get("bias", given.get("beta", 0.0)), np.float32)
    if addend.ndim:
        addend = addend.reshape(-1, 1, 1)
    return _multiply_add(model.graph, node, np.float32(factor), addend)


def _multiply_add(graph: GraphProto, node: NodeProto, factor: Any, addend: Any) -> list[NodeProto]:
    from onnx import helper

    steps = [("Mul", factor)] if factor != 1 else []
    if np.any(addend):
        steps.append(("Add", addend))
    if not steps:
        return [helper.make_node("Identity", node.input[:1], node.output)]
    nodes, x = [], node.input[0]
    for number, (operator, values) in enumerate(steps, 1):
        result = node.output[0] if number == len(steps) else f"{node.output[0]}_scaled"
        constant = store(graph, np.asarray(values, np.float32), f"{node.output[0]}_{operator.lower()}")
        nodes.append(helper.make_node(operator, [x, constant], [result], name=result))
        x = result
    return nodes


def _cropped(model: ModelProto, node: NodeProto) -> list[NodeProto]:
    """Crop as Slice. The border widths are left, top, right, bottom."""
    from onnx import helper

    given = attributes(node)
    if given.get("scale") or len(given.get("border", ())) != 4:
        raise TransformError(f"node '{node.name or node.output[0]}' (Crop) crops to one fixed size")
    left, top, right, bottom = given["border"]
    end = np.iinfo(np.int64).max
    bounds: dict[str, Any] = {"starts": [top, left], "ends": [-bottom or end, -right or end], "axes": [2, 3]}
    if opset_of(model) < 10:
        return [helper.make_node("Slice", node.input[:1], node.output, name=node.output[0], **bounds)]
    stored = [store(model.graph, np.array(v, np.int64), f"{node.output[0]}_{k}") for k, v in bounds.items()]
    return [helper.make_node("Slice", [node.input[0], *stored], node.output, name=node.output[0])]


REMOVED: dict[str, Callable[[ModelProto, NodeProto], list[NodeProto]]] = {
    "ImageScaler": _scaled,
    "Affine": _scaled,
    "Crop": _cropped,
}


def store(graph: GraphProto, values: Any, name: str) -> str:
    """Store an array in the graph and return its name."""
    from onnx import numpy_helper

    graph.initializer.append(numpy_helper.from_array(values, name))
    return name


def replace_nodes(graph: GraphProto, nodes: list[NodeProto]) -> None:
    """Replace all nodes of the graph."""
    kept = list(nodes)
    del graph.node[:]
    graph.node.extend(kept)


def _at_current_opset(model: ModelProto, changes: list[str]) -> ModelProto:
    from onnx import version_converter

    before = opset_of(model)
    if before == OPSET:
        return model
    if before > OPSET:
        _store_constants(model.graph)  # computed shapes often use operators that cannot be converted back
    try:
        converted: ModelProto = version_converter.convert_version(model, OPSET)
    except Exception as error:  # the converter's exceptions share no more specific base class
        raise TransformError(f"opset {before} cannot be converted to {OPSET}: {_cause(error)}") from None
    if before < RESIZE_HAS_MODES:
        _keep_sampling_positions(converted.graph)
    changes.append(f"opset {before} became {OPSET}")
    return converted


def _keep_sampling_positions(graph: GraphProto) -> None:
    """Set the sampling of old Resize nodes, which counted from pixel corners.

    The converter leaves the later default, pixel centres.
    """
    from onnx import helper

    modes = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    for node in graph.node:
        if node.op_type == "Resize":
            given = {name: value for name, value in attributes(node).items() if name not in modes}
            node.CopyFrom(
                helper.make_node("Resize", node.input, node.output, name=node.name, **given, **modes)
            )


def _without_means(graph: GraphProto, changes: list[str]) -> bool:
    """Remove the subtraction and addition of VGG's means, if present; returns whether they were.

    The runner then subtracts them in double precision before the only rounding, as the original does.
    """
    known, source, result = constants(graph), graph.input[0].name, graph.output[0].name
    first = [node for node in graph.node if source in node.input]
    last = [node for node in graph.node if result in node.output]
    if len(first) != 1 or len(last) != 1 or first == last:
        return False
    before = next(name for name in last[0].input if name not in known)
    if not (_shifts(first[0], source, known, -1) and _shifts(last[0], before, known, 1)):
        return False
    for node in (first[0], last[0]):
        turn_into_identity(node, known)
    drop_identities(graph)
    changes.append("VGG's means removed from the graph; nstyle applies them in double precision")
    return True


def _shifts(node: NodeProto, source: str, known: dict[str, NDArray[Any]], sign: int) -> bool:
    """Whether the node only adds the BGR means with this sign."""
    step = affine_step(node, source, known)
    if step is None or not np.all(step[0] == 1):
        return False
    means = sign * np.array(VGG_MEANS_BGR)
    return bool(np.allclose(np.broadcast_to(step[1], 3), means, atol=1e-3))


def _store_constants(graph: GraphProto) -> None:
    """Store computed constants as arrays and remove unused ones."""
    known = constants(graph)
    real = [node for node in graph.node if node.output[0] not in known]
    used = {name for node in real for name in node.input}
    del graph.initializer[:]
    for name, values in known.items():
        if name in used:
            store(graph, values, name)
    replace_nodes(graph, real)
