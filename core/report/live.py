"""The state of a config's stages while they run: the run updates it, a server reads snapshots."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from core.events import Evaluation, Event
from core.settings.neural_style import Settings
from core.stages.config import Stage

RUNNING, STOPPING = "running", "stopping"
DONE, STOPPED, FAILED = "done", "stopped", "failed"
ENDED = (DONE, STOPPED, FAILED)
STOPPED_STATUSES = (130, 143)
WINDOW = 100  # evaluations over which the speed is measured


@dataclass(frozen=True)
class Snapshot:
    """The state of a :class:`Live` at one moment.

    message: the error message of the last failure.  stages: (name, state) of each stage.
    stage: the stage that started last.  number: its number from 1 on.  evaluation: its last evaluation.
    rows: the losses of each layer and the total, for each evaluation from ``first`` on.
    rate: evaluations per second, 0 if unknown.  finished: stages with results.
    """

    state: str
    message: str
    stages: tuple[tuple[str, str], ...]
    stage: Stage | None
    number: int
    evaluation: Evaluation | None
    first: int
    rows: tuple[tuple[float, ...], ...]
    rate: float
    finished: tuple[Stage, ...]

    @property
    def planned(self) -> int:
        """The planned evaluations of the stage; 0 for a program without evaluations."""
        settings = self.stage.settings if self.stage else None
        return math.ceil(settings.num_iterations) if isinstance(settings, Settings) else 0

    @property
    def moment(self) -> tuple[int, int]:
        """(stage, evaluation); differs for every new picture."""
        return self.number, self.evaluation.number if self.evaluation else 0


class Live:
    """Updated by the thread that runs the stages, read by other threads. clock: returns seconds."""

    def __init__(self, stages: Sequence[Stage], clock: Callable[[], float] = time.monotonic) -> None:
        self._stages, self._clock = tuple(stages), clock
        self._lock = threading.Lock()
        self._state, self._message = RUNNING, ""
        self._states = {stage.name: "waiting" for stage in stages}
        self._finished: list[Stage] = []
        self._stage: Stage | None = None
        self._evaluation: Evaluation | None = None
        self._first = 0
        self._rows: list[tuple[float, ...]] = []
        self._times: deque[float] = deque(maxlen=WINDOW)

    def begin(self, stage: Stage) -> None:
        """Note that a stage starts."""
        with self._lock:
            self._stage, self._evaluation, self._message = stage, None, ""
            self._states[stage.name] = RUNNING
            self._rows, self._first = [], 0
            self._times.clear()

    def observe(self, event: Event) -> None:
        """Note an event of the stage. Its picture is not copied."""
        if not isinstance(event, Evaluation):
            return
        with self._lock:
            self._evaluation = event
            self._first = self._first or event.number
            self._rows.append((*event.content_losses, *event.style_losses, event.total))
            self._times.append(self._clock())

    def fail(self, message: str) -> None:
        """Note the error message of a stage that fails."""
        with self._lock:
            self._message = message

    def finish(self, status: int) -> None:
        """Note that the stage ended with this exit status."""
        with self._lock:
            if self._stage is None:
                return
            self._states[self._stage.name] = _outcome(status)
            if status == 0 or (status in STOPPED_STATUSES and self._evaluation):
                self._finished.append(self._stage)

    def pass_over(self, stage: Stage, state: str, finished: bool) -> None:
        """Note that a stage is skipped. finished: whether its result exists."""
        with self._lock:
            self._states[stage.name] = state
            if finished:
                self._finished.append(stage)

    def end(self, status: int) -> None:
        """Note that the whole run ended with this exit status."""
        with self._lock:
            self._state = _outcome(status)

    def stop(self, interrupt: Callable[[], object]) -> bool:
        """Call ``interrupt`` if a stage runs and was not stopped before; returns whether it was called.

        It is called only once, because a second Ctrl-C would end a run that is saving its picture.
        """
        with self._lock:
            if self._state != RUNNING:
                return False
            self._state = STOPPING
            interrupt()
            return True

    def snapshot(self) -> Snapshot:
        """An unchanging copy of the current state."""
        with self._lock:
            return Snapshot(
                state=self._state,
                message=self._message,
                stages=tuple(self._states.items()),
                stage=self._stage,
                number=self._stages.index(self._stage) + 1 if self._stage else 0,
                evaluation=self._evaluation,
                first=self._first,
                rows=tuple(self._rows),
                rate=self._rate(),
                finished=tuple(self._finished),
            )

    def _rate(self) -> float:
        if len(self._times) < 2 or self._times[-1] <= self._times[0]:
            return 0
        return (len(self._times) - 1) / (self._times[-1] - self._times[0])


def _outcome(status: int) -> str:
    if status in STOPPED_STATUSES:
        return STOPPED
    return FAILED if status else DONE
