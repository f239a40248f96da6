"""The files that a run reads and writes, by its flags."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from core.flags import flags_of

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

WEIGHTS = ("model", "model_file", "proto_file")


def makes_many_files(settings: DataclassInstance) -> bool:
    """Whether the run is about a folder or a film."""
    return bool(getattr(settings, "input_dir", "") or getattr(settings, "input_video", ""))


def outputs(settings: DataclassInstance) -> list[str]:
    """The files or folders that a run writes; -output_image is not used for a folder or a film."""
    unused = ("output_image",) if makes_many_files(settings) else ()
    return [path for name, path in _paths(settings) if name.startswith("output") and name not in unused]


def inputs(settings: DataclassInstance) -> list[str]:
    """The pictures, films or folders that a run reads; the weights are not among them."""
    return [path for name, path in _paths(settings) if not name.startswith("output") and name not in WEIGHTS]


def numbered_outputs(settings: DataclassInstance) -> list[str]:
    """The pictures in between, such as ``out_100.png``, that -save_iter asks for."""
    every: float = getattr(settings, "save_iter", 0)
    last: float = getattr(settings, "num_iterations", 0)
    if not every >= 1 or every != int(every):
        return []
    target: str = getattr(settings, "output_image", "")
    numbers = range(int(every), int(last) + 1, int(every))
    return [numbered(target, number) for number in numbers if number != last]


def numbered(path: str, number: int) -> str:
    """The name of an intermediate image: ``out.png`` becomes ``./out_100.png``."""
    target = Path(path)
    return f"{target.parent}/{target.stem}_{number}{target.suffix}"


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
