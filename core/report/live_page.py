"""Makes the answers of a live page's server when they are requested."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image as PillowImage

from core.errors import NeuralStyleError
from core.pictures.images import to_bytes
from core.records.records import beside, read_record
from core.records.reproduce import recorded_settings
from core.report.inputs import Inputs
from core.report.live import ENDED, Live, Snapshot
from core.report.live_status import curves_in, sentence_of
from core.report.page import LiveView, render
from core.report.plots import plot
from core.report.runs import RecordedPicture, Run
from core.report.views import OldCommand, RunView, Viewer
from core.stages.config import Stage
from core.stages.files import inputs, makes_many_files, numbered_outputs
from core.stylization import output_image

LONGEST_SIDE = 768
JPEG_QUALITY = 90
SECONDS_BETWEEN_PLOTS = 2.0
SHARE_FOR_PLOTS = 0.1  # largest share of the time spent on plots, which slow the run (Python's global lock)
SECONDS_FOR_VIEWS = 1.0  # time for new views in one answer; the page requests the others later


class LivePicture:
    """The picture of the last evaluation as JPEG."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._moment, self._data = (0, 0), b""

    def jpeg(self, snapshot: Snapshot) -> bytes:
        """The JPEG file, empty if there is no picture yet. Raises: NeuralStyleError."""
        if snapshot.stage is None or snapshot.evaluation is None:
            return b""
        with self._lock:
            if self._moment != snapshot.moment:
                pixels = to_bytes(output_image(snapshot.stage.settings, snapshot.evaluation))
                self._data, self._moment = _encoded(PillowImage.fromarray(pixels)), snapshot.moment
            return self._data


def _encoded(picture: PillowImage.Image) -> bytes:
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=JPEG_QUALITY)
    return data.getvalue()


class LivePlot:
    """The losses so far as an SVG file, redrawn only now and then."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._moment, self._svg, self._due = (0, 0), "", 0.0

    def svg(self, snapshot: Snapshot) -> str:
        """The SVG file, empty if there are no losses yet."""
        with self._lock:
            same_stage, started = self._moment[0] == snapshot.number, time.monotonic()
            early = same_stage and started < self._due and snapshot.state not in ENDED
            if self._moment != snapshot.moment and not early:
                curves = curves_in(snapshot)
                self._svg = _as_file(plot(curves, "live")) if curves else ""
                self._moment, now = snapshot.moment, time.monotonic()
                self._due = now + max(SECONDS_BETWEEN_PLOTS, (now - started) / SHARE_FOR_PLOTS)
            return self._svg


def _as_file(markup: str) -> str:
    return markup.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)


class FinishedRuns:
    """Views of stages that have results; each is made once."""

    def __init__(self, folders: Sequence[Path], old_command: OldCommand) -> None:
        self._inputs, self._old_command = Inputs(folders), old_command
        self._views: dict[str, RunView | None] = {}
        self._lock = threading.Lock()

    def views(self, snapshot: Snapshot) -> tuple[list[RunView], int]:
        """(views of the results that can be shown, number of stages looked at)."""
        until = time.monotonic() + SECONDS_FOR_VIEWS
        with self._lock:
            for stage in snapshot.finished:
                if stage.name not in self._views:
                    self._views[stage.name] = self._view(stage)
                if time.monotonic() > until:
                    break
            return [view for view in self._views.values() if view], len(self._views)

    def _view(self, stage: Stage) -> RunView | None:
        """The view of a stage; None for a folder, a video, or a result that can no longer be read."""
        if makes_many_files(stage.settings):
            return None
        path = Path(stage.settings.output_image)
        try:
            viewer = Viewer(path.parent, self._inputs, None, self._old_command)
            view = viewer.view(_run_of(stage, path), f"run-{len(self._views) + 1}", lambda sentence: None)
        except (NeuralStyleError, TypeError, ValueError):
            return None
        return replace(view, title=stage.name)


def _run_of(stage: Stage, path: Path) -> Run:
    result = _recorded(stage, path)
    between = [Path(name) for name in numbered_outputs(stage.settings)]
    pictures = [_recorded(stage, name) for name in between if name.is_file() and beside(name).is_file()]
    return Run(tuple(one for one in pictures if one.evaluation < result.evaluation), result)


def _recorded(stage: Stage, path: Path) -> RecordedPicture:
    """The picture of a stage with its record. Raises: NeuralStyleError."""
    record = read_record(path)
    settings = recorded_settings(record, type(stage.settings))
    return RecordedPicture(path, record, settings, int(record.get("evaluation", 0)))


class LivePage:
    """The page about ``live`` and its parts. folders: searched for inputs, besides those of the stages."""

    def __init__(
        self,
        live: Live,
        stages: Sequence[Stage],
        title: str,
        folders: Sequence[Path],
        old_command: OldCommand,
    ) -> None:
        self.live, self._title, self._stages = live, title, len(stages)
        named = [Path(name).parent for stage in stages for name in inputs(stage.settings) if name]
        self._finished = FinishedRuns((*folders, *dict.fromkeys(named), Path()), old_command)
        self._picture, self._plot = LivePicture(), LivePlot()

    def html(self, stop_value: str) -> str:
        """The whole page. Raises: NeuralStyleError."""
        snapshot = self.live.snapshot()
        views, looked_at = self._finished.views(snapshot)
        section = LiveView(sentence_of(snapshot), self._stages, looked_at, stop_value)
        return render(views, self._title, live=section)

    def picture(self) -> bytes:
        """The current picture as JPEG, empty if there is none. Raises: NeuralStyleError."""
        return self._picture.jpeg(self.live.snapshot())

    def curves(self) -> str:
        """The loss curves as SVG, empty if there are no losses."""
        return self._plot.svg(self.live.snapshot())
