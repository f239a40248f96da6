"""Which commands run one of the programs: ``th neural_style.lua`` and its like, behind prefixes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from cli.porting.words import name_at
from core.settings.programs import PROGRAMS

LAUNCHERS = ("th", "qlua", "luajit", "lua")
PREFIXES = (
    *("env", "time", "nohup", "nice", "ionice", "sudo", "exec", "command", "stdbuf", "unbuffer"),
    *("timeout", "taskset", "optirun", "primusrun", "caffeinate"),
)
PRINTING = ("echo", "printf", "#")
SCRIPTS = {program.lua: name for name, program in PROGRAMS.items()}


class Launch(NamedTuple):
    """The program, and which word is its first flag. ``program`` is '' where the script is not known."""

    program: str
    first: int


def find_launch(words: Sequence[str | None]) -> Launch | None:
    """The program that a command runs, if it is one of ours. None stands for a word that cannot be known."""
    if not words or not (_base(words[0]) in LAUNCHERS or _base(words[0]) in PREFIXES):
        return None
    return _anywhere(words)


def hidden_launch(words: Sequence[str | None]) -> bool:
    """Whether a command that is not understood, such as ``docker run``, would run one of the programs."""
    if not words or words[0] in PRINTING:
        return False
    parts = [part for word in words if word is not None for part in word.split()]
    return _anywhere(parts) is not None


def _anywhere(words: Sequence[str | None]) -> Launch | None:
    for position, word in enumerate(words):
        if _base(word) in LAUNCHERS:
            script = position + 1
            while script < len(words) and (words[script] or "").startswith("-"):
                script += 1
            if script < len(words) and words[script] is None:
                return Launch("", script + 1)
            if script < len(words) and _base(words[script]) in SCRIPTS:
                return Launch(SCRIPTS[_base(words[script])], script + 1)
    return None


def _base(word: str | None) -> str:
    return PurePosixPath(word or "").name


def assignment(word: str) -> tuple[str, str, str] | None:
    """Name, operator and value of ``NAME=VALUE`` or ``NAME+=VALUE``; the name of an element has its index."""
    left, equals, value = word.partition("=")
    name = left.removesuffix("+")
    bare = name_at(name, 0)
    is_element = name[len(bare) :].startswith("[") and name.endswith("]")
    if not equals or not bare.isidentifier() or not (name == bare or is_element):
        return None
    return name, "+=" if left.endswith("+") else "=", value
