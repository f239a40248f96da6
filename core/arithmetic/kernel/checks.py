"""What the compiled functions may be given: they read and write without looking."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.arithmetic.operations import Window
from core.arithmetic.workers import Float32


def output_size(x: Float32, window: Window) -> tuple[int, int]:
    """The size (H', W') of a convolution of ``x`` (C, H, W). Raises: ValueError: it would be nothing."""
    size = window.output_size(*x.shape[1:])
    if min(size) < 1 or min(window.stride) < 1 or min(window.padding) < 0:
        raise ValueError(f"a picture of {x.shape} is too small for {window}")
    return size


def check(
    name: str,
    array: NDArray[Any],
    shape: tuple[int, ...],
    *,
    writeable: bool = False,
    dimensions: int | None = None,
    kind: type = np.float32,
) -> None:
    """Raises ValueError unless the array has this type and shape, is C-contiguous and not empty."""
    flags = array.flags
    if array.dtype != kind or not (
        flags.c_contiguous and flags.aligned and (flags.writeable or not writeable)
    ):
        raise ValueError(f"{name}: a C-contiguous {np.dtype(kind)} array is needed, not {array.dtype}")
    if array.shape != shape or dimensions not in (None, array.ndim):
        raise ValueError(f"{name}: shape {array.shape} where {shape} is needed")
    if 0 in shape:
        raise ValueError(f"{name}: an array of shape {shape} is empty")
