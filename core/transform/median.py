"""The median filter that fast_neural_style.lua runs over its result.

Matches ``median_filter`` of fast-neural-style 813c834: windows of r x r without padding, so the result has
r - 1 rows and columns less. For even r the median is the lower of the two middle values.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.errors import TransformError

Picture = NDArray[np.float32]
_ROWS = 64  # rows filtered at a time: the windows are copied, and a strip of 64 rows fits the cache


def median_filter(picture: Picture, size: float) -> Picture:
    """The median of every r x r window: (C, H, W) to (C, H - r + 1, W - r + 1).

    r is the integer part of ``size``; r of 1 or less returns the picture unchanged.
    Raises: TransformError: the picture is smaller than the window.
    """
    r = int(size)
    if r <= 1:
        return picture
    height, width = picture.shape[1] - r + 1, picture.shape[2] - r + 1
    if min(height, width) < 1:
        raise TransformError(
            f"-median_filter {r}: the result has only {picture.shape[2]}x{picture.shape[1]} pixels; "
            "choose a smaller window or a larger -image_size or picture"
        )
    result = np.empty((len(picture), height, width), picture.dtype)
    of_window = _median_of_9 if r == 3 else _lower_median
    for top in range(0, height, _ROWS):
        rows = picture[:, top : min(top + _ROWS, height) + r - 1]
        result[:, top : top + _ROWS] = of_window(rows, r)
    return result


def _lower_median(rows: Picture, r: int) -> Picture:
    windows = np.lib.stride_tricks.sliding_window_view(rows, (r, r), axis=(1, 2))
    middle = (r * r - 1) // 2
    flat = windows.reshape(*windows.shape[:3], r * r)
    result: Picture = np.partition(flat, middle, axis=-1)[..., middle]
    return result


def _median_of_9(rows: Picture, r: int) -> Picture:
    """The median of 3 x 3 windows, four times as fast: sort columns of three, then combine three neighbours.

    It is the median of three values: the maximum of the columns' minima, the median of their medians and
    the minimum of their maxima.
    """
    low, middle, high = _sorted3(rows[:, :-2], rows[:, 1:-1], rows[:, 2:])
    lowest = np.maximum(np.maximum(low[..., :-2], low[..., 1:-1]), low[..., 2:])
    highest = np.minimum(np.minimum(high[..., :-2], high[..., 1:-1]), high[..., 2:])
    centre = _middle3(middle[..., :-2], middle[..., 1:-1], middle[..., 2:])
    return _middle3(lowest, centre, highest)


def _sorted3(a: Picture, b: Picture, c: Picture) -> tuple[Picture, Picture, Picture]:
    smaller, larger = np.minimum(a, b), np.maximum(a, b)
    low, rest = np.minimum(smaller, c), np.maximum(smaller, c)
    return low, np.minimum(rest, larger), np.maximum(larger, c)


def _middle3(a: Picture, b: Picture, c: Picture) -> Picture:
    return np.maximum(np.minimum(a, b), np.minimum(np.maximum(a, b), c))
