"""Run one stage of a config, in this process or in a new one."""

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
    """Run a stage as its program does and print its error, if any; returns the exit status.

    Continues from a checkpoint of the same run. Creates the folders of the outputs.
    """
    return ending(stage.program, lambda: work(stage))


def work(stage: Stage, observe: Observe = lambda event: None) -> int:
    """:func:`run_stage`, but errors are raised. observe: called with every event of neural_style.

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

    return run_settings(stage.settings)  # has no events


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
    """The file for the printed lines of a stage that runs beside others."""
    target = Path(outputs(stage.settings)[0])
    return (
        target.with_name(f"{target.name}.log")
        if not makes_many_files(stage.settings)
        else Path(f"{stage.name}.log")
    )


def run_in_process(stage: Stage, threads: int) -> int:
    """Run a stage in a new process that prints into :func:`log_file`; returns the exit status.

    threads: the number of CPU threads, for a stage that does not set it.
    """
    if stage.settings.threads == 0:
        stage = stage.replace(threads=float(threads))
    create_folder(log_file(stage).parent)
    process = multiprocessing.get_context("spawn").Process(target=_logged, args=(stage,))
    resource_tracker.ensure_running()  # now, since starting it would change the mask below
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # inherited by the child
    process.start()
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    process.join()
    status = process.exitcode or 0  # negative signal number if a signal ended the child
    return status if status >= 0 else 128 - status


def _logged(stage: Stage) -> None:
    os.setpgrp()  # the parent forwards Ctrl-C; without this it would arrive twice
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with log_file(stage).open("w") as log, redirect_stdout(log), redirect_stderr(log):
        status = ending(stage.program, lambda: _interruptible(stage))
    sys.exit(status)


def _interruptible(stage: Stage) -> int:
    """Run the stage with Ctrl-C unblocked; one that arrived earlier interrupts here."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    return run_stage(stage)


def _end_with_parent() -> None:
    """Terminate this stage when the parent process ends, for example by SIGKILL."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)
