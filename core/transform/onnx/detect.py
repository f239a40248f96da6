"""Detects the pixel format of an ONNX model from its metadata, its graph and one test run.

| evidence, strongest first                            | what it decides              |
|------------------------------------------------------|------------------------------|
| our own metadata                                     | everything                   |
| WinML's metadata (Image.BitmapPixelFormat etc.)      | channel order, value range   |
| texts such as 'BGR format'                           | channel order                |
| means that the first nodes subtract or the last add  | channel order, input range   |
| Tanh, Sigmoid, Clip and what follows                 | output range                 |
| the range of the output for one picture              | output range                 |
| none of these                                        | RGB, 0..255: most networks   |
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.errors import TransformError
from core.transform.onnx.detect_arithmetic import Found, input_range, means_of, order_of, output_range
from core.transform.onnx.geometry import multiple_and_smallest
from core.transform.onnx.metadata import ModelMetadata, read_metadata
from core.transform.onnx.walk import (
    Affine,
    constants,
    dimensions,
    ends,
    leading_affine,
    trailing_affine,
)
from core.transform.pixels import FORMATS, NetworkFormat

if TYPE_CHECKING:
    from onnx import ModelProto, ValueInfoProto

Probe = Callable[[NetworkFormat], NDArray[np.float32]]
WINML_RANGES = {
    "NominalRange_0_255": "0-255",
    "Normalized_0_1": "0-1",
    "Normalized_1_1": "-1-1",
    "NominalRange_16_235": "0-255",
}
DEFAULT = "0-255"
ASSUMED = "the default, as nothing in the file decides it"
COLOURS = {"bgr": "blue, green, red", "rgb": "red, green, blue"}
DTYPES = ("float32", "float16", "float64", "uint8")


def detect_format(model: ModelProto, probe: Probe | None = None) -> NetworkFormat:
    """Detect the format of the network's input and output.

    probe: runs the network on a test picture in the given format and returns float32 (1, 3, H, W). It is only
    called if the graph does not decide the output range. Raises: TransformError: not a transform network.
    """
    source, result = ends(model)
    layout, size = layout_of(source)
    dtype = _dtype(source)
    known = constants(model.graph)
    multiple, smallest = multiple_and_smallest(model.graph, source.name, known)
    base = NetworkFormat(
        FORMATS[DEFAULT],
        FORMATS[DEFAULT],
        layout,
        dtype,
        size,
        multiple,
        smallest,
        _shape_reasons(layout, dtype, size),
    )
    own = read_metadata(model)
    if own is not None:
        return _from_metadata(base, own)
    leading = leading_affine(model.graph, source.name, known)
    trailing = trailing_affine(model.graph, result.name, known)
    order, order_reason = _order(model, leading, trailing)
    given = _winml_range(model) or input_range(leading)
    output = output_range(model, trailing)
    if output is None and probe is not None:
        output = _probed(probe(replace(base, input=FORMATS[given[0] if given else DEFAULT].ordered(order))))
    given, output = _completed(given, output)
    if output[0] == "vgg" and order_reason == ASSUMED:
        order, order_reason = "bgr", "as in the original's networks"
    return replace(
        base,
        input=FORMATS[given[0]].ordered(order),
        output=FORMATS[output[0]].ordered(order),
        reasons=(
            f"input values: {given[0]}, {given[1]}",
            f"output values: {output[0]}, {output[1]}",
            f"channel order: {order}, {order_reason}",
            *base.reasons,
        ),
    )


def _from_metadata(base: NetworkFormat, own: ModelMetadata) -> NetworkFormat:
    why = f"from the file's metadata (converted from {own.source_file})"
    return replace(
        base,
        input=FORMATS[own.preprocessing].ordered(own.channel_order),
        output=FORMATS[own.output_pixels].ordered(own.channel_order),
        multiple=own.size_multiple,
        smallest=own.smallest_size,
        reasons=(
            f"input values: {own.preprocessing}, {why}",
            f"output values: {own.output_pixels}, {why}",
            f"channel order: {own.channel_order}, {why}",
            *base.reasons,
        ),
    )


def layout_of(source: ValueInfoProto) -> tuple[str, tuple[int, int] | None]:
    """Layout, and (height, width) if they are fixed. Raises: TransformError: not a batch of pictures."""
    sizes = dimensions(source)
    if len(sizes) == 4 and sizes[1] in (0, 3) and sizes[3] != 3:
        layout, (height, width) = "nchw", sizes[2:]
    elif len(sizes) == 4 and sizes[3] == 3:
        layout, (height, width) = "nhwc", sizes[1:3]
    else:
        shown = "x".join(str(size or "?") for size in sizes)
        raise TransformError(f"input '{source.name}' of shape {shown} is not a batch of 3-channel pictures")
    return layout, (height, width) if height and width else None


def _dtype(source: ValueInfoProto) -> str:
    """The NumPy name of the element type. Raises: TransformError: it is not a type for pictures."""
    from onnx import TensorProto, helper

    kind = source.type.tensor_type.elem_type
    name = str(helper.tensor_dtype_to_np_dtype(kind)) if kind else "undefined"
    if name not in DTYPES:
        shown = TensorProto.DataType.Name(kind)
        raise TransformError(f"input '{source.name}' has type {shown}; known are {', '.join(DTYPES)}")
    return name


def _shape_reasons(layout: str, dtype: str, size: tuple[int, int] | None) -> tuple[str, ...]:
    fixed = "any" if size is None else f"{size[1]}x{size[0]} only"
    return (f"layout: {layout}, type: {dtype}, size: {fixed}, as the input is declared",)


def _order(model: ModelProto, leading: Affine, trailing: Affine) -> Found:
    declared = _metadata(model).get("Image.BitmapPixelFormat", "")
    if declared[:3].lower() in ("bgr", "rgb"):
        return declared[:3].lower(), f"from the metadata entry {declared}"
    texts = " ".join(
        [model.doc_string, *(item.doc_string for item in (*model.graph.input, *model.graph.output))]
    )
    for order in ("bgr", "rgb"):
        if f"{order.upper()} format" in texts or f"{order.upper()} image" in texts:
            return order, f"from the file's description, which names {order.upper()}"
    for means, where in ((means_of(leading), "first nodes subtract"), (trailing.addend, "last nodes add")):
        order = order_of(means)
        if order:
            return order, f"the {where} the means of {COLOURS[order]}"
    return "rgb", ASSUMED


def _metadata(model: ModelProto) -> dict[str, str]:
    return {item.key: item.value for item in model.metadata_props}


def _winml_range(model: ModelProto) -> Found | None:
    declared = _metadata(model).get("Image.NominalPixelRange", "")
    if declared not in WINML_RANGES:
        return None
    return WINML_RANGES[declared], f"from the metadata entry {declared}"


def _probed(result: NDArray[np.float32]) -> Found | None:
    values = result[np.isfinite(result)]
    if not values.size:
        return None
    low, high = float(values.min()), float(values.max())
    why = f"a test picture gave values from {low:.4g} to {high:.4g}"
    if high - low > 3:
        return "0-255", why
    return ("-1-1" if low < -0.2 else "0-1"), why


def _completed(given: Found | None, output: Found | None) -> tuple[Found, Found]:
    """Input and output range; if only one is known, the other is assumed to be the same."""
    if given is None and output is None:
        default = (DEFAULT, ASSUMED)
        return default, default
    if given is None:
        assert output is not None
        return (output[0], "assumed to be the same as for the output"), output
    return given, output or (given[0], "assumed to be the same as for the input")
