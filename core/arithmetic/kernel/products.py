"""Products and convolutions by the compiled functions; every array is checked before C sees it.

Arrays are C-contiguous float32. A C-contiguous (p, q) array is, column-major, a q x p matrix: the products
below are written so. Raises, throughout: ValueError: an array of another type, layout or shape.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from math import ceil, prod

import numpy as np

from core.arithmetic.kernel.checks import check, output_size
from core.arithmetic.kernel.library import (
    MATRIX,
    TRANSPOSED,
    WINDOWS,
    Factor,
    Functions,
    Region,
    Result,
    Windows,
    address,
)
from core.arithmetic.operations import Window
from core.arithmetic.workers import Float32, scratch

PANEL, GROUP, DEPTH_AT_ONCE = 12, 8, 320  # of source/rules.h
BACKWARD_SCRATCH = 160 << 10  # floats: what a core keeps at hand
Range = tuple[int, int]


@dataclass(frozen=True)
class Packed:
    """The second factor of a product, ``depth`` x ``columns``, in ``panels`` (count, depth, 12)."""

    panels: Float32
    depth: int
    columns: int


@dataclass(frozen=True)
class Rows:
    """The first factor of a product, ``count`` x ``depth``, read from ``array`` while a product runs."""

    array: Float32
    count: int
    depth: int
    factor: Factor


def pack_columns(functions: Functions, matrix: Float32, *, by_columns: bool = False) -> Packed:
    """The rows of a (p, q) array as the columns of a factor; or its columns."""
    check("matrix", matrix, matrix.shape, dimensions=2)
    depth, columns = matrix.shape if by_columns else matrix.shape[::-1]
    panels = np.empty((ceil(columns / PANEL), depth, PANEL), np.float32)
    functions.pack_columns(int(by_columns), columns, depth, address(matrix), matrix.shape[1], address(panels))
    return Packed(panels, depth, columns)


def matrix_rows(matrix: Float32) -> Rows:
    """A (k, m) array as an m x k factor."""
    check("matrix", matrix, matrix.shape, dimensions=2)
    depth, count = matrix.shape
    return Rows(matrix, count, depth, Factor(MATRIX, address(matrix), count))


def transposed_rows(matrix: Float32) -> Rows:
    """An (m, k) array as an m x k factor."""
    check("matrix", matrix, matrix.shape, dimensions=2)
    count, depth = matrix.shape
    return Rows(matrix, count, depth, Factor(TRANSPOSED, address(matrix), depth))


def window_rows(x: Float32, window: Window) -> Rows:
    """The pixels of a picture (C, H, W) under every tap, one row for each output position."""
    check("picture", x, x.shape, dimensions=3)
    height, width = output_size(x, window)
    described = Windows.of(window, x.shape, (height, width))
    return Rows(
        x, height * width, x.shape[0] * prod(window.kernel), Factor(WINDOWS, address(x), 0, described)
    )


def multiply(
    functions: Functions,
    rows: Rows,
    packed: Packed,
    out: Float32,
    part: tuple[Range, Range] | None = None,
    *,
    bias: Float32 | None = None,
    keeps: bool = False,
) -> None:
    """``out = start + rows packed`` for out of (columns, rows), column-major as the factors.

    part: the rows (from a multiple of 8 on) and the panels of 12 columns to compute; None for all.
    bias: the start of every column; without it the start is what ``out`` holds if ``keeps``, or zero.
    """
    (row, row_end), (panel, panel_end) = part or ((0, rows.count), (0, len(packed.panels)))
    if rows.depth != packed.depth:
        raise ValueError(f"factors of depth {rows.depth} and {packed.depth} cannot be multiplied")
    check("out", out, (packed.columns, rows.count), writeable=True)
    if bias is not None:
        check("bias", bias, (packed.columns,))
    if not (0 <= row <= row_end <= rows.count and 0 <= panel <= panel_end <= len(packed.panels)):
        raise ValueError(f"rows {row} to {row_end}, panels {panel} to {panel_end} are not in the product")
    if row % GROUP:
        raise ValueError(f"a part begins at a multiple of {GROUP} rows, not at {row}")
    result = Result(address(out), rows.count, address(bias) if bias is not None else None, keeps)
    functions.product(
        ctypes.byref(rows.factor),
        address(packed.panels),
        ctypes.byref(result),
        ctypes.byref(Region(row, row_end, panel, panel_end)),
        rows.count,
        packed.columns,
        rows.depth,
        address(scratch((functions.scratch_rows * DEPTH_AT_ONCE,))),
    )


def gram(functions: Functions, features: Float32, out: Float32, panels: Range) -> None:
    """``out = features features^T`` (C, C) for (C, positions): panels of 12 columns of it."""
    check("features", features, features.shape, dimensions=2)
    channels, positions = features.shape
    check("out", out, (channels, channels), writeable=True)
    if not 0 <= panels[0] <= panels[1] <= ceil(channels / PANEL):
        raise ValueError(f"panels {panels} are not in a matrix of {channels} columns")
    wide = functions.scratch_rows + PANEL * (panels[1] - panels[0])
    functions.gram(
        address(features),
        channels,
        positions,
        address(out),
        *panels,
        address(scratch((wide * DEPTH_AT_ONCE,))),
    )


def convolve_backward(
    functions: Functions,
    grad: Float32,
    packed: Packed,
    window: Window,
    out: Float32,
    channels: Range,
    rows: Range,
) -> None:
    """The gradient ``out`` (nIn, H, W), from ``grad`` (nOut, H', W') and weights packed by columns.

    channels, rows: the part of ``out`` to compute; 12 divides the columns before its first channel.
    """
    check("out", out, out.shape, writeable=True, dimensions=3)
    taps = prod(window.kernel)
    size = output_size(out, window)
    check("gradient", grad, (packed.depth, *size))
    if packed.columns != out.shape[0] * taps:
        raise ValueError(f"weights of {packed.columns} columns do not fit {out.shape[0]} channels")
    (channel, channel_end), (top, bottom) = channels, rows
    if not (0 <= channel <= channel_end <= out.shape[0] and 0 <= top <= bottom <= out.shape[1]):
        raise ValueError(f"channels {channels} and rows {rows} are not in a picture of {out.shape}")
    if channel * taps % PANEL:
        raise ValueError(f"a part cannot begin at channel {channel}: {channel * taps} columns lie before it")
    tile = functions.tile_rows
    at_once = min(functions.rows_at_once, max(1, BACKWARD_SCRATCH // packed.depth // tile) * tile)
    functions.convolve_backward(
        ctypes.byref(Windows.of(window, out.shape, size)),
        address(grad),
        packed.depth,
        address(packed.panels),
        address(out),
        channel,
        channel_end,
        top,
        bottom,
        at_once,
        address(scratch((functions.scratch_rows * packed.depth,))),
    )
