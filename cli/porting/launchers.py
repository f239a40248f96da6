"""Find the commands that run one of the programs, such as ``nohup th neural_style.lua``."""

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
    """A launched program. program: '' if its script's name is unknown.  first: index of the first flag."""

    program: str
    first: int


def find_launch(words: Sequence[str | None]) -> Launch | None:
    """The program that a command runs, or None if it is not one of ours. A word is None if it is unknown."""
    if not words or not (_base(words[0]) in LAUNCHERS or _base(words[0]) in PREFIXES):
        return None
    return _anywhere(words)


def hidden_launch(words: Sequence[str | None]) -> bool:
    """Whether an unsupported command, such as ``docker run``, runs one of the programs."""
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
    """Name, operator and value of ``NAME=VALUE`` or ``NAME+=VALUE``; ``NAME`` may have an index."""
    left, equals, value = word.partition("=")
    name = left.removesuffix("+")
    bare = name_at(name, 0)
    is_element = name[len(bare) :].startswith("[") and name.endswith("]")
    if not equals or not bare.isidentifier() or not (name == bare or is_element):
        return None
    return name, "+=" if left.endswith("+") else "=", value
