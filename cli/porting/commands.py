"""Parse the flags of each command with the grammar of its program."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from cli.porting.findings import Findings
from cli.porting.simple import Call, Word
from cli.terminal.lua_flags import HELP, Grammar, parse
from core.errors import SettingsError
from core.settings.flags import Flag, flags_of
from core.settings.programs import PROGRAMS
from core.settings.text import nearest


@dataclass
class Command:
    """One run of a program.

    line: its line in the script.  changes: the flags that were given.  shown: all words.  loop: the values of
    the loops around it.  remarks: sentences for the person and for the config's comments.
    """

    program: str
    line: int
    changes: dict[str, Any]
    shown: tuple[str, ...]
    loop: tuple[str, ...]
    remarks: list[str] = field(default_factory=list)

    @property
    def settings(self) -> Any:
        """The settings of the program with the flags of this command."""
        return PROGRAMS[self.program].settings(**self.changes)

    @property
    def flags(self) -> dict[str, Flag]:
        """The flags of the program."""
        kind: type = PROGRAMS[self.program].settings
        return flags_of(kind)


def read_call(call: Call, findings: Findings) -> Command | None:
    """The command of a call; None if it has errors, which are added to ``findings``."""
    settings = PROGRAMS[call.program].settings
    grammar, is_good = Grammar(call.program, settings, {}), True
    changes, lines = dict[str, Any](), dict[str, int]()
    for words in _flags(grammar, call.words):
        try:
            given = parse_flag(grammar, [word.text or "" for word in words])
        except SettingsError as error:
            findings.error(words[0].line, str(error))
            is_good = False
            continue
        changes |= given
        lines |= dict.fromkeys(given, words[0].line)
    command = Command(call.program, call.line, changes, call.shown, call.loop, list(call.remarks))
    return command if is_good and _is_valid(command, lines, findings) else None


def _flags(grammar: Grammar, words: list[Word]) -> Iterator[list[Word]]:
    """The words of one flag and its value at a time, so that every error has a line number."""
    start = 0
    while start < len(words):
        name = (words[start].text or "").removeprefix("-").removeprefix("-")
        following = (words[start + 1].text or "") if start + 1 < len(words) else "-"
        alone = "=" in name or grammar.takes_no_value(name) or name not in grammar.flags
        count = 1 if alone and following.startswith("-") else 2
        if "=" in name:
            count = 1
        yield words[start : start + count]
        start += count


def parse_flag(grammar: Grammar, words: list[str]) -> dict[str, Any]:
    """Parse one flag and its value. Raises: SettingsError, also for a flag that the original lacks."""
    if words[0] in HELP:
        raise SettingsError(f"{words[0]} only prints the flags; leave the command out")
    given = parse(grammar, words).settings
    for name in given:
        if grammar.flags[name].metadata["ours"]:
            original = [f"-{item.name}" for item in grammar.flags.values() if not item.metadata["ours"]]
            raise SettingsError(
                f"unknown flag -{name}: {PROGRAMS[grammar.program].lua} does not have it"
                f"{nearest('-' + name, original)}"
            )
    return given


def _is_valid(command: Command, lines: dict[str, int], findings: Findings) -> bool:
    try:
        command.settings.validate()
    except SettingsError as error:
        flag = str(error).split()[0].strip("-:")
        findings.error(lines.get(flag, command.line), str(error))
        return False
    return True


def remark_on_flags(command: Command) -> None:
    """Add remarks on flags that have no effect or another meaning in this program."""
    settings = command.settings
    sentences = list(settings.notices())
    if command.program == "neural_style" and settings.gpu.startswith("-"):
        if settings.backend == "cudnn":
            sentences.append("-backend cudnn: treated as nn on the CPU, as in the original")
        if settings.cudnn_autotune:
            sentences.append("-cudnn_autotune has no effect on the CPU")
    command.remarks += [sentence for sentence in sentences if sentence not in command.remarks]


def path_flags(command: Command) -> Iterator[tuple[str, int, str]]:
    """Flag, position in its list and path of every file of the flags, defaults included."""
    settings = command.settings
    for item in command.flags.values():
        value = getattr(settings, item.name)
        if item.metadata["path"]:
            for position, name in enumerate(value if isinstance(value, tuple) else (value,)):
                yield item.name, position, name
