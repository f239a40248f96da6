"""``nstyle to-lua``: print a config as command lines of the original."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.terminal.output import notice, print_log
from cli.terminal.program import ending
from core.errors import SettingsError
from core.settings.flags import Flag, flags_of
from core.settings.programs import PROGRAMS
from core.settings.text import format_value, parse_value
from core.stages.config import read_config

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


@click.command("to-lua")
@click.argument("config", type=click.Path(path_type=Path))
def to_lua_command(config: Path) -> None:
    """Print the original's commands for CONFIG: th neural_style.lua and the flags that are not defaults.

    One line per run, in their order. Flags that the original does not have are left out, with a notice.
    """

    def act() -> int:
        lines, left_out = [], dict[str, None]()
        for stage in read_config(config).stages:
            stage.settings.validate()
            words, ours = lua_words(stage.settings)
            left_out |= dict.fromkeys(ours)
            lines.append(shlex.join(["th", PROGRAMS[stage.program].lua, *words]))
        for name in left_out:
            notice(f"-{name} is not in the original and is left out", "nstyle to-lua")
        print_log("\n".join(lines) + "\n")
        return 0

    sys.exit(ending("nstyle to-lua", act))


def lua_words(settings: DataclassInstance) -> tuple[list[str], list[str]]:
    """The words of the flags that are not defaults, and the names of those that the original does not have.

    Raises: SettingsError: a file name contains a comma, which the command line takes as a separator.
    """
    words, ours = [], []
    for item in flags_of(type(settings)).values():
        value = getattr(settings, item.name)
        if value == item.default:
            continue
        if item.metadata["ours"]:
            ours.append(item.name)
            continue
        words.append(f"-{item.name}")
        if value is not True:
            words.append(_word(item, value))
    return words, ours


def _word(item: Flag, value: Any) -> str:
    word = format_value(value)
    if parse_value(item, word) != value:  # more digits than Lua prints
        word = ",".join(map(repr, value)) if isinstance(value, tuple) else repr(value)
    if parse_value(item, word) != value:
        raise SettingsError(f"{item.name}: cannot be written as one flag, since a value contains a comma")
    return word
