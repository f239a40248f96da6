"""Derives value ranges and channel order from the arithmetic at the input and output of an ONNX graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.transform.onnx.walk import Affine, attributes, constants
from core.transform.pixels import VGG_MEANS_BGR

if TYPE_CHECKING:
    from onnx import ModelProto

Found = tuple[str, str]  # a value, and the reason for it


def order_of(means: NDArray[np.float64] | None) -> str:
    """'bgr' or 'rgb' if these are the means of VGG or ImageNet, for values 0 to 255 or 0 to 1; else ''."""
    if means is None or means.size != 3:
        return ""
    for order, expected in (("bgr", VGG_MEANS_BGR), ("rgb", VGG_MEANS_BGR[::-1])):
        if any(np.allclose(means * scale, expected, rtol=0, atol=0.6) for scale in (1, 255)):
            return order
    return ""


def means_of(leading: Affine) -> NDArray[np.float64] | None:
    """The means that the first nodes subtract from the picture; None if there is no such step."""
    if leading.is_nothing or not leading.factor.all():
        return None
    return np.broadcast_to(-leading.addend / leading.factor, 3)


def input_range(leading: Affine) -> Found | None:
    """The input range that the arithmetic of the first nodes implies; None if it does not decide."""
    means = means_of(leading)
    if means is None:
        return None
    factor, middle = float(np.abs(leading.factor).max()), float(means.mean())
    if factor < 0.05 or middle > 2:
        return "0-255", "the first nodes subtract means of this range or divide by its size"
    if factor > 100:
        return ("-1-1" if middle < -0.5 else "0-1"), "the first nodes multiply up to 255"
    if abs(middle) > 0.05:
        return ("-1-1" if middle < -0.5 else "0-1"), "the first nodes shift values of this range"
    return None  # a factor alone, or no arithmetic


def output_range(model: ModelProto, trailing: Affine) -> Found | None:
    """The output range from the bounds of the last layer and the arithmetic after it; None if unbounded."""
    bounds = {"Tanh": (-1.0, 1.0), "Sigmoid": (0.0, 1.0), "Clip": _clip_bounds(model, trailing)}.get(
        trailing.beyond
    )
    if bounds is None:
        return None
    ends_at = [trailing.factor * bound + trailing.addend for bound in bounds]
    low, high = sorted((float(np.mean(ends_at[0])), float(np.mean(ends_at[1]))))
    if high - low > 3 and high <= 100:
        return None  # not a range that pictures have
    why = f"{trailing.beyond} and the nodes after it bound the values to {low:.4g}..{high:.4g}"
    if high > 100:
        return ("vgg" if low < -100 and not trailing.addend.any() else "0-255"), why
    return ("-1-1" if low < -0.2 else "0-1"), why


def _clip_bounds(model: ModelProto, trailing: Affine) -> tuple[float, float] | None:
    clips = [node for node in model.graph.node if node.op_type == "Clip"]
    if trailing.beyond != "Clip" or not clips:
        return None
    known, given = constants(model.graph), attributes(clips[-1])
    inputs = dict(zip(("x", "min", "max"), clips[-1].input, strict=False))
    low = known.get(inputs.get("min", ""), given.get("min"))
    high = known.get(inputs.get("max", ""), given.get("max"))
    return (float(low), float(high)) if low is not None and high is not None else None
