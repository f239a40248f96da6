"""The flags ``-config`` and ``-save_config`` of the programs."""

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
    """The settings: flags of the command line win over -config, -config over ``defaults``.

    Raises: SettingsError.
    """
    if "config" in line.others:
        defaults = read_yaml(line.others["config"], defaults)
    return replace(defaults, **line.settings)


def save_if_asked(line: CommandLine, settings: DataclassInstance) -> None:
    """Write ``settings`` to the file of -save_config, if given. Raises: SettingsError: that fails."""
    if "save_config" in line.others:
        from cli.runs.files import check_target, save_config

        check_target("save_config", line.others["save_config"])
        save_config(line.others["save_config"], settings)
