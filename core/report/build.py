"""Writes the web page about a folder of results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.atomic import replaced_when_complete
from core.errors import ImageError
from core.report.inputs import Inputs
from core.report.page import load_template, render
from core.report.runs import find_runs
from core.report.views import OldCommand, RunView, Viewer

NAME = "index.html"


@dataclass(frozen=True)
class Sources:
    """Folders: the results, further folders to search for inputs, and references to compare with."""

    folder: Path
    inputs: Sequence[Path]
    references: Path | None


def write_report(
    target: Path,
    sources: Sources,
    old_command: OldCommand,
    warn: Callable[[str], object],
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> tuple[Path, int]:
    """Write ``target``/index.html; returns its path and the number of runs on it.

    warn: called with a sentence about each record or picture that is left out.  progress: called with the
    number of runs done and of all runs.  Raises: NeuralStyleError.
    """
    load_template()  # reports a missing package before the work
    for folder in (*sources.inputs, *filter(None, [sources.references])):
        if not folder.is_dir():
            raise ImageError(f"{folder}: no such folder")
    warnings: list[str] = []

    def note(sentence: str) -> None:
        warn(sentence)
        for folder in filter(None, (sources.references, sources.folder)):
            sentence = sentence.replace(f"{folder}/", "")  # the page, like records, contains no folder names
        warnings.append(sentence)

    views = _views(sources, old_command, note, progress)
    title = sources.folder.resolve().name or str(sources.folder)
    _write(target, render(views, title, warnings))
    return target / NAME, len(views)


def _views(
    sources: Sources,
    old_command: OldCommand,
    warn: Callable[[str], object],
    progress: Callable[[int, int], object],
) -> list[RunView]:
    """The views of all runs. Raises: ImageError: there is none."""
    runs, damaged = find_runs(sources.folder)
    for sentence in damaged:
        warn(f"{sentence}; skipped")
    beside = dict.fromkeys(run.result.path.parent for run in runs)
    inputs = Inputs((*sources.inputs, *beside, sources.folder, Path()))
    viewer, views = Viewer(sources.folder, inputs, sources.references, old_command), []
    for number, run in enumerate(runs, 1):
        try:
            views.append(viewer.view(run, f"run-{number}", lambda text: warn(f"{text}; left out")))
        except ImageError as error:
            warn(f"{error}; skipped")
        progress(number, len(runs))
    if not views:
        raise ImageError(f"{sources.folder}: none of its pictures can be shown; see the warnings above")
    return views


def _write(folder: Path, page: str) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with replaced_when_complete(folder / NAME) as file:
            file.write(page.encode(errors="replace"))  # file names may contain bytes that are not UTF-8
    except OSError as error:
        raise ImageError(f"{folder / NAME}: cannot be written: {error.strerror or error}") from None
