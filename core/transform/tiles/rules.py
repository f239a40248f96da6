"""Reads from each node of a transform network how it changes height and width."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.errors import TransformError
from core.transform.onnx.walk import attributes
from core.transform.tiles.windows import (
    Convolution,
    Cropping,
    Enlargement,
    Padding,
    Pointwise,
    Rule,
    TransposedConvolution,
)

if TYPE_CHECKING:
    from onnx import NodeProto

Known = dict[str, NDArray[Any]]
NORM = "InstanceNormalization"
POINTWISE = (
    *("Relu", "LeakyRelu", "Tanh", "Sigmoid", "Clip", "Identity", "Add", "Sub", "Mul", "Div"),
    *("BatchNormalization", NORM),
)


def rules_of(number: int, node: NodeProto, known: Known) -> tuple[Rule, Rule]:
    """The node's rules for height and width. ``number``: the node's number for the error message.

    Raises: TransformError: the network cannot be tiled because of this node.
    """
    makers = {
        "Conv": _convolution,
        "ConvTranspose": _transposed,
        "Pad": _padding,
        "Slice": _cropping,
        "Resize": _enlargement,
        **dict.fromkeys(POINTWISE, _pointwise),
    }
    made = makers[node.op_type](node, known) if node.op_type in makers else None
    if made is None:
        raise TransformError(
            f"-tile: the network cannot be cut into tiles because of its node {number} "
            f"('{node.name or node.output[0]}', {node.op_type}); leave -tile out"
        )
    return made


def _pointwise(node: NodeProto, known: Known) -> tuple[Rule, Rule] | None:
    """The rules of a pointwise operator; None if one of its constants has a height or width."""
    stored = [known[name] for name in node.input if name in known]
    flat = node.op_type in ("BatchNormalization", NORM)
    if not flat and any(array.ndim > 1 and max(array.shape[-2:]) > 1 for array in stored):
        return None
    if not flat and any(array.ndim == 1 and array.size > 1 for array in stored):
        return None
    return Pointwise(), Pointwise()


def _convolution(node: NodeProto, known: Known) -> tuple[Rule, Rule] | None:
    given = attributes(node)
    pads = _pads(given)
    kernel = known[node.input[1]].shape[2:] if node.input[1] in known else None
    if pads is None or kernel is None:
        return None
    dilations, strides = given.get("dilations", [1, 1]), given.get("strides", [1, 1])
    lengths = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    return Convolution(lengths[0], strides[0], pads[0], pads[2]), Convolution(
        lengths[1], strides[1], pads[1], pads[3]
    )


def _transposed(node: NodeProto, known: Known) -> tuple[Rule, Rule] | None:
    given = attributes(node)
    pads = _pads(given)
    kernel = known[node.input[1]].shape[2:] if node.input[1] in known else None
    dilated = any(length != 1 for length in given.get("dilations", [1, 1]))
    if pads is None or kernel is None or dilated or "output_shape" in given:
        return None
    strides, added = given.get("strides", [1, 1]), given.get("output_padding", [0, 0])
    first, second = (
        TransposedConvolution(kernel[axis], strides[axis], pads[axis], pads[axis + 2], added[axis])
        for axis in (0, 1)
    )
    return first, second


def _padding(node: NodeProto, known: Known) -> tuple[Rule, Rule] | None:
    given = attributes(node)
    widths = given.get("pads", known.get(node.input[1]) if len(node.input) > 1 else None)
    if widths is None or len(widths) != 8 or min(widths) < 0 or any(widths[i] for i in (0, 1, 4, 5)):
        return None
    mode = given.get("mode", b"constant").decode()
    top, left, bottom, right = (int(widths[i]) for i in (2, 3, 6, 7))
    return Padding(mode, top, bottom), Padding(mode, left, right)


def _cropping(node: NodeProto, known: Known) -> tuple[Rule, Rule] | None:
    """The rules of a Slice that removes border pixels, as in a shortcut without padding; None for others."""
    if len(node.input) < 4 or not all(name in known for name in node.input[1:]):
        return None
    starts, stops, axes = (known[name].tolist() for name in node.input[1:4])
    cut: dict[int, Rule] = {}
    for start, stop, axis in zip(starts, stops, axes, strict=True):
        lost = 0 if stop >= 1 << 31 else -stop
        if start < 0 or lost < 0:
            return None
        cut[axis % 4] = Cropping(start, start + lost)
    steps = known[node.input[4]] if len(node.input) > 4 else np.ones(1)
    if not set(cut) <= {2, 3} or np.any(steps != 1):
        return None
    return cut.get(2, Pointwise()), cut.get(3, Pointwise())


def _enlargement(node: NodeProto, known: Known) -> tuple[Rule, Rule] | None:
    given = attributes(node)
    scales = known.get(node.input[2]) if len(node.input) == 3 else None
    repeats = (
        given.get("mode", b"nearest") == b"nearest"
        and given.get("coordinate_transformation_mode") == b"asymmetric"
        and given.get("nearest_mode") == b"floor"
    )
    if scales is None or not repeats or not _is_whole(scales):
        return None
    return Enlargement(int(scales[2])), Enlargement(int(scales[3]))


def _pads(given: dict[str, Any]) -> list[int] | None:
    """Padding at top, left, bottom and right; None if it depends on the picture's size."""
    mode = given.get("auto_pad", b"NOTSET")
    if mode == b"VALID":
        return [0, 0, 0, 0]
    return list(given.get("pads", [0, 0, 0, 0])) if mode == b"NOTSET" else None


def _is_whole(scales: NDArray[Any] | None) -> bool:
    return (
        scales is not None
        and scales.size == 4
        and bool(np.all(scales == np.round(scales)) and scales.min() >= 1)
    )
