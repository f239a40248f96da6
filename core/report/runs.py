"""Finds the runs in a folder by the records of their pictures."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image as PillowImage

from core.errors import ImageError, NeuralStyleError, SettingsError
from core.records.provenance import NOT_SHAPING
from core.records.records import KEYWORD, Record, beside, read_record
from core.records.reproduce import recorded_settings
from core.settings.programs import PROGRAMS, PictureSettings
from core.settings.slow_neural_style import SlowSettings
from core.stages.files import numbered, numbered_at_first_dot

SUFFIXES = (".png", ".jpg", ".jpeg", ".ppm")
PICTURE_PROGRAMS = ("neural_style", "fast_neural_style", "slow_neural_style")


@dataclass(frozen=True)
class RecordedPicture:
    """A picture with its record and settings. evaluation: 0 for a picture of fast_neural_style."""

    path: Path
    record: Record
    settings: PictureSettings
    evaluation: int

    @property
    def trace(self) -> list[str]:
        """The total loss of every evaluation as text; empty if the record does not contain them."""
        return [str(total) for total in self.record.get("trace", [])]


@dataclass(frozen=True)
class Run:
    """A run: its intermediate pictures in order and its result."""

    intermediates: tuple[RecordedPicture, ...]
    result: RecordedPicture


def find_runs(folder: Path) -> tuple[list[Run], list[str]]:
    """All runs in ``folder`` and its subfolders, and a sentence about each unusable record.

    Raises: ImageError: the folder does not exist or contains no runs.
    """
    if not folder.is_dir():
        raise ImageError(f"{folder}: no such folder; name the folder with your results")
    pictures, warnings = [], []
    for path in _recorded(folder):
        try:
            pictures.append(_read(path))
        except NeuralStyleError as error:
            warnings.append(str(error))
    runs = _grouped(pictures)
    if not runs:
        found = f"; {'; '.join(warnings)}" if warnings else ""
        raise ImageError(
            f"{folder}: contains no picture with a record; name a folder with results of "
            f"{', '.join(PICTURE_PROGRAMS)} and the PICTURE.json files beside them{found}"
        )
    return sorted(runs, key=lambda run: run.result.path), warnings


def _recorded(folder: Path) -> Iterator[Path]:
    """The path of every picture that has a record, also if the picture itself is missing."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        records = {name.removesuffix(".json") for name in names if name.endswith(".json")}
        for name in sorted({*names, *records}):
            path = Path(place, name)
            if path.suffix.lower() in SUFFIXES and (name in records or _carries_record(path)):
                yield path


def _carries_record(path: Path) -> bool:
    try:
        with PillowImage.open(path, formats=("PNG",)) as picture:
            return KEYWORD in picture.info
    except (OSError, SyntaxError, ValueError, PillowImage.DecompressionBombError):
        return False


def _read(path: Path) -> RecordedPicture:
    """Read a picture's record. Raises: NeuralStyleError: the record is damaged or its picture is missing."""
    record = read_record(path)
    if not path.is_file():
        raise ImageError(f"{beside(path)}: the picture {path.name} is missing")
    program, evaluation = record.get("program"), record.get("evaluation", 0)
    if program not in PICTURE_PROGRAMS:
        raise ImageError(f"{path}: its record is damaged: unknown program")
    try:
        settings: PictureSettings = recorded_settings(record, PROGRAMS[program].settings)
    except SettingsError as error:
        raise ImageError(f"{path}: {error}") from None
    if not isinstance(evaluation, int) or not isinstance(record.get("trace", []), list):
        raise ImageError(f"{path}: its record is damaged: evaluation or trace is not readable")
    return RecordedPicture(path, record, settings, evaluation)


def _grouped(pictures: Iterable[RecordedPicture]) -> list[Run]:
    groups: dict[tuple[Path, str], list[RecordedPicture]] = {}
    for picture in pictures:
        path = _path_of_result(picture)
        groups.setdefault((path, _shape(picture.record)), []).append(picture)
    runs = []
    for (path, _), group in groups.items():
        group.sort(key=lambda picture: picture.evaluation)
        result = next((picture for picture in group if picture.path == path), group[-1])
        before = tuple(picture for picture in group if _leads_to(picture, result))
        runs.append(Run(before, result))
        # The rest is from another run with the same flags, such as one with other noise.
        runs += _grouped(
            picture for picture in group if picture not in before and not _is_same(picture, result)
        )
    return runs


def _path_of_result(picture: RecordedPicture) -> Path:
    """The result's path: ``out.png`` for the intermediate picture ``out_100.png``, else the path itself."""
    path, number = picture.path, f"_{picture.evaluation}"
    if not picture.evaluation or not path.stem.endswith(number):
        return path
    without = path.stem.removesuffix(number) + path.suffix
    named = Path(picture.record["settings"].get("output_image", without)).name  # missing in a PNG's record
    name_of = numbered_at_first_dot if isinstance(picture.settings, SlowSettings) else numbered
    return path.with_name(named) if Path(name_of(named, picture.evaluation)).name == path.name else path


def _shape(record: Record) -> str:
    """The settings and inputs that decide a run, as text; equal for all pictures of a run."""
    flags = {name: value for name, value in record["settings"].items() if name not in NOT_SHAPING}
    return json.dumps([flags, record["inputs"]], sort_keys=True)


def _is_same(picture: RecordedPicture, result: RecordedPicture) -> bool:
    """Whether a picture is the result, or slow_neural_style's numbered copy of it."""
    pixels = "pixels_sha256"
    same = isinstance(picture.settings, SlowSettings) and picture.evaluation == result.evaluation
    return picture is result or (same and picture.record.get(pixels) == result.record.get(pixels))


def _leads_to(picture: RecordedPicture, result: RecordedPicture) -> bool:
    ours, all_of_them = picture.trace, result.trace
    same = not ours or not all_of_them or ours == all_of_them[: len(ours)]
    return same and picture.evaluation < result.evaluation
