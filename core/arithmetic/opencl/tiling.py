"""How a product is cut into work groups: chosen for each device, without effect on a bit."""

from __future__ import annotations

from typing import Any, NamedTuple

WORK_ITEMS = 128
FLOAT = 4


class Tiling(NamedTuple):
    """The macros of kernels/tile.cl.

    vector: floats in a vector of rows.  vectors, columns: what one work item computes.
    across, down: work items of a group along rows and columns.  depth: of the tiles in local memory.
    """

    vector: int
    vectors: int
    columns: int
    across: int
    down: int
    depth: int

    @property
    def height(self) -> int:
        """Rows of a group's tile."""
        return self.vector * self.vectors * self.across

    @property
    def width(self) -> int:
        """Columns of a group's tile."""
        return self.columns * self.down

    @property
    def local_bytes(self) -> int:
        """Local memory of a group, the backward kernel's positions included."""
        return FLOAT * (self.depth * (self.height + self.width) + self.height)

    def macros(self) -> list[str]:
        """Compiler options."""
        values = dict(zip(("V", "RV", "RN", "GX", "GY", "KT"), self, strict=True))
        return [f"-D{name}={value}" for name, value in values.items()]


def choose_tilings(device: Any, is_cpu: bool) -> tuple[Tiling, Tiling]:
    """For plain products, and for kernels that hold more than one value of every element.

    A GPU's work item computes 8 x 8 elements in registers from vectors of four; a CPU's group is one work
    item with vectors as wide as the processor's.
    """
    if is_cpu:
        vector = min(16, max(4, device.preferred_vector_width_float))
        columns = 12 if vector == 16 else 6
        return Tiling(vector, 2, columns, 1, 1, 128), Tiling(vector, 1, columns, 1, 1, 128)
    for across, down, depth in ((16, 8, 16), (8, 8, 16), (8, 4, 8)):
        plain = Tiling(4, 2, 8, across, down, depth)
        if across * down <= device.max_work_group_size and plain.local_bytes <= device.local_mem_size:
            break
    return plain, plain._replace(columns=4)
