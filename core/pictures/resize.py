"""Torch7's ``image.scale`` in 'bilinear' mode: area average when shrinking, linear when enlarging.

Matches image.c, Main_scaleLinear_rowcol and Main_scaleBilinear (torch/image 5aa1881), bit for bit. Images are
float64 (C, H, W). As in image.c, positions and weights are float32.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float64]
f32 = np.float32


def scaled_size(height: int, width: int, longer_side: float) -> tuple[int, int]:
    """Height and width after scaling the longer side to ``longer_side`` pixels.

    As in the original, sizes are truncated, not rounded. The multiplication comes before the division, so
    the longer side is exact.
    """
    longest = max(height, width)
    return (
        max(1, math.floor(height * longer_side / longest)),
        max(1, math.floor(width * longer_side / longest)),
    )


def scale(image: Image, longer_side: float) -> Image:
    """Scale a (C, H, W) image to a longer side of ``longer_side`` pixels."""
    return scale_to(image, *scaled_size(image.shape[1], image.shape[2], longer_side))


def scale_to(image: Image, height: int, width: int) -> Image:
    """Scale a (C, H, W) image to (C, height, width): along the rows first, then along the columns."""
    across = _scale_last_axis(image, width)
    return np.ascontiguousarray(_scale_last_axis(across.swapaxes(1, 2), height).swapaxes(1, 2))


def _scale_last_axis(x: Image, size: int) -> Image:
    if size == x.shape[-1]:
        return x.copy()
    return _enlarge(x, size) if size > x.shape[-1] else _shrink(x, size)


def _enlarge(x: Image, size: int) -> Image:
    """Linear interpolation. The first and last samples stay in place; the last one is copied."""
    n = x.shape[-1]
    out = np.empty((*x.shape[:-1], size))
    out[..., -1] = x[..., -1]
    if n == 1:
        out[...] = x
        return out
    positions = np.arange(size - 1, dtype=f32) * f32((n - 1) / (size - 1))
    left = positions.astype(np.int64)
    share = positions - left.astype(f32)
    out[..., :-1] = (f32(1) - share).astype(np.float64) * x[..., left]
    out[..., :-1] += share.astype(np.float64) * x[..., left + 1]
    return out


def _shrink(x: Image, size: int) -> Image:
    """Area average. As in image.c, sums and the division are float32 although the image is float64."""
    n = x.shape[-1]
    columns = np.ascontiguousarray(np.moveaxis(x, -1, 0))
    out = np.empty((size, *columns.shape[1:]))
    step = f32(n / size)
    first, skipped = 0, f32(0)
    for i in range(size):
        end = f32(f32(i + 1) * step)
        last = int(end)
        share = f32(end - f32(last))
        weight = f32(f32(1) - skipped)
        total = (np.float64(weight) * columns[first]).astype(f32)
        for k in range(first + 1, last):
            total = (total + columns[k]).astype(f32)
            weight = f32(weight + f32(1))
        if last < n:
            total = (total + np.float64(share) * columns[last]).astype(f32)
            weight = f32(weight + share)
        out[i] = total / weight
        first, skipped = last, share
    return np.moveaxis(out, 0, -1)
