"""What is known about the stages of a config while they run: the run tells it, a server reads snapshots."""

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
    """One moment of a :class:`Live`.

    message: of the last failure.  stages: name and state of each.  stage: the last that began, the
    ``number``-th.  evaluation: its last one; ``rows`` hold the losses of each layer and the total since
    evaluation ``first``.  rate: evaluations a second, 0 where it is not known.
    finished: stages with results.
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
        """Evaluations of the stage; 0 for a program that has none."""
        settings = self.stage.settings if self.stage else None
        return math.ceil(settings.num_iterations) if isinstance(settings, Settings) else 0

    @property
    def moment(self) -> tuple[int, int]:
        """Stage and evaluation: another picture has another one."""
        return self.number, self.evaluation.number if self.evaluation else 0


class Live:
    """Told by the thread that runs the stages, read by others. clock: of seconds."""

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
        """A stage is about to run."""
        with self._lock:
            self._stage, self._evaluation, self._message = stage, None, ""
            self._states[stage.name] = RUNNING
            self._rows, self._first = [], 0
            self._times.clear()

    def observe(self, event: Event) -> None:
        """An event of the stage; its picture is kept, not copied."""
        if not isinstance(event, Evaluation):
            return
        with self._lock:
            self._evaluation = event
            self._first = self._first or event.number
            self._rows.append((*event.content_losses, *event.style_losses, event.total))
            self._times.append(self._clock())

    def fail(self, message: str) -> None:
        """Why the stage is about to end."""
        with self._lock:
            self._message = message

    def finish(self, status: int) -> None:
        """The stage ended with this exit status."""
        with self._lock:
            if self._stage is None:
                return
            self._states[self._stage.name] = _outcome(status)
            if status == 0 or (status in STOPPED_STATUSES and self._evaluation):
                self._finished.append(self._stage)

    def pass_over(self, stage: Stage, state: str, finished: bool) -> None:
        """A stage does not run. finished: because its result is there."""
        with self._lock:
            self._states[stage.name] = state
            if finished:
                self._finished.append(stage)

    def end(self, status: int) -> None:
        """Nothing runs any more."""
        with self._lock:
            self._state = _outcome(status)

    def stop(self, interrupt: Callable[[], object]) -> bool:
        """Call ``interrupt`` if something runs and was not stopped before.

        Only once: a second Ctrl-C would end a run that is saving its picture.
        """
        with self._lock:
            if self._state != RUNNING:
                return False
            self._state = STOPPING
            interrupt()
            return True

    def snapshot(self) -> Snapshot:
        """What is known now, which no longer changes."""
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
