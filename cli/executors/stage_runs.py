"""One stage of a config at work: in this process, or in one of its own."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from multiprocessing import connection, resource_tracker
from pathlib import Path
from typing import TYPE_CHECKING

from cli.terminal.program import ending
from core.pictures.images import create_folder
from core.stages.config import Stage
from core.stages.files import makes_many_files, outputs

if TYPE_CHECKING:
    from core.events import Event

    Observe = Callable[[Event], None]


def run_stage(stage: Stage) -> int:
    """Run a stage as its program does, going on from a checkpoint of the same run; returns the exit status.

    Folders of outputs are created.
    """
    return ending(stage.program, lambda: work(stage))


def work(stage: Stage, observe: Observe = lambda event: None) -> int:
    """:func:`run_stage` without its ending. observe: is told every event of a run that has events.

    Raises: NeuralStyleError, CaffemodelError.
    """
    for path in outputs(stage.settings):
        create_folder(Path(path).parent)
    return RUNNERS[stage.program](stage, observe)


def _neural_style(stage: Stage, observe: Observe) -> int:
    from cli.neural_style import run_settings
    from cli.terminal.lua_flags import CommandLine

    return run_settings(stage.settings, CommandLine(), resume_if_possible=True, observe=observe)


def _fast_neural_style(stage: Stage, observe: Observe) -> int:
    from cli.fast_neural_style import run_settings

    return run_settings(stage.settings)  # which has no events


def _slow_neural_style(stage: Stage, observe: Observe) -> int:
    from cli.slow_neural_style import run_settings

    return run_settings(stage.settings)


def _train_fast_neural_style(stage: Stage, observe: Observe) -> int:
    from cli.train_fast_neural_style import prepared, run_settings

    return run_settings(prepared(stage.settings, stage.given), resume_if_possible=True)


RUNNERS: dict[str, Callable[[Stage, Observe], int]] = {
    "neural_style": _neural_style,
    "fast_neural_style": _fast_neural_style,
    "slow_neural_style": _slow_neural_style,
    "train_fast_neural_style": _train_fast_neural_style,
}


def log_file(stage: Stage) -> Path:
    """Where a stage that runs beside others writes what it prints."""
    target = Path(outputs(stage.settings)[0])
    return (
        target.with_name(f"{target.name}.log")
        if not makes_many_files(stage.settings)
        else Path(f"{stage.name}.log")
    )


def run_in_process(stage: Stage, threads: int) -> int:
    """Run a stage in a new process that prints into :func:`log_file`; returns the exit status.

    threads: for a stage that does not say how many itself.
    """
    if stage.settings.threads == 0:
        stage = stage.replace(threads=float(threads))
    create_folder(log_file(stage).parent)
    process = multiprocessing.get_context("spawn").Process(target=_logged, args=(stage,))
    resource_tracker.ensure_running()  # which would change the mask below
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # the child's too, while it begins
    process.start()
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    process.join()
    status = process.exitcode or 0  # minus the signal's number, where one ended it
    return status if status >= 0 else 128 - status


def _logged(stage: Stage) -> None:
    os.setpgrp()  # Ctrl-C comes from the parent, and so once
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with log_file(stage).open("w") as log, redirect_stdout(log), redirect_stderr(log):
        status = ending(stage.program, lambda: _interruptible(stage))
    sys.exit(status)


def _interruptible(stage: Stage) -> int:
    """Ctrl-C of before is heard here, at the earliest."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    return run_stage(stage)


def _end_with_parent() -> None:
    """Where the parent is killed outright, its stages end as if asked to, so that none works on unseen."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)
