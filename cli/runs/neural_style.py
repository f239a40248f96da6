"""One run at the terminal: log on stdout, pictures on disk, progress and notices on stderr."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from tqdm import tqdm

from cli.nstyle.report import is_due, log_lines
from cli.runs.files import Trace
from cli.runs.loss_plot import plot_losses
from cli.terminal.above_bar import notice_above_bar, print_above_bar
from cli.terminal.interruption import Interrupted, signals_raise
from cli.terminal.output import shows_progress, warnings_as_notices
from core.devices import Placement
from core.errors import CheckpointError, DivergenceError
from core.events import CheckpointDue, Evaluation, Event
from core.pictures.images import save_image
from core.records.checkpoint import Checkpoint, checkpoint_file
from core.records.provenance import Provenance
from core.settings.neural_style import Settings
from core.stages.files import numbered
from core.stylize import output_image, stylize

ADVICE = {
    "lbfgs": "L-BFGS takes fixed steps and can overshoot; try -optimizer adam, or smaller weights",
    "adam": "Try a lower -learning_rate, or smaller weights",
}


def run(
    settings: Settings,
    placement: Placement,
    trace_file: str = "",
    plot_file: str = "",
    resumed: Checkpoint | None = None,
    observe: Callable[[Event], None] = lambda event: None,
) -> int:
    """Stylise, print and save as the original does; returns the exit status.

    resumed: the checkpoint to go on from.  observe: is told every event, last.

    Raises: NeuralStyleError or CaffemodelError. On a loss that is no longer finite, and when interrupted,
    the last good picture is saved first.
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


class Session:
    """What has to be remembered between the events of a run."""

    def __init__(
        self,
        settings: Settings,
        trace_file: str = "",
        plot_file: str = "",
        progress: bool = True,
        provenance: Provenance | None = None,
        resumed: Checkpoint | None = None,
    ) -> None:
        self._settings = settings
        self._provenance = provenance
        self._trace = Trace(trace_file, len(settings.content_layers), resumed) if trace_file else None
        self._plot_file = plot_file
        self._last: Evaluation | None = None
        self._losses = [tuple(row) for row in resumed.losses.tolist()] if resumed else []
        self._bar = tqdm(
            total=math.ceil(settings.num_iterations),
            initial=len(self._losses),
            unit="it",
            disable=not (progress and shows_progress()),
            leave=False,
        )

    def follow(self, events: Iterable[Event], observe: Callable[[Event], None] = lambda event: None) -> None:
        """Consume all events; prints before it saves, as the original does."""
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
            notice_above_bar("no evaluation has the number of -num_iterations, so no final image is written")

    def keep_last(self, why: str) -> None:
        """Save the last finite picture as the result, if there is one."""
        path = self._settings.output_image
        if self._last is None:
            notice_above_bar(f"{why} before the first evaluation; nothing is written")
            return
        self._save(path, self._last)
        notice_above_bar(f"{why}; evaluation {self._last.number} is saved as {path}")

    def close(self) -> None:
        """End bar and trace, draw the plot of what was evaluated."""
        self._bar.close()
        if self._trace:
            self._trace.close()
        if self._plot_file and self._losses:
            plot_losses(self._plot_file, self._settings, self._losses)

    def _check_finite(self, evaluation: Evaluation) -> None:
        if math.isfinite(evaluation.total):
            return
        if self._last is not None:
            self.keep_last(f"the loss of evaluation {evaluation.number} is {evaluation.total}")
        raise DivergenceError(
            f"stopped at evaluation {evaluation.number}: the loss is no longer finite. "
            + ADVICE[self._settings.optimizer]
        )

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
        """Hours of work are not thrown away because the disk is full."""
        if self._provenance:
            try:
                self._provenance.save_checkpoint(due)
            except CheckpointError as error:
                notice_above_bar(f"no checkpoint of evaluation {due.number}: {error}; the run goes on")

    def _save(self, path: str, evaluation: Evaluation) -> None:
        picture = output_image(self._settings, evaluation)
        if self._provenance:
            self._provenance.save(path, picture, evaluation)
        else:
            save_image(path, picture)
