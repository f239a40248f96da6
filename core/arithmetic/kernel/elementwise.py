"""Pooling, sums and element-wise work by the compiled functions; every array is checked before C sees it.

Raises, throughout: ValueError: an array of another type, layout or shape.
"""

from __future__ import annotations

import ctypes
from math import prod

import numpy as np
from numpy.typing import NDArray

from core.arithmetic.kernel.checks import check
from core.arithmetic.kernel.library import Functions, Windows, address
from core.arithmetic.operations import Window
from core.arithmetic.workers import Float32

NOWHERE = 255  # of source/pooling.h; windows have fewer taps
Range = tuple[int, int]


def max_pool(
    functions: Functions, x: Float32, window: Window, out: Float32, where: NDArray[np.uint8], channels: Range
) -> None:
    """Ceil-mode maxima ``out`` (C, H', W') of ``x`` (C, H, W), and the tap of each, for some channels."""
    described = _pooling(x, window, out, where, channels)
    check("out", out, out.shape, writeable=True)
    check("taps", where, out.shape, writeable=True, kind=np.uint8)
    functions.max_pool(ctypes.byref(described), address(x), address(out), address(where), *channels)


def max_pool_backward(
    functions: Functions,
    grad: Float32,
    where: NDArray[np.uint8],
    window: Window,
    out: Float32,
    channels: Range,
) -> None:
    """The gradient ``out`` (C, H, W) of :func:`max_pool`, for some channels."""
    described = _pooling(out, window, grad, where, channels)
    check("out", out, out.shape, writeable=True)
    functions.max_pool_backward(
        ctypes.byref(described), address(grad), address(where), address(out), *channels
    )


def _pooling(
    x: Float32, window: Window, pooled: Float32, where: NDArray[np.uint8], channels: Range
) -> Windows:
    check("picture", x, x.shape, dimensions=3)
    size = window.output_size(*x.shape[1:], ceil=True)
    check("pooled picture", pooled, (x.shape[0], *size))
    check("taps", where, pooled.shape, kind=np.uint8)
    if prod(window.kernel) >= NOWHERE:
        raise ValueError(f"a window of {prod(window.kernel)} taps is too large")
    if not 0 <= channels[0] <= channels[1] <= x.shape[0]:
        raise ValueError(f"channels {channels} are not in a picture of {x.shape[0]}")
    return Windows.of(window, x.shape, size)


def dot(functions: Functions, x: Float32, y: Float32) -> float:
    """The dot product of all elements, rounded to float32."""
    _check_pair(x, y)
    return functions.dot(x.size, address(x), address(y))


def axpy(functions: Functions, alpha: float, x: Float32, y: Float32) -> None:
    """``y += float32(alpha) x``."""
    _check_pair(x, y)
    functions.axpy(x.size, alpha, address(x), address(y))


def gate(functions: Functions, gates: Float32, x: Float32) -> None:
    """Zero ``x`` wherever ``gates`` <= 0; the two may be one array."""
    _check_pair(gates, x)
    functions.gate(x.size, address(gates), address(x))


def scaled_sum(functions: Functions, factor: float, x: Float32, y: Float32) -> None:
    """``x = float32(factor) x + y``, rounded twice."""
    _check_pair(y, x)
    functions.scaled_sum(x.size, factor, address(x), address(y))


def _check_pair(x: Float32, changed: Float32) -> None:
    check("array", x, x.shape)
    check("array", changed, x.shape, writeable=True)
