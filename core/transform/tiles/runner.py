"""Runs a network tile by tile: bounded memory for pictures of any size, with the same result.

Each tile is computed from all the input pixels it depends on, so there are no seams and nothing is blended.
Instance normalisation needs mean and variance of the whole picture. They are computed first, one norm after
the other, by running all layers before the norm on all tiles. Time grows with the number of norms. Memory
holds one tile, the picture and the result.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.arithmetic.allocation import return_freed_memory
from core.errors import TransformError
from core.transform.onnx.session import SHORT, SessionSettings, first_line, open_session
from core.transform.onnx.walk import attributes, opset_of
from core.transform.pixels import NetworkFormat
from core.transform.runners import Batch
from core.transform.tiles.graph import LayeredGraph, Pieces
from core.transform.tiles.windows import Window, extents, plan_axis

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

OLDEST_OPSET = 13
SESSIONS = 16  # sessions kept: one for each kind of tile, such as corner, edge or inner tile
Sizes = tuple[dict[str, int], dict[str, int]]
Statistics = dict[str, NDArray[np.float32]]


class TiledRunner:
    """Runs a network with ONNX Runtime in tiles of about ``tile`` x ``tile`` pixels of the result.

    progress: called with the number of tiles done and of all tiles, including those run for statistics.
    """

    def __init__(
        self, model: ModelProto, network_format: NetworkFormat, settings: SessionSettings, tile: int
    ) -> None:
        """Raises: TransformError: the network cannot be cut into tiles."""
        if network_format.size is not None or opset_of(model) < OLDEST_OPSET:
            raise TransformError(
                "-tile: the model is old or has a fixed size; convert it with 'nstyle convert' first"
            )
        if network_format.dtype != "float32" or network_format.layout != "nchw":
            raise TransformError("-tile: only networks with float32 pictures in NCHW layout can be tiled")
        self.format = network_format
        self._graph = LayeredGraph(model)
        self._settings = settings
        self._tile = tile
        self._step = max(network_format.multiple, 1)
        self._done = self._total = 0
        self._sessions: OrderedDict[Any, Any] = OrderedDict()
        self.progress: Callable[[int, int], object] = lambda done, total: None
        opened = open_session(model.SerializeToString(), settings)
        name = SHORT.get(opened.provider, opened.provider)
        self.description = f"ONNX Runtime {opened.version}, {name}, in tiles of {tile} pixels"

    def run(self, batch: Batch) -> Batch:
        """float32 (N, 3, H, W) to (N, 3, H', W'). Raises: TransformError."""
        return np.concatenate([self._picture(picture[None]) for picture in batch])

    def _picture(self, picture: Batch) -> Batch:
        sizes = self._sizes(picture)
        self._done, self._total = 0, self._count(sizes)
        statistics: Statistics = {}
        for norm in self._graph.norms:
            statistics |= self._measured(norm, picture, sizes, statistics)
        result = np.empty((1, 3, *(axis[self._graph.result] for axis in sizes)), np.float32)
        for rows, columns, values in self._tiles(self._graph.result, picture, sizes, statistics):
            result[:, :, slice(*rows), slice(*columns)] = values
        return result

    def _count(self, sizes: Sizes) -> int:
        """The number of tiles run for all norms and for the result."""
        targets = [*(norm.input[0] for norm in self._graph.norms), self._graph.result]
        return sum(
            math.prod(len(self._windows(axis[target], axis[self._graph.result])) for axis in sizes)
            for target in targets
        )

    def _sizes(self, picture: Batch) -> Sizes:
        rows, columns = (
            extents(steps, self._graph.source, size)
            for steps, size in zip(self._graph.axes, picture.shape[2:], strict=True)
        )
        return rows, columns

    def _measured(self, norm: NodeProto, picture: Batch, sizes: Sizes, known: Statistics) -> Statistics:
        """Mean and factor of one norm over the whole picture, computed in double precision."""
        moments = Moments()
        for _, _, values in self._tiles(norm.input[0], picture, sizes, known):
            moments.add(values[0])
        epsilon = attributes(norm).get("epsilon", 1e-5)
        factor = self._graph.known[norm.input[1]] / np.sqrt(moments.variance + epsilon)
        return {
            f"{norm.output[0]}/{name}": array.astype(np.float32).reshape(1, -1, 1, 1)
            for name, array in (("mean", moments.mean), ("factor", factor))
        }

    def _tiles(
        self, target: str, picture: Batch, sizes: Sizes, statistics: Statistics
    ) -> Iterator[tuple[Window, Window, Batch]]:
        """Compute all tiles of the tensor ``target``; yields rows, columns and values (1, C, h, w)."""
        plans = [
            [
                (window, *plan_axis(steps, size, self._graph.source, target, window))
                for window in self._windows(size[target], size[self._graph.result])
            ]
            for steps, size in zip(self._graph.axes, sizes, strict=True)
        ]
        for rows, part_down, pieces_down in plans[0]:
            for columns, part_across, pieces_across in plans[1]:
                part = picture[:, :, slice(*part_down), slice(*part_across)]
                session = self._session(target, (pieces_down, pieces_across), tuple(statistics))
                yield rows, columns, _run(session, self._graph.source, part, statistics)
                self._done += 1
                self.progress(self._done, self._total)
                return_freed_memory()  # tiles of different sizes fragment the heap

    def _windows(self, size: int, result_size: int) -> list[Window]:
        """Windows of a tensor along one axis, each as long as a tile is in this tensor.

        Lengths are multiples of the stride, so that few kinds of tiles occur.
        """
        length = max(self._tile * size // result_size // self._step, 1) * self._step
        return [(first, min(first + length, size)) for first in range(0, size, length)]

    def _session(self, target: str, plans: tuple[Pieces, Pieces], frozen: tuple[str, ...]) -> Any:
        key = (target, plans)
        if key not in self._sessions:
            model = self._graph.part(target, plans, [name.rpartition("/")[0] for name in frozen])
            self._sessions[key] = open_session(model, self._settings).session
            if len(self._sessions) > SESSIONS:
                self._sessions.popitem(last=False)
        self._sessions.move_to_end(key)
        return self._sessions[key]


def _run(session: Any, source: str, part: Batch, statistics: Statistics) -> Batch:
    wanted = {item.name for item in session.get_inputs()}
    feeds = {name: values for name, values in statistics.items() if name in wanted}
    try:
        result: Batch = session.run(None, {source: np.ascontiguousarray(part), **feeds})[0]
    except Exception as error:  # ONNX Runtime's exceptions share no more specific base class
        raise TransformError(f"the network cannot run on this tile: {first_line(error)}") from None
    return result


class Moments:
    """Mean and variance per channel, updated part by part (Chan, Golub and LeVeque 1979)."""

    def __init__(self) -> None:
        self.count = 0
        self.mean: NDArray[np.float64] = np.zeros(1)
        self._squares: NDArray[np.float64] = np.zeros(1)

    @property
    def variance(self) -> NDArray[np.float64]:
        """The biased variance, float64 (C,), as normalisation uses it."""
        return self._squares / self.count

    def add(self, values: NDArray[np.float32]) -> None:
        """Add the values of one more part, (C, h, w)."""
        flat = values.reshape(len(values), -1)
        count, mean = flat.shape[1], flat.mean(1, dtype=np.float64)
        squares = np.square(flat - mean[:, None]).sum(1)
        total = self.count + count
        distance = mean - self.mean
        self._squares = self._squares + squares + distance**2 * (self.count * count / total)
        self.mean = self.mean + distance * (count / total)
        self.count = total
