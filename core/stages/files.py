"""The files that a run reads and writes, by its flags."""

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
TRAINED = (".safetensors", ".json", ".state.safetensors")  # behind -checkpoint_name


def makes_many_files(settings: DataclassInstance) -> bool:
    """Whether the run is about a folder or a film."""
    return bool(getattr(settings, "input_dir", "") or getattr(settings, "input_video", ""))


def outputs(settings: DataclassInstance) -> list[str]:
    """The files or folders that a run writes; -output_image is not used for a folder or a film."""
    if isinstance(settings, TrainSettings):
        made = (*TRAINED, ".onnx") if settings.export_onnx else TRAINED
        return [settings.checkpoint_name + suffix for suffix in made]
    unused = ("output_image",) if makes_many_files(settings) else ()
    return [path for name, path in _paths(settings) if name.startswith("output") and name not in unused]


def inputs(settings: DataclassInstance) -> list[str]:
    """The pictures, films or folders that a run reads; the weights are not among them."""
    return [path for name, path in _paths(settings) if not is_written(name) and name not in WEIGHTS]


def is_written(name: str) -> bool:
    """Whether the path of this flag is one of what a run writes."""
    return name.startswith("output") or name in WRITTEN


def numbered_outputs(settings: DataclassInstance, until: float = math.inf) -> list[str]:
    """The pictures in between, such as ``out_100.png``, that -save_iter or -save_every asks for.

    until: the last evaluation that was made, where that is less than asked for. Numbers with which no run is
    possible give none; saying so is for ``validate``. Raises: SettingsError: more than anybody wants.
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
            f"-num_iterations {format_number(last)}: makes more than {MOST_NUMBERED:,} pictures in between; "
            f"{'-save_every' if isinstance(settings, SlowSettings) else '-save_iter'} 0 asks for none"
        )
    numbers = range(int(every), int(last) + 1, int(every))
    return [name(target, number) for number in numbers if number != left_out]


def numbered(path: str, number: int) -> str:
    """The name of an intermediate image: ``out.png`` becomes ``./out_100.png``."""
    target = Path(path)
    return f"{target.parent}/{target.stem}_{number}{target.suffix}"


def numbered_at_first_dot(path: str, number: int) -> str:
    """The same as slow_neural_style names it: ``a.b.png`` becomes ``./a_100.png``."""
    target = Path(path)
    return f"{target.parent}/{target.name.split('.')[0]}_{number}{target.suffix}"


def resolved(path: str) -> Path:
    """One name for one file, whether it exists or not."""
    return Path(os.path.normpath(Path(path).absolute()))


def _paths(settings: DataclassInstance) -> Iterator[tuple[str, str]]:
    for name, item in flags_of(type(settings)).items():
        if item.metadata["path"]:
            value = getattr(settings, name)
            for path in value if isinstance(value, tuple) else (value,):
                if path:
                    yield name, path
