"""Memory that the kernels need beside feature maps, from shapes alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from core.arithmetic.opencl.paired import paired_at_most
from core.arithmetic.opencl.products import BLOCKS_BYTES

FLOAT = 4
TABLES = 13  # bytes for each position: its rows in three parts, and whether it is in any


class ConvolutionShape(NamedTuple):
    """columns: nIn kh kw."""

    positions: int
    columns: int


def workspace_bytes(convolutions: Iterable[ConvolutionShape], largest_style_map: int) -> int:
    """Bytes at the most.

    Elements with two accumulators of one layer, or the first half of the style gradient, which is as large
    as the feature map (elements); blocks of depth side by side; tables for every size of a layer.
    """
    paired, positions = 0, set()
    for shape in convolutions:
        paired = max(paired, paired_at_most(*shape))
        positions.add(shape.positions)
    return FLOAT * max(paired, largest_style_map) + BLOCKS_BYTES + TABLES * sum(positions)
