"""Prepares runs for the page: all values as text, markup or data: URIs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core.errors import ImageError, NeuralStyleError
from core.report.facts import facts_of, headline, state_of
from core.report.inputs import Inputs
from core.report.pictures import THUMBNAIL_SIDE, PictureView, as_it_is, scaled
from core.report.plots import Curve, curves_of, plot
from core.report.references import ReferenceView, find_reference, reference_view
from core.report.runs import RecordedPicture, Run
from core.settings.fast_neural_style import TransformSettings
from core.settings.programs import PictureSettings
from core.settings.yaml_files import to_yaml

# Returns the original program's command for settings, and the flags it does not have. Raises: SettingsError.
OldCommand = Callable[[str, PictureSettings], tuple[str, list[str]]]


@dataclass(frozen=True)
class FrameView:
    """The picture of one evaluation."""

    evaluation: int
    picture: PictureView


@dataclass(frozen=True)
class RunView:
    """One run on the page.

    name: the anchor and prefix of ids.  title: the result's path.  headline: one line about the run.
    changed: whether the result differs from the recorded picture.  result: the last evaluation's picture.
    frames: the intermediate pictures and the result; empty if there are no intermediate pictures.
    inputs: (role, picture) of each input.  plot: SVG markup.  command: the command of the original program,
    '' if there is none.  command_note: why, or what it lacks.  facts: (name, value) pairs from the record.
    """

    name: str
    title: str
    headline: str
    changed: bool
    thumbnail: PictureView
    result: PictureView
    inputs: tuple[tuple[str, PictureView], ...]
    frames: tuple[FrameView, ...]
    reference: ReferenceView | None
    curves: tuple[Curve, ...]
    plot: str
    yaml: str
    command: str
    command_note: str
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Viewer:
    """Makes views of the runs in ``folder``. references: the folder of pictures to compare with, if any."""

    folder: Path
    inputs: Inputs
    references: Path | None
    old_command: OldCommand

    def view(self, run: Run, name: str, warn: Callable[[str], object]) -> RunView:
        """The view of a run. Intermediate and reference pictures that cannot be read give a warning.

        Raises: ImageError: the result cannot be read, or its record is damaged.
        """
        try:
            return self._view(run, name, warn)
        except (KeyError, TypeError, AttributeError, ValueError, OverflowError, IndexError):
            raise ImageError(f"{run.result.path}: its record is damaged") from None

    def _view(self, run: Run, name: str, warn: Callable[[str], object]) -> RunView:
        result, path = run.result, run.result.path
        picture, state = as_it_is(path), state_of(path, result.record)
        curves = _curves(result)
        command, note = self._command(result)
        return RunView(
            name=name,
            title=str(path.relative_to(self.folder)),
            headline=headline(result.record, result.settings),
            changed=not state.unchanged,
            thumbnail=scaled(path, THUMBNAIL_SIDE),
            result=picture,
            inputs=tuple(self.inputs.of(result.record, result.settings)),
            frames=_frames(run, picture, warn),
            reference=self._reference(path, warn),
            curves=curves,
            plot=plot(curves, name) if curves else "",
            yaml=to_yaml(result.settings, Path()),
            command=command,
            command_note=note,
            facts=(("File", state.sentence), *facts_of(result.record)),
        )

    def _reference(self, result: Path, warn: Callable[[str], object]) -> ReferenceView | None:
        path = find_reference(result, self.folder, self.references) if self.references else None
        try:
            return reference_view(result, path) if path else None
        except ImageError as error:
            warn(str(error))
            return None

    def _command(self, result: RecordedPicture) -> tuple[str, str]:
        """(the original program's command, a note about missing flags), or ('', why there is none)."""
        try:
            command, missing = self.old_command(str(result.record["program"]), result.settings)
        except NeuralStyleError as error:
            return "", f"The original program has no command for this run: {error}."
        left_out = ", ".join(f"-{name}" for name in missing)
        return command, f"Left out, because the original has no such flags: {left_out}." if missing else ""


def _frames(run: Run, last: PictureView, warn: Callable[[str], object]) -> tuple[FrameView, ...]:
    frames = []
    for picture in run.intermediates:
        try:
            frames.append(FrameView(picture.evaluation, scaled(picture.path)))
        except ImageError as error:
            warn(str(error))
    return (*frames, FrameView(run.result.evaluation, last)) if frames else ()


def _curves(result: RecordedPicture) -> tuple[Curve, ...]:
    settings = result.settings
    if isinstance(settings, TransformSettings):
        return ()
    totals = [float(total) for total in result.trace]
    rows = result.record.get("layer_losses", [])[: len(totals)]
    return curves_of(settings.content_layers, settings.style_layers, rows, totals)
