"""End a training with a checkpoint on Ctrl-C and SIGTERM."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


class Stop:
    """Whether a signal arrived. status: the exit status for it; 0 without a signal."""

    status = 0

    def asked(self) -> bool:
        """Whether a signal arrived; the ``should_stop`` of :func:`core.training.training.train`."""
        return self.status != 0


@contextmanager
def stop_on_signals(say: Callable[[str], None]) -> Iterator[Stop]:
    """Ctrl-C and SIGTERM end the training after its iteration; a second one ends it at once."""
    stop = Stop()

    def handle(number: int, frame: FrameType | None) -> None:
        if stop.status:
            raise KeyboardInterrupt
        stop.status = 128 + number
        say("stopping after this iteration, with a checkpoint; a second Ctrl-C stops at once")

    previous = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
