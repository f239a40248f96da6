"""Write commands as YAML: file names, flags common to stages, and the source as comments."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Any

from cli.porting.commands import Command
from cli.porting.grouping import common_loop
from core.settings.flags import Flag, is_list
from core.settings.yaml_files import dumped

DEFAULT_PROGRAM = "neural_style"
LONGEST_NAME = 100
EXACT = 1 << 53


def config_text(commands: Sequence[Command], source: str, base: Path, folder: Path) -> str:
    """The YAML text of a config with one run or several stages, for a file in ``folder``."""
    content: dict[str, Any] = {}
    if commands[0].program != DEFAULT_PROGRAM:
        content["program"] = commands[0].program
    if len(commands) == 1:
        content |= _flags(commands[0], base, folder)
    else:
        content |= _stages(commands, base, folder)
    comments = "".join(f"# {line}\n" for command in commands for line in _comments(command, source))
    if not content:
        return comments
    return comments + dumped(content, width=10**6)


def _comments(command: Command, source: str) -> list[str]:
    lines = [f"ported from {source}, line {command.line}", shlex.join(command.shown), *command.remarks]
    return [_one_line(line) for line in lines]


def _one_line(text: str) -> str:
    """The text as one comment line, without YAML's line ends and control characters."""
    return "".join(char if char.isprintable() else "?" for char in " ".join(text.split()))


def _stages(commands: Sequence[Command], base: Path, folder: Path) -> dict[str, Any]:
    for command in commands:
        command.changes.setdefault("output_image", command.settings.output_image)
    flags = [_flags(command, base, folder) for command in commands]
    first = flags[0]
    common = {name: first[name] for name in first if all(_has(stage, name, first[name]) for stage in flags)}
    names = unique([PurePath(command.settings.output_image).stem for command in commands])
    stages = {
        name: {key: value for key, value in stage.items() if key not in common}
        for name, stage in zip(names, flags, strict=True)
    }
    return {"defaults": common, "stages": stages} if common else {"stages": stages}


def _has(stage: dict[str, Any], name: str, value: Any) -> bool:
    return name in stage and bool(stage[name] == value)


def _flags(command: Command, base: Path, folder: Path) -> dict[str, Any]:
    return {name: _value(command.flags[name], value, base, folder) for name, value in command.changes.items()}


def _value(item: Flag, value: Any, base: Path, folder: Path) -> Any:
    if isinstance(value, tuple):
        values = [_value(item, part, base, folder) for part in value]
        is_plain = len(values) == 1 and is_list(item) and not item.metadata["numbers"]
        return values[0] if is_plain and values[0] and "," not in values[0] else values
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < EXACT else value
    if item.metadata["path"] and value and not (item.metadata["fixed"] and value == item.default):
        return seen_from(folder, base, value)
    return value


def seen_from(folder: Path, base: Path, name: str) -> str:
    """A path of the script, relative to ``folder`` of the config. Absolute paths stay."""
    return name if Path(name).is_absolute() else os.path.relpath(base / name, folder)


def unique(names: Sequence[str]) -> list[str]:
    """The names; a repeated one gets a number at its end."""
    found = list[str]()
    for name in names:
        candidate, number = name, 1
        while candidate.casefold() in {other.casefold() for other in found}:
            number += 1
            candidate = f"{name}_{number}"
        found.append(candidate)
    return found


def config_names(stem: str, groups: Sequence[Sequence[Command]]) -> list[str]:
    """File names without .yml: the script's name, with the values of its loops or a number at the end."""
    if len(groups) == 1:
        return [stem]
    names = list[str]()
    for number, commands in enumerate(groups, 1):
        values = [slug(value) for value in common_loop(list(commands))]
        names.append("_".join([stem, *(values or [str(number)])])[:LONGEST_NAME])
    return names


def slug(value: str) -> str:
    """A loop value as part of a file name; for a path, the file name without its extension."""
    path = PurePath(value)
    text = path.stem if path.suffix[1:2].isalpha() else path.name
    return "".join(char if char.isalnum() or char in "._-" else "_" for char in text).strip(".") or "_"
