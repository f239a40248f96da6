"""Run the stages of a config in the order of their dependencies, one by one or several at once."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager

from core.stages.config import Stage
from core.stages.graph import Dependencies
from core.stages.staleness import why_stale

Execute = Callable[[Stage], int]
Tell = Callable[[str, list[str]], None]
Stop = Callable[[int], None]
STOPPED = (130, 143)
SKIPPED = 1


class Schedule:
    """Runs stages and keeps their exit statuses.

    tell: called with a sentence about a stage, and the reasons for running it.
    """

    def __init__(self, stages: Sequence[Stage], needed: Dependencies, tell: Tell) -> None:
        self._stages, self._needed, self._tell = stages, needed, tell
        self._statuses: dict[str, int] = {}
        self._stopped = 0

    @property
    def status(self) -> int:
        """128 plus the signal that stopped the schedule; otherwise the first exit status that is not 0."""
        return self._stopped or next(filter(None, self._statuses.values()), 0)

    def run_in_turn(self, execute: Execute) -> int:
        """One stage after the other; returns the exit status."""
        for stage in self._stages:
            if not self._is_settled(stage):
                self._finish(stage, execute(stage))
            if self.status in STOPPED:
                break
        return self.status

    def run_at_once(self, execute: Execute, jobs: int, stop: Stop) -> int:
        """Run up to ``jobs`` stages at a time; returns the exit status.

        Stages that depend on a failed one are skipped.  stop: called with the signal that ends the schedule;
        it must end the running stages.
        """
        waiting = list(self._stages)
        running: dict[Future[int], Stage] = {}

        def stop_all(number: int) -> None:
            self._stopped = 128 + number
            stop(number)

        with ThreadPoolExecutor(jobs) as pool, _signals_go_to(stop_all):
            while waiting or running:
                if self.status in STOPPED:
                    waiting.clear()
                for stage in [stage for stage in waiting if self._is_ready(stage)]:
                    if len(running) == jobs:
                        break
                    waiting.remove(stage)
                    if not self._is_settled(stage):
                        running[pool.submit(execute, stage)] = stage
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    self._finish(running.pop(future), future.result())
        return self.status

    def _is_ready(self, stage: Stage) -> bool:
        return all(name in self._statuses for name in self._needed[stage.name])

    def _is_settled(self, stage: Stage) -> bool:
        """Whether the stage need not run: it is up to date, or a stage that it depends on failed."""
        failed = [name for name in self._needed[stage.name] if self._statuses[name]]
        if failed:
            self._statuses[stage.name] = SKIPPED
            self._tell(f"{stage.name}: skipped, {failed[0]} failed", [])
            return True
        reasons = why_stale(stage)
        if not reasons:
            self._statuses[stage.name] = 0
            self._tell(f"{stage.name}: up to date", [])
            return True
        self._tell(f"{stage.name}: running", reasons)
        return False

    def _finish(self, stage: Stage, status: int) -> None:
        self._statuses[stage.name] = status
        self._tell(f"{stage.name}: {'done' if status == 0 else f'ended with status {status}'}", [])


def planned(stages: Sequence[Stage], needed: Dependencies) -> Iterator[tuple[Stage, list[str]]]:
    """Every stage with the reasons why it would run; no reasons if it is up to date."""
    would_run: set[str] = set()
    for stage in stages:
        before = [name for name in needed[stage.name] if name in would_run]
        reasons = [f"{name} would run" for name in before] or why_stale(stage)
        if reasons:
            would_run.add(stage.name)
        yield stage, reasons


def stop_children(number: int) -> None:
    """Send a signal to all running stages. Each is in a process group of its own."""
    for child in multiprocessing.active_children():
        if child.pid is not None:
            os.kill(child.pid, number)


@contextmanager
def _signals_go_to(stop: Stop) -> Iterator[None]:
    previous = {
        number: signal.signal(number, lambda number, frame: stop(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
