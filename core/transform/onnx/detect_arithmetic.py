"""Value ranges and channel order as the arithmetic at the two ends of an ONNX graph tells them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.transform.onnx.walk import Affine, attributes, constants
from core.transform.pixels import VGG_MEANS_BGR

if TYPE_CHECKING:
    from onnx import ModelProto

Found = tuple[str, str]  # a value, and the sentence that says why


def order_of(means: NDArray[np.float64] | None) -> str:
    """'bgr' or 'rgb' where these are VGG's or ImageNet's means, of numbers 0..255 or 0..1; else ''."""
    if means is None or means.size != 3:
        return ""
    for order, expected in (("bgr", VGG_MEANS_BGR), ("rgb", VGG_MEANS_BGR[::-1])):
        if any(np.allclose(means * scale, expected, rtol=0, atol=0.6) for scale in (1, 255)):
            return order
    return ""


def means_of(leading: Affine) -> NDArray[np.float64] | None:
    """What is subtracted from the numbers of the picture."""
    if leading.is_nothing or not leading.factor.all():
        return None
    return np.broadcast_to(-leading.addend / leading.factor, 3)


def input_range(leading: Affine) -> Found | None:
    """The range in which the first nodes' arithmetic makes sense."""
    means = means_of(leading)
    if means is None:
        return None
    factor, middle = float(np.abs(leading.factor).max()), float(means.mean())
    if factor < 0.05 or middle > 2:
        return "0-255", "the first nodes subtract means of that range or divide by it"
    if factor > 100:
        return ("-1-1" if middle < -0.5 else "0-1"), "the first nodes multiply up to 255"
    if abs(middle) > 0.05:
        return ("-1-1" if middle < -0.5 else "0-1"), "the first nodes shift numbers of that range"
    return None  # a factor alone, or nothing at all


def output_range(model: ModelProto, trailing: Affine) -> Found | None:
    """From the bounds of the last real layer and the arithmetic behind it."""
    bounds = {"Tanh": (-1.0, 1.0), "Sigmoid": (0.0, 1.0), "Clip": _clip_bounds(model, trailing)}.get(
        trailing.beyond
    )
    if bounds is None:
        return None
    ends_at = [trailing.factor * bound + trailing.addend for bound in bounds]
    low, high = sorted((float(np.mean(ends_at[0])), float(np.mean(ends_at[1]))))
    if high - low > 3 and high <= 100:
        return None  # no range of pictures
    why = f"{trailing.beyond} and the nodes behind it bound it to {low:.4g}..{high:.4g}"
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
