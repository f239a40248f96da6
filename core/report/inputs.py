"""Finds the input pictures of runs by their checksums."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from core.errors import ImageError, SettingsError
from core.pictures.images import check_readable
from core.records.records import Record, digest
from core.records.reproduce import find_by_checksum
from core.report.pictures import PictureView, scaled
from core.settings.neural_style import format_number
from core.settings.programs import PictureSettings

SHOWN_DIGITS = 16
MODELS = ("model_file", "model", "loss_network")


class Inputs:
    """Finds the input pictures of runs. Each file is hashed once, each picture encoded once."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders
        self._digest = cache(_digest_of_picture)
        self._picture = cache(self._looked_up)

    def of(self, record: Record, settings: PictureSettings) -> Iterator[tuple[str, PictureView]]:
        """(role, picture) of every input except networks. Raises: KeyError, TypeError: a damaged record."""
        for flag, entries in record["inputs"].items():
            if flag in MODELS:
                continue
            for number, entry in enumerate(entries):
                picture = self._picture(str(entry["file"]), str(entry["sha256"]))
                yield _role(flag, number, len(entries), settings), picture

    def _looked_up(self, name: str, sha256: str) -> PictureView:
        """The picture, or a placeholder if it is missing or cannot be read."""
        shown = Path(name).name
        try:
            found = scaled(Path(find_by_checksum(name, sha256, self._folders, self._digest)))
        except (SettingsError, OSError):
            return PictureView(shown, note=f"not found (sha256 {sha256[:SHOWN_DIGITS]}…)")
        except ImageError:
            return PictureView(shown, note="cannot be read as a picture")
        return PictureView(shown, found.source, found.width, found.height)


def _digest_of_picture(path: Path) -> str:
    """The SHA-256 of a picture; '' for other files, so that large model files are not hashed."""
    try:
        check_readable(path)
    except ImageError:
        return ""
    return digest(path)


def _role(flag: str, number: int, count: int, settings: Any) -> str:
    if flag == "init_image":
        return "Start"
    if flag != "style_image":
        return "Content"
    if count == 1:
        return "Style"
    weights = settings.blend_weights()
    share = f", {format_number(round(100 * weights[number], 1))} %" if len(weights) == count else ""
    return f"Style {number + 1} of {count}{share}"
