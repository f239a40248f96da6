"""Which elements of a product OpenBLAS's Haswell kernel sums with two accumulators, and where it cuts.

A product here is C (rows x columns, rows side by side in memory) = A B with a depth. Measured on OpenBLAS
0.3.21 and 0.3.30, whose kernel takes eight rows and half a panel of twelve columns at a time; at the ends of
a block of rows its software pipeline runs with two accumulators.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

BLOCK, STEP, PANEL = 320, 8, 12

Indices = NDArray[np.int32]


class Part(NamedTuple):
    """Elements with two accumulators: all of these rows in all of these columns."""

    rows: Indices
    columns: Indices


def block_starts(total: int) -> list[int]:
    """Where the blocks of depth, or of rows, begin, and the end of the last."""
    starts = [0]
    while (left := total - starts[-1]) > 0:
        size = left
        if left >= 2 * BLOCK:
            size = BLOCK
        elif left > BLOCK:
            size = -(-(left // 2) // STEP) * STEP
        starts.append(starts[-1] + size)
    return starts


@lru_cache(64)
def paired_parts(rows: int, columns: int) -> tuple[Part, ...]:
    """All elements with two accumulators of a product of this shape, in up to three parts.

    The first two are the left and the right halves of panels, the third is behind the last panel.
    """
    whole, rest = columns // PANEL * PANEL, columns % PANEL
    column = np.arange(columns, dtype=np.int32)
    left = column[:whole] % PANEL < PANEL // 2
    starts = block_starts(rows)
    blocks = list(pairwise(starts))
    behind = blocks if rest < 8 else blocks[:1]
    steps = (range(start, end - STEP + 1, STEP) for start, end in behind)
    parts = [
        Part(_rows(_left_half(*block) for block in blocks), column[:whole][left]),
        Part(_rows(_right_half(*block) for block in blocks), column[:whole][~left]),
        Part(_rows(steps), column[whole:][: rest // 4 * 4]),
    ]
    return tuple(part for part in parts if part.rows.size and part.columns.size)


def paired_at_most(rows: int, columns: int) -> int:
    """No fewer than the elements of :func:`paired_parts`: two steps a block, in half of the columns."""
    blocks = -(-rows // BLOCK) + 1
    behind = columns % PANEL // 4 * 4 * (rows if columns % PANEL < 8 else min(rows, 2 * BLOCK))
    return 2 * STEP * blocks * (columns // PANEL * PANEL // 2) + behind


def _left_half(start: int, end: int) -> Iterator[int]:
    steps = (end - start) // STEP
    if steps >= 2:
        yield start
        if steps % 2 == 0:
            yield start + STEP * (steps - 1)


def _right_half(start: int, end: int) -> Iterator[int]:
    steps = (end - start) // STEP
    if steps >= 2 and steps % 2 == 1:
        yield start + STEP * (steps - 1)


def _rows(groups: Iterable[Iterable[int]]) -> Indices:
    """All rows of the steps of eight that begin at these rows."""
    first = np.array([start for group in groups for start in group], np.int32)
    return (first[:, None] + np.arange(STEP)).astype(np.int32).reshape(-1)
