"""Checks that no part of a graph works for one picture size only, by shape inference at another size."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from core.errors import TransformError
from core.transform.onnx.walk import constants, dimensions

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

# Unlike any network's own size, and multiples of 128, so that halving and doubling restores the size.
TRIAL = (2, 3, 7 * 128, 11 * 128)
NO_END = 1 << 16  # ends of slices from here on mean 'to the last pixel'
WHERE = re.compile(r"op_type:(\w+), node name: ([^)]*)\)")


def check_sizes_free(model: ModelProto) -> None:
    """Raises: TransformError naming a node that works for one size or one number of pictures only."""
    import onnx

    trial = onnx.ModelProto()
    trial.CopyFrom(model)
    for size, value in zip(trial.graph.input[0].type.tensor_type.shape.dim, TRIAL, strict=True):
        size.dim_value = value
    for node in trial.graph.node:
        node.name = node.name or node.output[0]  # the messages of shape inference contain this name
    try:
        inferred = onnx.shape_inference.infer_shapes(trial, strict_mode=True)
    except Exception as error:  # its exceptions share no more specific base class
        found = WHERE.search(str(error))
        where = f"node '{found[2]}' ({found[1]})" if found else "a node"
        raise _refusal(where) from None
    shapes = {item.name: dimensions(item) for item in (*inferred.graph.input, *inferred.graph.value_info)}
    shapes |= {item.name: dimensions(item) for item in inferred.graph.output}
    known = {name: values.reshape(-1).tolist() for name, values in constants(trial.graph).items()}
    for node in trial.graph.node:
        if _is_baked(node, shapes, known):
            raise _refusal(f"node '{node.name}' ({node.op_type})")


def _refusal(where: str) -> TransformError:
    return TransformError(
        f"{where} works for one size or number of pictures only; export the network with free sizes"
    )


def _is_baked(node: NodeProto, shapes: dict[str, list[int]], known: dict[str, list[int]]) -> bool:
    before = shapes.get(node.input[0], []) if node.input else []
    if node.op_type == "Reshape":
        after = shapes.get(node.output[0], [])
        # 0 means that the inference could not determine the size
        return bool(before and after and all(before + after) and math.prod(before) != math.prod(after))
    if node.op_type == "Resize":
        return len(node.input) > 3 and node.input[3] in known
    return node.op_type == "Slice" and len(before) == 4 and _ends_inside(node, known)


def _ends_inside(node: NodeProto, known: dict[str, list[int]]) -> bool:
    """Whether height or width are cut at a fixed pixel, counted from the first one."""
    end = known.get(node.input[2], [])
    axes = known.get(node.input[3], []) if len(node.input) > 3 else list(range(len(end)))
    return any(axis % 4 > 1 and 0 < last < NO_END for axis, last in zip(axes, end, strict=False))
