"""The command line grammar of torch.CmdLine, read left to right over the fields of Settings.

Kept: one leading dash and exact names; a boolean takes no value and turns the default around; a string takes
the next word even if it begins with a dash; a later flag wins. Ours: ``--flag``, ``-flag=value``, the nearest
name for an unknown flag, and no usage text behind an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from core.errors import SettingsError
from core.settings_text import FIELDS, format_value, nearest, parse_value

PROGRAM_FLAGS = {
    "config": "YAML file with any of these flags; the command line wins",
    "save_config": "Write the flags of this run to a YAML file",
    "trace_file": "Write the losses of every evaluation to a CSV file",
    "plot_losses": "Draw the losses into a PNG file",
    "dry_run": "Print sizes and memory, compute nothing (takes no value)",
}
SWITCHES = ("normalize_gradients", "cudnn_autotune", "dry_run")
HELP = ("-help", "-h", "--help")
NAME_COLUMNS = 21


@dataclass
class CommandLine:
    """What was given: ``settings`` by field name, ``program`` by the names of PROGRAM_FLAGS."""

    settings: dict[str, Any] = field(default_factory=dict)
    program: dict[str, str] = field(default_factory=dict)
    help: bool = False
    dry_run: bool = False


def parse(words: Sequence[str]) -> CommandLine:
    """Raises SettingsError naming the flag."""
    line, position = CommandLine(), 0
    while position < len(words):
        word = words[position]
        position += 1
        if word in HELP:
            line.help = True
            return line
        name, equals, value = _flag_name(word).partition("=")
        if name in SWITCHES:
            _check_switch(name, equals, value, words[position : position + 1])
        elif not equals:
            if position == len(words):
                raise SettingsError(f"missing argument for option -{name}")
            value = words[position]
            position += 1
        _store(line, name, value)
    return line


def _flag_name(word: str) -> str:
    """The word without its dashes; its name is one we know."""
    known = [f"-{name}" for name in (*FIELDS, *PROGRAM_FLAGS)]
    name = word.removeprefix("-").removeprefix("-")
    bare = "-" + name.partition("=")[0]
    if not word.startswith("-"):
        raise SettingsError(f"invalid argument: '{word}' stands where a flag should{nearest(bare, known)}")
    if bare not in known:
        raise SettingsError(f"unknown flag {word}{nearest(bare, known)}")
    return name


def _check_switch(name: str, equals: str, value: str, following: Sequence[str]) -> None:
    words = [value] if equals else [word for word in following if not word.startswith("-")]
    if words:
        raise SettingsError(f"invalid argument: '{words[0]}'; -{name} takes no value, naming it turns it on")


def _store(line: CommandLine, name: str, value: str) -> None:
    if name == "dry_run":
        line.dry_run = True
    elif name in PROGRAM_FLAGS:
        line.program[name] = value
    elif name in SWITCHES:
        line.settings[name] = True
    else:
        line.settings[name] = parse_value(name, value)


def usage(program: str) -> str:
    """The help text, in the form of torch.CmdLine: the original's flags in its order, then ours."""
    original = [name for name, item in FIELDS.items() if not item.metadata["ours"]]
    ours = [name for name, item in FIELDS.items() if item.metadata["ours"]]
    lines = [f"Usage: {program} [options]", *map(_describe, original), "", "Not in the original:"]
    lines += [_describe(name) for name in ours]
    lines += [_line(name, text) for name, text in PROGRAM_FLAGS.items()]
    return "\n".join(lines)


def _describe(name: str) -> str:
    default = FIELDS[name].default
    shown = str(default).lower() if isinstance(default, bool) else format_value(name, default)
    return f"{_line(name, FIELDS[name].metadata['help'])} [{shown}]"


def _line(name: str, text: str) -> str:
    return f"  -{name:<{NAME_COLUMNS - 1}} {text}"
