"""Runs work ahead of time in several threads and returns the results in order."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Executor, Future
from typing import Protocol, TypeVar

from core.training.data.batches import Batch

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(
    pool: Executor, work: Callable[[Item], Result], items: Iterable[Item], depth: int
) -> Generator[Result, None, None]:
    """Yield ``work(item)`` for each item, in the order of the items; at most ``depth`` results wait.

    An exception of ``work`` is raised to the caller in place of the result. Closing the generator cancels all
    work that has not started.
    """
    running: deque[Future[Result]] = deque()
    try:
        for item in items:
            running.append(pool.submit(work, item))
            if len(running) >= depth:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()
    finally:
        for future in running:
            future.cancel()


class Source(Protocol):
    """Pictures by index; ``read`` is called from several threads at once."""

    def __len__(self) -> int: ...

    def read(self, first: int, end: int) -> Batch:
        """The pictures from ``first`` to ``end`` - 1. Raises: DatasetError."""
        ...


class ReadAhead:
    """Endless batches of a source, pass after pass; the last batch of a pass may be smaller.

    size: number of pictures in a pass.  seconds_waited: seconds that callers of ``next`` have waited.
    """

    def __init__(self, source: Source, size: int, batch_size: int, pool: Executor, depth: int) -> None:
        self._source, self._size, self._batch_size = source, size, batch_size
        self._pool, self._depth = pool, depth
        self.seconds_waited = 0.0
        self._batches = self._from(0)

    def next(self) -> Batch:
        """The next batch. Raises: DatasetError."""
        started = time.perf_counter()
        try:
            return next(self._batches)
        finally:
            self.seconds_waited += time.perf_counter() - started

    def seek(self, batch: int) -> None:
        """Go to the position after ``batch`` batches."""
        self.close()
        self._batches = self._from(batch)

    def close(self) -> None:
        """Stop reading ahead."""
        self._batches.close()

    def _from(self, batch: int) -> Generator[Batch, None, None]:
        return in_order(self._pool, self._read, self._firsts(batch), self._depth)

    def _firsts(self, batch: int) -> Iterator[int]:
        firsts = range(0, self._size, self._batch_size)
        start = batch % len(firsts)
        while True:
            yield from firsts[start:]
            start = 0

    def _read(self, first: int) -> Batch:
        return self._source.read(first, min(first + self._batch_size, self._size))
