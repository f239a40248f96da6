"""Matrix products on an engine, each element rounded as OpenBLAS's Haswell kernel rounds it.

A product is C (rows x columns) = start + A B; in memory the rows of C lie side by side. Most elements are
computed by one kernel; those with two accumulators are then computed again by another and put in their place.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np

from core.arithmetic.opencl.engine import DeviceArray, Engine
from core.arithmetic.opencl.paired import block_starts, paired_parts

FROM_ZERO, FROM_COLUMN, FROM_MATRIX, BLOCK_ONLY = range(4)  # as in kernels/product.cl
BLOCKS_BYTES = 64 << 20  # memory for blocks of depth that are computed side by side


class Left(NamedTuple):
    """A: ``mode`` is 'WINDOWS', 'ROWS' or 'DEPTH', see kernels/product.cl; the rest are its distances."""

    array: DeviceArray
    mode: str
    row: int = 0
    depth: int = 0
    taps: Any = None
    width: int = 1
    step_y: int = 0
    step_x: int = 0


class Right(NamedTuple):
    """B: distances in memory along its depth and between its columns."""

    array: DeviceArray
    depth: int
    column: int


class Shape(NamedTuple):
    """Of a product."""

    rows: int
    columns: int
    depth: int


class Start(NamedTuple):
    """What C is before: zero, a value for each column, or a matrix."""

    kind: int = FROM_ZERO
    array: DeviceArray | None = None


def multiply(
    engine: Engine, left: Left, right: Right, shape: Shape, out: DeviceArray, start: Start | None = None
) -> None:
    """Fill ``out`` with start + A B. ``out`` must not be the start."""
    start = start or Start()
    blocks, rows, columns = len(block_starts(shape.depth)) - 1, shape.rows, shape.columns
    tiling = engine.plain_tiling
    tiles = -(-rows // tiling.height) * -(-columns // tiling.width)
    if blocks > 1 and tiles < 4 * engine.device.max_compute_units:
        _side_by_side(engine, left, right, shape, out, start)
        return
    _queue(engine, left, right, shape, None, out.buffer, start, (0, blocks))
    for part in parts_on(engine, rows, columns):
        _queue(engine, left, right, shape, part, out.buffer, start, (0, blocks))


def _side_by_side(
    engine: Engine, left: Left, right: Right, shape: Shape, out: DeviceArray, start: Start
) -> None:
    """Few elements, long sums: blocks of depth at the same time, then added in their order."""
    blocks, elements = len(block_starts(shape.depth)) - 1, shape.rows * shape.columns
    at_once = min(blocks, max(1, BLOCKS_BYTES // (4 * elements)))
    partial = engine.buffer(at_once * elements)
    for first in range(0, blocks, at_once):
        last = min(first + at_once, blocks)
        for part in (None, *parts_on(engine, shape.rows, shape.columns)):
            _queue(engine, left, right, shape, part, partial, Start(BLOCK_ONLY), (first, last))
        before = Start(FROM_MATRIX, out) if first else start
        arguments = (last - first, shape.rows, elements, before.kind)
        name, group = "add_blocks", 64
        kernel = engine.kernel(name, "tile", "product", macros=_macros(engine, left.mode, paired=False))
        groups = (-(-elements // group),)
        engine.run(kernel, groups, (group,), partial, before.array, out, *arguments)


class PartOnDevice(NamedTuple):
    """Lists of a :class:`Part` as tables, and their lengths."""

    rows: Any
    columns: Any
    height: int
    width: int
    compact: bool = False


def parts_on(engine: Engine, rows: int, columns: int) -> list[PartOnDevice]:
    """The parts with two accumulators of a product's shape."""
    return [
        PartOnDevice(
            engine.table(("rows", rows, columns, number), partial(getattr, part, "rows")),
            engine.table(("columns", rows, columns, number), partial(getattr, part, "columns")),
            part.rows.size,
            part.columns.size,
        )
        for number, part in enumerate(paired_parts(rows, columns))
    ]


def multiply_part(
    engine: Engine, left: Left, right: Right, depth: int, part: PartOnDevice, out: Any, offset: int
) -> None:
    """The elements of one part alone, from zero, numbered as its lists are, behind ``offset`` in ``out``.

    The part's columns are places in B.
    """
    shape = Shape(part.height, part.width, depth)
    blocks = len(block_starts(depth)) - 1
    _queue(engine, left, right, shape, part._replace(compact=True), out, Start(), (0, blocks), offset)


def cuts_on(engine: Engine, depth: int) -> Any:
    """The table of the blocks of depth."""
    return engine.table(("cuts", depth), lambda: np.array(block_starts(depth), np.int32))


def _macros(engine: Engine, mode: str, paired: bool) -> tuple[str, ...]:
    tiling = engine.double_tiling if paired else engine.plain_tiling
    return (f"-D{mode}", *(("-DPAIRED",) if paired else ()), *tiling.macros())


def _queue(
    engine: Engine,
    left: Left,
    right: Right,
    shape: Shape,
    part: PartOnDevice | None,
    out: Any,
    start: Start,
    blocks: tuple[int, int],
    offset: int = 0,
) -> None:
    tiling = engine.double_tiling if part else engine.plain_tiling
    height, width = (part.height, part.width) if part else (shape.rows, shape.columns)
    compact = bool(part and part.compact)
    first, last = blocks
    side_by_side = start.kind == BLOCK_ONLY
    groups = (-(-height // tiling.height), -(-width // tiling.width), last - first if side_by_side else 1)
    engine.run(
        engine.kernel("product", "tile", "product", macros=_macros(engine, left.mode, part is not None)),
        groups, (tiling.across, tiling.down, 1),
        left.array, right.array, start.array, out, cuts_on(engine, shape.depth), left.taps,
        part.rows if part else None, part.columns if part else None, first, last, height, width,
        left.row, left.depth, left.width, left.step_y, left.step_x, right.depth, right.column,
        height if compact else shape.rows, start.kind, int(compact),
        np.uint64(shape.rows * shape.columns if side_by_side else 0), np.uint64(offset),
    )  # fmt: skip
