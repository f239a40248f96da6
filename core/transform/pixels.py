"""Pixel formats of transform networks: channel order, scale, mean and deviation of the values.

'vgg' and 'resnet' match ``preprocess`` and ``deprocess`` of fast_neural_style.lua (813c834). The other
formats are those of networks from other projects.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from core.pictures.images import Image

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class PixelFormat:
    """Network value = (value in 0..1 * ``scale`` - ``mean``) / ``deviation``, channels in ``order``.

    ``order`` is 'rgb' or 'bgr'; ``mean`` and ``deviation`` are in this order.
    """

    name: str
    order: str
    scale: float
    mean: Triple = (0.0, 0.0, 0.0)
    deviation: Triple = (1.0, 1.0, 1.0)

    def ordered(self, order: str) -> PixelFormat:
        """The same format with the channels in ``order``, 'rgb' or 'bgr'."""
        if order == self.order:
            return self
        return replace(self, order=order, mean=self.mean[::-1], deviation=self.deviation[::-1])

    def encode(self, image: Image) -> NDArray[np.float32]:
        """A float64 picture (3, H, W), RGB, values 0 to 1, as the network's float32 (3, H, W).

        Computed in double precision and rounded once, as in the original.
        """
        values = image[::-1] if self.order == "bgr" else image
        if self.scale != 1:
            values = values * self.scale
        if any(self.mean):
            values = values - _column(self.mean)
        if self.deviation != (1.0, 1.0, 1.0):
            values = values / _column(self.deviation)
        return np.ascontiguousarray(values, np.float32)

    def decode(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """The network's float32 (3, H, W) as RGB, values about 0 to 1, not clamped.

        Computed in single precision, as in the original.
        """
        if self.deviation != (1.0, 1.0, 1.0):
            values = values * _column(self.deviation).astype(np.float32)
        if any(self.mean):
            values = values + _column(self.mean).astype(np.float32)
        if self.scale != 1:
            values = values / np.float32(self.scale)
        return np.ascontiguousarray(values[::-1] if self.order == "bgr" else values)


def _column(values: Triple) -> NDArray[np.float64]:
    return np.array(values).reshape(3, 1, 1)


VGG_MEANS_BGR = (103.939, 116.779, 123.68)
FORMATS = {
    item.name: item
    for item in (
        PixelFormat("vgg", "bgr", 255.0, VGG_MEANS_BGR),
        PixelFormat("resnet", "rgb", 1.0, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        PixelFormat("0-255", "rgb", 255.0),
        PixelFormat("0-1", "rgb", 1.0),
        PixelFormat("-1-1", "rgb", 2.0, (1.0, 1.0, 1.0)),
    )
}


@dataclass(frozen=True)
class NetworkFormat:
    """The format of a network's input and output.

    input, output: their pixel formats.
    layout: 'nchw' or 'nhwc'.  dtype: NumPy name of the element type of input and output.
    size: (height, width) if the network takes this size only, else None.
    multiple: the network rounds height and width up to a multiple of this.
    smallest: the shorter side must have at least this many pixels (reflection padding).
    reasons: one sentence for each property, with the evidence for it.
    """

    input: PixelFormat
    output: PixelFormat
    layout: str = "nchw"
    dtype: str = "float32"
    size: tuple[int, int] | None = None
    multiple: int = 1
    smallest: int = 1
    reasons: tuple[str, ...] = ()


def overridden(
    how: NetworkFormat,
    *,
    value_range: str = "",
    output_value_range: str = "",
    channel_order: str = "",
    layout: str = "",
    size: tuple[int, int] | None = None,
) -> NetworkFormat:
    """``how`` changed by the flags of the same names; '' and None leave a property unchanged."""
    reasons = list(how.reasons)
    if value_range:
        order = how.input.order if value_range in ("0-255", "0-1", "-1-1") else FORMATS[value_range].order
        pixels = FORMATS[value_range].ordered(order)
        how = replace(how, input=pixels, output=pixels)
        reasons.append(f"input and output values: {value_range}, as asked with -value_range")
    if output_value_range:
        how = replace(how, output=FORMATS[output_value_range].ordered(how.input.order))
        reasons.append(f"output values: {output_value_range}, as asked with -output_value_range")
    if channel_order:
        how = replace(how, input=how.input.ordered(channel_order), output=how.output.ordered(channel_order))
        reasons.append(f"channel order: {channel_order}, as asked with -channel_order")
    if layout:
        how = replace(how, layout=layout)
        reasons.append(f"layout: {layout}, as asked with -layout")
    if size is not None:
        how = replace(how, size=size)
        reasons.append(f"size: {size[1]}x{size[0]} only, as asked with -model_size")
    return replace(how, reasons=tuple(reasons))
