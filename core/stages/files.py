"""Lists the files that a run reads and writes, from its flags."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import SettingsError
from core.settings.flags import flags_of
from core.settings.neural_style import format_number
from core.settings.slow_neural_style import SlowSettings
from core.settings.training import TrainSettings

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

WEIGHTS = ("model", "model_file", "proto_file", "loss_network")
WRITTEN = ("checkpoint_name", "log_file", "tensorboard")
MOST_NUMBERED = 100_000
TRAINED = (".safetensors", ".json", ".state.safetensors")  # suffixes of -checkpoint_name


def makes_many_files(settings: DataclassInstance) -> bool:
    """Whether the run processes a folder or a video."""
    return bool(getattr(settings, "input_dir", "") or getattr(settings, "input_video", ""))


def outputs(settings: DataclassInstance) -> list[str]:
    """The files or folders that a run writes; -output_image is not used with a folder or a video."""
    if isinstance(settings, TrainSettings):
        made = (*TRAINED, ".onnx") if settings.export_onnx else TRAINED
        return [settings.checkpoint_name + suffix for suffix in made]
    unused = ("output_image",) if makes_many_files(settings) else ()
    return [path for name, path in _paths(settings) if name.startswith("output") and name not in unused]


def inputs(settings: DataclassInstance) -> list[str]:
    """The pictures, videos or folders that a run reads, without the weights."""
    return [path for name, path in _paths(settings) if not is_written(name) and name not in WEIGHTS]


def is_written(name: str) -> bool:
    """Whether a run writes the path of this flag."""
    return name.startswith("output") or name in WRITTEN


def numbered_outputs(settings: DataclassInstance, until: float = math.inf) -> list[str]:
    """The intermediate pictures, such as ``out_100.png``, of -save_iter or -save_every.

    until: the last evaluation made, if the run stopped early. Impossible numbers give no pictures;
    ``validate`` reports them. Raises: SettingsError: more than 100,000 pictures.
    """
    target: str = getattr(settings, "output_image", "")
    last: float = getattr(settings, "num_iterations", 0)
    if isinstance(settings, SlowSettings):  # the last evaluation has its number too
        every, name, left_out = settings.save_every, numbered_at_first_dot, 0.0
    else:
        every, name, left_out = getattr(settings, "save_iter", 0.0), numbered, last
    last = min(last, until)
    if not 1 <= every < math.inf or every != int(every) or not math.isfinite(last):
        return []
    if last / every > MOST_NUMBERED:
        raise SettingsError(
            f"-num_iterations {format_number(last)}: makes more than {MOST_NUMBERED:,} intermediate images; "
            f"{'-save_every' if isinstance(settings, SlowSettings) else '-save_iter'} 0 makes none"
        )
    numbers = range(int(every), int(last) + 1, int(every))
    return [name(target, number) for number in numbers if number != left_out]


def numbered(path: str, number: int) -> str:
    """The name of an intermediate image: ``out.png`` becomes ``./out_100.png``."""
    target = Path(path)
    return f"{target.parent}/{target.stem}_{number}{target.suffix}"


def numbered_at_first_dot(path: str, number: int) -> str:
    """The name of slow_neural_style's intermediate image: ``a.b.png`` becomes ``./a_100.png``."""
    target = Path(path)
    return f"{target.parent}/{target.name.split('.')[0]}_{number}{target.suffix}"


def resolved(path: str) -> Path:
    """The normalised absolute path, so that a file has only one; the file need not exist."""
    return Path(os.path.normpath(Path(path).absolute()))


def _paths(settings: DataclassInstance) -> Iterator[tuple[str, str]]:
    for name, item in flags_of(type(settings)).items():
        if item.metadata["path"]:
            value = getattr(settings, name)
            for path in value if isinstance(value, tuple) else (value,):
                if path:
                    yield name, path
