"""Torch7's random numbers: uniform and normal numbers from a Mersenne Twister.

Matches THRandom.c (torch7 814ea4a): one 32-bit draw per uniform number, normal numbers in pairs.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class RandomState:
    """The state of a generator.

    key: uint32 (624,), the words of the Mersenne Twister.  position: in key, 0 to 624.
    cached: the second normal number of a pair, if it has not been used yet.
    """

    key: NDArray[np.uint32]
    position: int
    cached: float | None


class Torch7Random:
    """A random generator of Torch7.

    Args:
        seed: as for ``torch.manualSeed``: truncated to an integer, then taken modulo 2^32. None takes a seed
            from the operating system, as Torch7 does at its start.
        state: a state to continue from, instead of a seed.
    """

    def __init__(self, seed: float | None = None, state: RandomState | None = None) -> None:
        self._draws = np.random.MT19937()
        if state is not None:
            self.restore(state)
            return
        self.seed(int.from_bytes(os.urandom(4), "little") if seed is None else seed)

    def seed(self, seed: float) -> None:
        """Restart the generator with a seed. A cached normal number is dropped."""
        self._draws._legacy_seeding(math.trunc(seed) % 2**32)
        self._cached: float | None = None

    def state(self) -> RandomState:
        """The current state, for :meth:`restore`."""
        twister = self._draws.state["state"]
        return RandomState(np.array(twister["key"], np.uint32), int(twister["pos"]), self._cached)

    def restore(self, state: RandomState) -> None:
        """Continue from ``state``."""
        self._draws.state = {
            "bit_generator": "MT19937",
            "state": {"key": state.key, "pos": state.position},
        }
        self._cached = state.cached

    def uniform(self, count: int) -> NDArray[np.float64]:
        """``count`` numbers in [0, 1), each from one 32-bit draw."""
        return np.asarray(self._draws.random_raw(count) * 2.0**-32, np.float64)

    def bernoulli(self, probability: float, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """float32 ones with the given probability, else zeros, drawn in memory order."""
        draws = self.uniform(math.prod(shape)) <= probability
        return draws.astype(np.float32).reshape(shape)

    def normal(self, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Standard normal numbers, drawn in memory order.

        Box-Muller: the first draw of a pair gives the angle, the second the radius. The cosine comes first.
        If the count is odd, the sine is kept for the next call.
        """
        count = math.prod(shape)
        waiting = [] if self._cached is None or count == 0 else [self._cached]
        pairs = -(-(count - len(waiting)) // 2)
        draws = self.uniform(2 * pairs).reshape(pairs, 2)
        angle, radius = 2 * math.pi * draws[:, 0], np.sqrt(-2 * np.log(1 - draws[:, 1]))
        numbers = np.empty((pairs, 2))
        numbers[:, 0], numbers[:, 1] = radius * np.cos(angle), radius * np.sin(angle)
        stream = np.concatenate([waiting, numbers.ravel()])
        if count:
            self._cached = float(stream[count]) if len(stream) > count else None
        return stream[:count].reshape(shape)
