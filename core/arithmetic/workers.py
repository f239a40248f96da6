"""Threads that share one operation, their scratch memory, and how work is cut into pieces."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from mmap import mmap

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]


class Workers:
    """A fixed number of threads that run independent pieces of one operation.

    Args:
        threads: how many; 1 runs everything on the caller's thread.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._pool = ThreadPoolExecutor(threads - 1) if threads > 1 else None

    def run(self, pieces: Iterable[Callable[[], None]]) -> None:
        """Run all pieces and return when the last is done; the first error is raised."""
        queue = deque(pieces)

        def drain() -> None:
            while (piece := _next(queue)) is not None:
                try:
                    piece()
                except BaseException:
                    queue.clear()  # after an error or Ctrl-C nobody starts another piece
                    raise

        helpers = min(self.threads, len(queue)) - 1
        futures = [self._pool.submit(drain) for _ in range(helpers)] if self._pool else []
        drain()
        for future in futures:
            future.result()


def _next(queue: deque[Callable[[], None]]) -> Callable[[], None] | None:
    try:
        return queue.popleft()
    except IndexError:
        return None


_memory = threading.local()


def scratch(shape: tuple[int, ...]) -> Float32:
    """An uninitialised float32 array of the calling thread's own, overwritten by its next call.

    Fresh memory for every block would cost more in page faults than the copying into it. The buffer is
    mapped on its own, so that a smaller one leaves no hole in the heap when it is replaced.
    """
    size = math.prod(shape)
    buffer: Float32 | None = getattr(_memory, "buffer", None)
    if buffer is None or buffer.size < size:
        buffer = _memory.buffer = None
        buffer = _memory.buffer = np.frombuffer(mmap(-1, 4 * size), np.float32)
    return buffer[:size].reshape(shape)


def cut(size: int, pieces: int, multiple: int, last: int = 1) -> list[tuple[int, int]]:
    """Cut ``range(size)`` into up to ``pieces`` nearly equal parts at multiples of ``multiple``.

    The last part keeps at least ``last`` elements. Returns (start, end) pairs in ascending order.
    """
    step = max(multiple, -(-size // (pieces * multiple)) * multiple)
    starts = [start for start in range(0, size, step) if start == 0 or size - start >= last]
    return list(zip(starts, [*starts[1:], size], strict=True))
