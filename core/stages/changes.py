"""Changes the stages of a config by command line options: flags, upper limits, other folders."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import SettingsError
from core.settings.flags import flags_of
from core.settings.text import nearest, parse_value
from core.stages.config import Stage
from core.stages.files import WEIGHTS, is_written, numbered_outputs, outputs, resolved

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def parsed(words: Iterable[str], option: str, kind: type) -> dict[str, Any]:
    """Parse ``FLAG=VALUE`` words as flags of the dataclass ``kind``. Raises: SettingsError."""
    known, changes = flags_of(kind), {}
    for word in words:
        name, equals, text = word.removeprefix("-").partition("=")
        if not equals:
            raise SettingsError(f"{option} {word}: should be FLAG=VALUE")
        if name not in known:
            raise SettingsError(f"{option} {word}: unknown flag '{name}'{nearest(name, list(known))}")
        if isinstance(known[name].default, bool):
            changes[name] = _boolean(option, word, text)
        else:
            changes[name] = parse_value(known[name], text)
    return changes


def _boolean(option: str, word: str, text: str) -> bool:
    if text not in ("true", "false"):
        raise SettingsError(f"{option} {word}: should be true or false")
    return text == "true"


def at_most(stages: Sequence[Stage], limits: dict[str, Any]) -> list[Stage]:
    """Lower numbers above their limit to the limit. Raises: SettingsError: the flag is not a number."""
    for name, limit in limits.items():
        if not isinstance(limit, float) or math.isnan(limit):
            raise SettingsError(f"--at-most {name}={limit}: -{name} is not a number")
    return [
        stage.replace(**{name: min(getattr(stage.settings, name), limit) for name, limit in limits.items()})
        for stage in stages
    ]


def relocated(stages: Sequence[Stage], inputs: str | None, results: str | None) -> list[Stage]:
    """The stages with pictures read from the folder ``inputs`` and written to ``results``, names unchanged.

    Files that one stage writes and another reads are in ``results``.
    """
    written = {
        resolved(path)
        for stage in stages
        for path in (*outputs(stage.settings), *numbered_outputs(stage.settings))
    }

    def moved(name: str, path: str) -> str:
        if name in WEIGHTS:
            return path
        folder = results if is_written(name) or resolved(path) in written else inputs
        return path if folder is None or not path else str(Path(folder) / Path(path).name)

    return [replace(stage, settings=with_paths(stage.settings, moved)) for stage in stages]


def with_paths(settings: DataclassInstance, moved: Callable[[str, str], str]) -> DataclassInstance:
    """The settings with each path replaced by ``moved(flag, path)``."""
    changes: dict[str, Any] = {}
    for name, item in flags_of(type(settings)).items():
        if not item.metadata["path"]:
            continue
        value = getattr(settings, name)
        if isinstance(value, tuple):
            changes[name] = tuple(moved(name, path) for path in value)
        else:
            changes[name] = moved(name, value)
    return replace(settings, **changes)
