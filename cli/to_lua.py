"""``nstyle to-lua``: a config as the command line of the original."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from core.errors import NeuralStyleError, SettingsError
from core.flags import Flag, flags_of
from core.programs import PROGRAMS
from core.settings_text import format_value, parse_value
from core.settings_yaml import read_yaml

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


@click.command("to-lua")
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--program", type=click.Choice(list(PROGRAMS)), default="neural_style", show_default=True)
def to_lua_command(config: Path, program: str) -> None:
    """Print the command of 2015 that CONFIG stands for: th neural_style.lua and the flags that differ.

    Flags that the original does not have are left out, and said so.
    """
    try:
        settings = read_yaml(config, PROGRAMS[program].settings())
        settings.validate()
        words, ours = lua_words(settings)
    except NeuralStyleError as error:
        click.echo(f"nstyle to-lua: {error}", err=True)
        sys.exit(1)
    for name in ours:
        click.echo(f"nstyle to-lua: -{name} is not in the original and is left out", err=True)
    click.echo(shlex.join(["th", PROGRAMS[program].lua, *words]))


def lua_words(settings: DataclassInstance) -> tuple[list[str], list[str]]:
    """Flags and values that differ from the defaults, and the names of those that the original does not have.

    Raises: SettingsError: a name with a comma, which no word of a command line stands for.
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
        raise SettingsError(f"{item.name}: cannot be written as one flag because of the commas in it")
    return word
