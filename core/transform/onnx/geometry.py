"""How an ONNX graph changes the size of a picture, as far as its nodes show."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.transform.onnx.walk import attributes

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto


def multiple_and_smallest(graph: GraphProto, source: str, known: dict[str, NDArray[Any]]) -> tuple[int, int]:
    """(multiple to which sides are rounded up, smallest side in pixels that reflection padding allows)."""
    scale = {source: Fraction(1)}  # input pixels per pixel of a tensor
    coarsest, smallest = Fraction(1), 1
    for node in graph.node:
        before = next((scale[name] for name in node.input if name in scale), None)
        if before is None:
            continue
        after = before * _stride(node, known)
        scale.update(dict.fromkeys(node.output, after))
        coarsest = max(coarsest, after)
        if node.op_type == "Pad" and attributes(node).get("mode", b"") == b"reflect":
            smallest = max(smallest, int(_widest(node, known) * before) + 1)
    return int(coarsest), smallest


def _stride(node: NodeProto, known: dict[str, NDArray[Any]]) -> Fraction:
    given = attributes(node)
    if node.op_type in ("Conv", "MaxPool", "AveragePool"):
        return Fraction(max(given.get("strides", [1])))
    if node.op_type == "ConvTranspose":
        return Fraction(1, max(given.get("strides", [1])))
    if node.op_type in ("Resize", "Upsample"):
        scales = next(
            (known[name] for name in reversed(node.input) if name in known and known[name].size == 4), None
        )
        values = given.get("scales", scales)
        if values is not None and float(max(values)) >= 1:
            return 1 / Fraction(float(max(values))).limit_denominator(64)
    return Fraction(1)


def _widest(node: NodeProto, known: dict[str, NDArray[Any]]) -> int:
    given = attributes(node)
    widths = given.get("pads", given.get("paddings"))
    if widths is None and len(node.input) > 1:
        widths = known.get(node.input[1])
    return max(0, int(np.max(widths))) if widths is not None else 0
