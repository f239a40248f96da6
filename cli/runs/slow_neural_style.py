"""Run ``slow_neural_style``: log on stdout, pictures on disk, progress and notices on stderr."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from cli.runs.log import fixed_point, is_due
from cli.runs.session import ADVICE, PictureSession
from cli.terminal.above_bar import notice_above_bar, print_above_bar
from cli.terminal.interruption import Interrupted, signals_raise
from cli.terminal.output import warnings_as_notices
from core.devices import Placement
from core.events import Evaluation, Event, SolverMessage
from core.records.provenance import Provenance
from core.settings.slow_neural_style import SlowSettings
from core.stages.files import numbered_at_first_dot
from core.training.slow import optimise, output_image
from core.training.slow_record import PROGRAM, run_identity

_notice = partial(notice_above_bar, program=PROGRAM)


def run(settings: SlowSettings, placement: Placement) -> int:
    """Optimise, print and save as the original does; returns the exit status.

    Unlike the original, it also writes -output_image: the last picture, or, when the loss is no longer finite
    or the run is interrupted, the last picture with a finite loss. Raises: NeuralStyleError, CaffemodelError.
    """
    session = Session(settings, Provenance(settings, placement, identity=run_identity))
    try:
        with signals_raise(), warnings_as_notices(_notice):
            session.follow(optimise(settings, placement))
    except Interrupted as interruption:
        session.keep_last(f"interrupted ({interruption})")
        return interruption.status
    finally:
        session.close()
    return 0


class Session(PictureSession):
    """Prints and saves the events of a run: log and pictures."""

    def __init__(self, settings: SlowSettings, provenance: Provenance) -> None:
        self._settings, self._provenance = settings, provenance
        total = int(settings.num_iterations)
        super().__init__(PROGRAM, settings.output_image, ADVICE["adam"], total=total)

    def follow(self, events: Iterable[Event]) -> None:
        """Consume all events. Each is printed before it is saved, as in the original."""
        for event in events:
            if isinstance(event, Evaluation):
                self._take(event)
            elif isinstance(event, SolverMessage):
                print_above_bar([f"<optim.lbfgs> \t{event.text}"])
        if self._last is not None:
            self._save(self._settings.output_image, self._last, complete=True)

    def _take(self, evaluation: Evaluation) -> None:
        self._check_finite(evaluation)
        self._last, settings, number = evaluation, self._settings, evaluation.number
        self._provenance.add(evaluation)
        self._bar.update(1)
        if is_due(number, settings.print_every):
            print_above_bar([f"Iteration {number}, loss = {fixed_point(evaluation.total)}"])
        if is_due(number, settings.save_every):
            self._save(numbered_at_first_dot(settings.output_image, number), evaluation)

    def _save(self, path: str, evaluation: Evaluation, **more: Any) -> None:
        self._provenance.save(path, output_image(self._settings, evaluation), evaluation, **more)
