"""Small previews of a photo in the look of a painting, over the flags that matter most, and full size's cost.

The previews are a config with ``vary:``, so they are made, kept up to date and laid out as any grid is.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from statistics import median
from typing import Any

import yaml

from core.atomic import replaced_when_complete
from core.errors import SettingsError
from core.pictures.images import image_size
from core.pictures.resize import scaled_size
from core.records.records import read_record
from core.settings.neural_style import Settings
from core.settings.text import format_value
from core.settings.yaml_files import dumped, to_yaml
from core.stages.config import Stage

PREVIEW: dict[str, Any] = {"image_size": 160.0, "num_iterations": 60.0}
FULL: dict[str, Any] = {
    "num_iterations": 400.0,
    "tv_weight": 0.1,  # smooths the speckles that a small picture gets
    "init": "image",
    "save_iter": 0.0,
    "arithmetic": "native",
}
VARIED: dict[str, tuple[Any, ...]] = {  # the last one changes fastest
    "content_layers": (("relu2_2",), ("relu4_2",)),
    "style_scale": (1.0, 2.0),
    "style_weight": (1.0, 10.0, 100.0),
}
ROW = len(VARIED["style_weight"])


@dataclass(frozen=True)
class Files:
    """What is written into a folder.

    previews: the config of the previews.  full_size: that of one large picture, to which a preview's flags
    are added.  sheet: all previews in one picture.
    """

    previews: Path
    full_size: Path
    sheet: Path


def write_configs(folder: Path, settings: Settings) -> Files:
    """Write both configs into a folder. settings: of the full size. Raises: SettingsError."""
    files = Files(folder / "previews.yml", folder / "full_size.yml", folder / "previews.png")
    small = settings.replace(**PREVIEW, output_image=str(folder / "previews" / "preview.png"))
    vary = {
        name: [list(value) if isinstance(value, tuple) else value for value in values]
        for name, values in VARIED.items()
    }
    _write(files.previews, {**_changed(small, folder), "vary": vary})
    _write(files.full_size, _changed(settings, folder))
    return files


def _changed(settings: Settings, folder: Path) -> dict[str, Any]:
    """The flags that are not at their defaults."""
    entries: dict[str, Any] = yaml.safe_load(to_yaml(settings, folder))
    defaults = Settings()
    return {
        name: value for name, value in entries.items() if getattr(settings, name) != getattr(defaults, name)
    }


def _write(path: Path, entries: dict[str, Any]) -> None:
    try:
        with replaced_when_complete(path) as file:
            file.write(dumped(entries).encode())
    except OSError as error:
        raise SettingsError(f"{path}: cannot be written: {error.strerror or error}") from None


def flags_text(stage: Stage) -> str:
    """The flags of a preview, as words of the command line."""
    return " ".join(f"-{name} {format_value(value)}" for name, value in reversed(stage.values))


def command(program: str, stage: Stage, files: Files, output: Path) -> str:
    """The command for a preview's flags at full size. program: as it is called from here."""
    words = (program, "-config", str(files.full_size), *flags_text(stage).split())
    return shlex.join([*words, "-output_image", str(output)])


def full_size_seconds(stages: Sequence[Stage], settings: Settings) -> float:
    """How long one picture with ``settings`` should take on this machine, from the times of the previews.

    Evaluations take time in proportion to the pixels; what comes before the first one does not count.
    Raises: ImageError: a preview or its record is missing.
    """
    rates: list[float] = []
    for stage in stages:
        record = read_record(Path(stage.settings.output_image))
        seconds = record["seconds"] - record["seconds_to_first"]
        rates.append(seconds / (record["evaluation"] - 1) / _pixels(stage.settings))
    return median(rates) * _pixels(settings) * settings.num_iterations


def _pixels(settings: Settings) -> int:
    return prod(scaled_size(*image_size(settings.content_image), settings.image_size))
