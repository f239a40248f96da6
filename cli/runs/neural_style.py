"""Run ``neural_style``: log on stdout, pictures on disk, progress and notices on stderr."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from cli.runs.files import Trace
from cli.runs.log import is_due, log_lines
from cli.runs.loss_plot import plot_losses
from cli.runs.session import ADVICE, PictureSession
from cli.terminal.above_bar import notice_above_bar, print_above_bar
from cli.terminal.interruption import Interrupted, signals_raise
from cli.terminal.output import warnings_as_notices
from core.devices import Placement
from core.errors import CheckpointError
from core.events import CheckpointDue, Evaluation, Event
from core.pictures.images import save_image
from core.records.checkpoint import Checkpoint, checkpoint_file
from core.records.provenance import Provenance
from core.settings.neural_style import Settings
from core.stages.files import numbered
from core.stylization import output_image, stylize

PROGRAM = "neural_style"


def run(
    settings: Settings,
    placement: Placement,
    trace_file: str = "",
    plot_file: str = "",
    resumed: Checkpoint | None = None,
    observe: Callable[[Event], None] = lambda event: None,
) -> int:
    """Stylise, print and save as the original does; returns the exit status.

    resumed: the checkpoint to continue from.  observe: called with every event after it is printed and saved.

    When the loss is no longer finite, and when interrupted, the last picture with a finite loss is saved.
    Raises: NeuralStyleError, CaffemodelError.
    """
    provenance = Provenance(settings, placement, resumed)
    session = Session(settings, trace_file, plot_file, provenance=provenance, resumed=resumed)
    try:
        with signals_raise(), warnings_as_notices(notice_above_bar):
            session.follow(stylize(settings, placement, resumed.due if resumed else None), observe)
    except Interrupted as interruption:
        session.keep_last(f"interrupted ({interruption})")
        return interruption.status
    finally:
        session.close()
    checkpoint_file(settings.output_image).unlink(missing_ok=True)
    return 0


class Session(PictureSession):
    """Prints and saves the events of a run: log, pictures, trace and plot."""

    def __init__(
        self,
        settings: Settings,
        trace_file: str = "",
        plot_file: str = "",
        progress: bool = True,
        provenance: Provenance | None = None,
        resumed: Checkpoint | None = None,
    ) -> None:
        self._losses = [tuple(row) for row in resumed.losses.tolist()] if resumed else []
        total, done = math.ceil(settings.num_iterations), len(self._losses)
        advice = ADVICE[settings.optimizer]
        super().__init__(PROGRAM, settings.output_image, advice, total=total, done=done, bar=progress)
        self._settings = settings
        self._provenance = provenance
        self._trace = Trace(trace_file, len(settings.content_layers), resumed) if trace_file else None
        self._plot_file = plot_file

    def follow(self, events: Iterable[Event], observe: Callable[[Event], None] = lambda event: None) -> None:
        """Consume all events. Each is printed before it is saved, as in the original."""
        for event in events:
            if isinstance(event, Evaluation):
                self._check_finite(event)
                self._record(event)
            print_above_bar(log_lines(event, self._settings))
            if isinstance(event, Evaluation):
                self._save_if_due(event)
            elif isinstance(event, CheckpointDue):
                self._keep_state(event)
            observe(event)
        if self._last is None or self._last.number != self._settings.num_iterations:
            notice_above_bar("no final image is written: no evaluation has the number -num_iterations")

    def close(self) -> None:
        """Close bar and trace; draw the plot of the losses so far."""
        super().close()
        if self._trace:
            self._trace.close()
        if self._plot_file and self._losses:
            plot_losses(self._plot_file, self._settings, self._losses)

    def _record(self, evaluation: Evaluation) -> None:
        self._last = evaluation
        if self._provenance:
            self._provenance.add(evaluation)
        if self._trace:
            self._trace.add(evaluation)
        if self._plot_file:
            self._losses.append((*evaluation.content_losses, *evaluation.style_losses, evaluation.total))
        self._bar.update(1)

    def _save_if_due(self, evaluation: Evaluation) -> None:
        settings, number = self._settings, evaluation.number
        if number == settings.num_iterations:
            self._save(settings.output_image, evaluation)
        elif is_due(number, settings.save_iter):
            self._save(numbered(settings.output_image, number), evaluation)

    def _keep_state(self, due: CheckpointDue) -> None:
        """Write a checkpoint. If that fails, for example on a full disk, the run goes on with a notice."""
        if self._provenance:
            try:
                self._provenance.save_checkpoint(due)
            except CheckpointError as error:
                notice_above_bar(f"no checkpoint of evaluation {due.number}: {error}; the run goes on")

    def _save(self, path: str, evaluation: Evaluation, **more: Any) -> None:
        picture = output_image(self._settings, evaluation)
        if self._provenance:
            self._provenance.save(path, picture, evaluation, **more)
        else:
            save_image(path, picture)
