"""Reads a config file as a list of stages: one run, several ``stages:``, or a grid from ``vary:``.

    program: neural_style            # the default
    defaults: {FLAG: VALUE, ...}     # for all stages
    stages:
      NAME: {FLAG: VALUE, ...}
    vary:
      FLAG: [VALUE, ...]             # one run for every combination

Without ``stages:`` the flags are at the top level.
"""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from core.errors import SettingsError
from core.settings.flags import flags_of
from core.settings.programs import PROGRAMS
from core.settings.text import nearest
from core.settings.yaml_files import (
    SEVERAL_RUNS,
    Entries,
    flag_value,
    flags_in,
    place,
    written,
    yaml_entries,
)
from core.stages.grid import Grid, combinations, varied

KEYS = ("program", *SEVERAL_RUNS)
DEFAULT_PROGRAM = "neural_style"
MOST_RUNS = 10_000


@dataclass(frozen=True)
class Stage:
    """One run.

    name: unique in its config.  base: the name without the values of ``vary:``.
    values: (flag, value) of each varied flag, in the order of ``vary:``.  given: names of the flags that the
    user set, also if set to their default.
    """

    name: str
    base: str
    program: str
    settings: Any
    values: tuple[tuple[str, Any], ...] = ()
    given: tuple[str, ...] = ()

    def replace(self, **flags: Any) -> Stage:
        """A copy with some flags changed."""
        given = tuple(sorted({*self.given, *flags}))  # sorted: a worker's folder name depends on it
        return replace(self, settings=replace(self.settings, **flags), given=given)


@dataclass(frozen=True)
class Config:
    """A config file: its stages in order, and ``grid`` with the values of ``vary:``."""

    path: Path
    program: str
    stages: tuple[Stage, ...]
    grid: Grid


def read_config(path: str | os.PathLike[str], changes: Mapping[str, Any] | None = None) -> Config:
    """Read all runs of a config file, one for every combination of ``vary:``.

    changes: flags that override those of the file. Raises: SettingsError naming file, line and key.
    """
    sections = _sections(path)
    program = _program(path, sections.get("program"))
    kind = PROGRAMS[program].settings
    grid = _grid(path, sections.get("vary"), kind)
    named = _named_flags(path, sections, kind)
    for name, flags in named.items():
        _check_once(path, name, flags, grid, changes or {})
    stages = [
        Stage(name, name, program, kind()).replace(**{**flags, **(changes or {})})
        for name, flags in named.items()
    ]
    runs = [
        replace(base, name=base.name + suffix, settings=settings, values=values).replace(**dict(values))
        for values in combinations(grid)
        for base, (suffix, settings) in zip(
            stages, varied([stage.settings for stage in stages], values), strict=True
        )
    ]
    _check_names(path, [run.name for run in runs])
    return Config(Path(path), program, tuple(runs), grid)


def program_of(path: str | os.PathLike[str]) -> str:
    """The program that a config file is for. Raises: SettingsError."""
    return _program(path, _sections(path).get("program"))


def _sections(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The sections of a file; flags at the top level are the section ''."""
    sections: dict[str, Any] = {}
    flags: Entries = []
    for key_node, node in yaml_entries(path):
        key = written(key_node)
        if key not in KEYS:
            flags.append((key_node, node))
        elif key in sections:
            raise SettingsError(f"{place(path, key_node)}: '{key}' is given twice")
        else:
            sections[key] = node
    if "stages" in sections and flags:
        first = flags[0][0]
        hint = nearest(written(first), list(KEYS)) or "; move it into 'defaults:' or into a stage"
        raise SettingsError(f"{place(path, first)}: '{written(first)}' is on one level with 'stages:'{hint}")
    if "defaults" in sections and "stages" not in sections:
        raise SettingsError(f"{path}: 'defaults:' needs 'stages:'; without it, write flags at the top level")
    return {**sections, "": flags}


def _program(path: str | os.PathLike[str], node: yaml.Node | None) -> str:
    if node is None:
        return DEFAULT_PROGRAM
    name = written(node)
    if name not in PROGRAMS:
        raise SettingsError(
            f"{place(path, node)}: unknown program '{name}'; it is one of {', '.join(PROGRAMS)}"
        )
    return name


def _named_flags(
    path: str | os.PathLike[str], sections: Mapping[str, Any], kind: type
) -> dict[str, dict[str, Any]]:
    """The flags of each stage by name; a single run has the name of the file."""
    if "stages" not in sections:
        return {Path(path).stem: flags_in(path, sections[""], kind)}
    defaults = {}
    if "defaults" in sections:
        defaults = flags_in(path, _mapping(path, sections["defaults"], "defaults"), kind)
    stages: dict[str, dict[str, Any]] = {}
    for key_node, node in _mapping(path, sections["stages"], "stages"):
        name = written(key_node)
        if name in stages:
            raise SettingsError(f"{place(path, key_node)}: stage '{name}' is given twice")
        stages[name] = {**defaults, **flags_in(path, _mapping(path, node, name), kind)}
    if not stages:
        raise SettingsError(f"{path}: 'stages:' is empty")
    return stages


def _mapping(path: str | os.PathLike[str], node: yaml.Node, name: str) -> Entries:
    if isinstance(node, yaml.ScalarNode) and node.tag.endswith(":null"):
        return []
    if not isinstance(node, yaml.MappingNode):
        raise SettingsError(f"{place(path, node)}: '{name}:' should contain lines of the form 'name: value'")
    return list(node.value)


def _grid(path: str | os.PathLike[str], node: yaml.Node | None, kind: type) -> Grid:
    grid: dict[str, tuple[Any, ...]] = {}
    known = flags_of(kind)
    for key_node, values in _mapping(path, node, "vary") if node is not None else []:
        name = written(key_node)
        if name not in known:
            raise SettingsError(f"{place(path, key_node)}: unknown key '{name}'{nearest(name, list(known))}")
        if not isinstance(values, yaml.SequenceNode) or not values.value:
            raise SettingsError(f"{place(path, values)}: {name} should be a list of values to vary over")
        if name in grid:
            raise SettingsError(f"{place(path, key_node)}: '{name}' is given twice")
        grid[name] = tuple(flag_value(path, known[name], value) for value in values.value)
        if len(set(grid[name])) < len(grid[name]):
            raise SettingsError(f"{place(path, values)}: {name} has the same value twice")
    runs = math.prod(map(len, grid.values()))
    if runs > MOST_RUNS:
        raise SettingsError(f"{path}: 'vary:' makes {runs:,} runs, more than {MOST_RUNS:,}; vary fewer flags")
    return grid


def _check_names(path: str | os.PathLike[str], names: Sequence[str]) -> None:
    """Check that names are unique. They contain the values of ``vary:``; of files only the name."""
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        raise SettingsError(
            f"{path}: 'vary:' gives two runs the name '{twice}', so one would overwrite the other; varied "
            "files must differ in more than folder and extension"
        )


def _check_once(
    path: str | os.PathLike[str],
    stage: str,
    flags: Mapping[str, Any],
    grid: Grid,
    changes: Mapping[str, Any],
) -> None:
    for name in grid:
        if name in changes:
            raise SettingsError(f"{path}: {name} is in 'vary:', so it cannot be set")
        if name in flags:
            raise SettingsError(
                f"{path}: {name} is in 'vary:' and also set for '{stage}'; remove one of them"
            )
