"""Parse a command line with the grammar of Torch7's torch.CmdLine.

As in torch.CmdLine: flags have one dash and exact names; a boolean takes no value and is the opposite of its
default; a string takes the next word even if it begins with a dash; a later flag wins. Added here: ``--flag``
and ``-flag=value``, and the nearest name for an unknown flag. An error does not print the usage text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.errors import SettingsError
from core.settings.flags import Flag, flags_of
from core.settings.text import format_value, nearest, parse_value

HELP = ("-help", "-h", "--help")
NAME_COLUMNS = 21


@dataclass(frozen=True)
class Grammar:
    """The flags of one program.

    settings: the dataclass of its settings.  others: flags that are not settings, such as -config, with their
    help text; those in ``switches`` take no value.
    """

    program: str
    settings: type
    others: Mapping[str, str]
    switches: tuple[str, ...] = ()

    @property
    def flags(self) -> dict[str, Flag]:
        """The flags that are settings."""
        return flags_of(self.settings)

    def takes_no_value(self, name: str) -> bool:
        """Whether the flag is a switch or a boolean."""
        return name in self.switches or (name in self.flags and isinstance(self.flags[name].default, bool))


@dataclass
class CommandLine:
    """A parsed command line: ``settings`` by field name, ``others`` by flag. A switch has the value ''."""

    settings: dict[str, Any] = field(default_factory=dict)
    others: dict[str, str] = field(default_factory=dict)
    help: bool = False


def parse(grammar: Grammar, words: Sequence[str]) -> CommandLine:
    """Parse ``words``. Raises: SettingsError, which names the flag."""
    line, position = CommandLine(), 0
    while position < len(words):
        word = words[position]
        position += 1
        if word in HELP:
            line.help = True
            return line
        name, equals, value = _flag_name(grammar, word).partition("=")
        if grammar.takes_no_value(name):
            _check_switch(name, equals, value, words[position : position + 1])
        elif not equals:
            if position == len(words):
                raise SettingsError(f"missing argument for option -{name}")
            value = words[position]
            position += 1
        if name in grammar.others:
            line.others[name] = value
        else:
            item = grammar.flags[name]
            line.settings[name] = isinstance(item.default, bool) or parse_value(item, value)
    return line


def _flag_name(grammar: Grammar, word: str) -> str:
    """The word without its dashes. Raises: SettingsError: not a flag, or not a known one."""
    known = [f"-{name}" for name in (*grammar.flags, *grammar.others)]
    name = word.removeprefix("-").removeprefix("-")
    bare = "-" + name.partition("=")[0]
    if not word.startswith("-"):
        raise SettingsError(f"invalid argument: '{word}' where a flag is expected{nearest(bare, known)}")
    if bare not in known:
        raise SettingsError(f"unknown flag {word}{nearest(bare, known)}")
    return name


def _check_switch(name: str, equals: str, value: str, following: Sequence[str]) -> None:
    words = [value] if equals else [word for word in following if not word.startswith("-")]
    if words:
        raise SettingsError(f"invalid argument: '{words[0]}'; -{name} takes no value; remove '{words[0]}'")


def usage(grammar: Grammar) -> str:
    """The help text in torch.CmdLine's form: the original's flags in their order, then the added ones."""
    flags = grammar.flags.values()
    lines = [f"Usage: {grammar.program} [options]"]
    lines += [_described(item) for item in flags if not item.metadata["ours"]]
    lines += ["", "Not in the original:"]
    lines += [_described(item) for item in flags if item.metadata["ours"]]
    lines += [_line(name, text) for name, text in grammar.others.items()]
    return "\n".join(lines)


def default_text(item: Flag) -> str:
    """A flag's default as it is written on the command line."""
    return str(item.default).lower() if isinstance(item.default, bool) else format_value(item.default)


def _described(item: Flag) -> str:
    return f"{_line(item.name, item.metadata['help'])} [{default_text(item)}]"


def _line(name: str, text: str) -> str:
    return f"  -{name:<{NAME_COLUMNS - 1}} {text}"
