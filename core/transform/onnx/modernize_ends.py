"""Gives a modernised model one input and one output of shape (N, 3, H, W) with N, H and W free."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.errors import TransformError
from core.transform.onnx.detect import layout_of
from core.transform.onnx.walk import dimensions, ends

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, ValueInfoProto

TO_NHWC, TO_NCHW = (0, 2, 3, 1), (0, 3, 1, 2)


def keep_picture_ends(model: ModelProto) -> list[str]:
    """Remove weights from the inputs and all outputs but the first; returns one sentence for each change.

    Raises: TransformError: the input or the declared output is not a batch of pictures.
    """
    graph = model.graph
    source, result = ends(model)
    layout_of(source)
    sizes = dimensions(result)
    if sizes and (len(sizes) != 4 or not {0, 3} & {sizes[1], sizes[3]}):
        shown = "x".join(str(size or "?") for size in sizes)
        raise TransformError(f"output '{result.name}' of shape {shown} is not a batch of 3-channel pictures")
    others = [item.name for item in graph.output[1:]]
    for items, kept in ((graph.input, _copy(source)), (graph.output, _copy(result))):
        del items[:]
        items.append(kept)
    return [f"all outputs but the first removed ({', '.join(others)})"] if others else []


def declare_free(graph: GraphProto) -> list[str]:
    """Declare input and output as N,3,H,W with N, H and W free; returns one sentence for each change."""
    del graph.value_info[:]  # its sizes are those of the fixed picture size
    source, result = graph.input[0], graph.output[0]
    layout, _ = layout_of(source)
    sizes = dimensions(source)
    spatial = sizes[2:] if layout == "nchw" else sizes[1:3]
    changes = ["number and size of pictures made free"] if any([sizes[0], *spatial]) else []
    output_layout = layout_of(result)[0] if dimensions(result) else layout
    if layout == "nhwc":
        _turn_input(graph)
        changes.append("layout of the input changed to N,3,H,W")
    if output_layout == "nhwc":
        _turn_output(graph)
        changes.append("layout of the output changed to N,3,H,W")
    _declare(source, ("N", 3, "H", "W"))
    _declare(result, ("N", 3, "H_out", "W_out"))
    return changes


def _turn_input(graph: GraphProto) -> None:
    from onnx import helper

    name = graph.input[0].name
    inner = f"{name}_nhwc"
    for node in graph.node:
        node.input[:] = [inner if item == name else item for item in node.input]
    graph.node.insert(0, helper.make_node("Transpose", [name], [inner], name=inner, perm=TO_NHWC))


def _turn_output(graph: GraphProto) -> None:
    from onnx import helper

    name = graph.output[0].name
    inner = f"{name}_nhwc"
    for node in graph.node:
        node.input[:] = [inner if item == name else item for item in node.input]
        node.output[:] = [inner if item == name else item for item in node.output]
    graph.node.append(helper.make_node("Transpose", [inner], [name], name=name, perm=TO_NCHW))


def _declare(item: ValueInfoProto, sizes: tuple[str | int, ...]) -> None:
    from onnx import helper

    kind = item.type.tensor_type.elem_type
    item.type.CopyFrom(helper.make_tensor_type_proto(kind, sizes))


def _copy(item: ValueInfoProto) -> ValueInfoProto:
    """A copy that stays valid when the list it comes from is emptied."""
    return type(item).FromString(item.SerializeToString())
