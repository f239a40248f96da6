"""The flags ``-config`` and ``-save_config``, the same in every program that runs from a YAML file."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from cli.terminal.lua_flags import CommandLine
from core.settings.yaml_files import read_yaml

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

S = TypeVar("S", bound="DataclassInstance")
CONFIG_FLAGS = {
    "config": "YAML file with any of these flags; the command line wins",
    "save_config": "Write the flags of this run to a YAML file",
}


def settings_of(line: CommandLine, defaults: S) -> S:
    """The command line's flags over those of -config over ``defaults``. Raises: SettingsError."""
    if "config" in line.others:
        defaults = read_yaml(line.others["config"], defaults)
    return replace(defaults, **line.settings)


def save_if_asked(line: CommandLine, settings: DataclassInstance) -> None:
    """Write ``settings`` where -save_config says. Raises: SettingsError: the file cannot be written."""
    if "save_config" in line.others:
        from cli.runs.files import check_target, save_config

        check_target("save_config", line.others["save_config"])
        save_config(line.others["save_config"], settings)
