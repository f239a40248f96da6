"""Expands ``vary:``: every combination of values, each with its own output names."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.settings.flags import flags_of
from core.settings.text import format_value
from core.stages.files import numbered_outputs, outputs, resolved

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Grid = Mapping[str, tuple[Any, ...]]
Values = tuple[tuple[str, Any], ...]
_UNSAFE = re.compile(r"[^A-Za-z0-9.+-]+")


def combinations(grid: Grid) -> Iterator[Values]:
    """All combinations, the last flag changing fastest; one empty combination for an empty grid."""
    for values in itertools.product(*grid.values()):
        yield tuple(zip(grid, values, strict=True))


def varied(stages: Sequence[DataclassInstance], values: Values) -> Iterator[tuple[str, DataclassInstance]]:
    """(name suffix, settings) of every stage of a config for one combination of values.

    Outputs get the suffix, and so do inputs that are outputs of another stage.
    """
    if not values:
        yield from (("", settings) for settings in stages)
        return
    suffix = "".join(f"_{flag}-{slug(stages[0], flag, value)}" for flag, value in values)
    renamed = {resolved(path): path for settings in stages for path in _written(settings)}
    for settings in stages:
        files = {
            name: _renamed(getattr(settings, name), renamed, suffix)
            for name, item in flags_of(type(settings)).items()
            if item.metadata["path"]
        }
        yield suffix, replace(settings, **{**files, **dict(values)})


def slug(settings: DataclassInstance, flag: str, value: Any) -> str:
    """A value as part of a file name; for a file, its name without extension."""
    parts = value if isinstance(value, tuple) else (value,)
    if flags_of(type(settings))[flag].metadata["path"]:
        parts = tuple(Path(part).stem for part in parts)
    return "-".join(_UNSAFE.sub("_", format_value(part)) for part in parts) or "none"


def _written(settings: DataclassInstance) -> list[str]:
    return [*outputs(settings), *numbered_outputs(settings)]


def _renamed(value: Any, renamed: Mapping[Path, str], suffix: str) -> Any:
    if isinstance(value, tuple):
        return tuple(_renamed(part, renamed, suffix) for part in value)
    if not value or resolved(value) not in renamed:
        return value
    path = Path(value)
    return str(path.with_name(f"{path.stem}{suffix}{path.suffix}"))
