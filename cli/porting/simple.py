"""Evaluate simple commands: assignments, style commands, and commands that are left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import TYPE_CHECKING

from cli.porting.expansion import expand, expand_value
from cli.porting.findings import Findings, RefusedError
from cli.porting.launchers import Launch, assignment, find_launch, hidden_launch
from cli.porting.syntax import Script
from cli.porting.variables import Unknown, Variables
from cli.porting.words import RawCommand, RawWord, array_items, name_at, read_commands

if TYPE_CHECKING:
    from tree_sitter import Node

HARMLESS = (
    *("echo", "printf", "set", "mkdir", "true", "false", ":", "sleep", "date", "wait"),
    *("shopt", "trap", "return"),
)
DECLARING = ("export", "declare", "readonly", "local", "typeset")
BLANKS_ESCAPED = ("\\ ", "\\\t")
SETTING = ("read", "let", "mapfile", "readarray", "getopts")


@dataclass(frozen=True)
class Word:
    """A word of a command as the program receives it; ``text`` is None if it is unknown."""

    text: str | None
    line: int
    refusal: RefusedError | None = None


@dataclass
class Call:
    """One run of a program. words: flags and values.  shown: all words.  loop: values of loops around it."""

    program: str
    line: int
    words: list[Word]
    shown: tuple[str, ...]
    loop: tuple[str, ...]
    remarks: list[str] = field(default_factory=list)


@dataclass
class State:
    """The state of the evaluation at one point of the script.

    tells: whether commands that are left out get a remark.  is_over: whether there was an ``exit``.
    """

    script: Script
    variables: Variables
    findings: Findings
    tells: bool
    calls: list[Call] = field(default_factory=list)
    loop: list[str] = field(default_factory=list)
    is_over: bool = False

    def raw_commands(self, node: Node) -> Iterator[RawCommand]:
        """The simple commands written in ``node``."""
        script = self.script
        return read_commands(script.text, script.position(node), script.position(node, end=True))

    def remark(self, line: int, sentence: str) -> None:
        """Add a remark on something other than a style command."""
        if self.tells:
            self.findings.remark(line, sentence)


def run_simple(state: State, command: RawCommand) -> None:
    """Evaluate one simple command."""
    settings = list(takewhile(lambda word: assignment(word.text), command.words))
    words = command.words[len(settings) :]
    if words and words[-1].text in BLANKS_ESCAPED:
        words.pop()  # a blank after the backslash; the next line gives the error
    if not words or words[0].text in DECLARING:
        for word in settings or words:
            _assign(state, word)
        return
    expanded = expanded_words(state, words)
    launch = find_launch([word.text for word in expanded])
    if launch:
        _style_command(state, command, settings, expanded, launch)
    else:
        _other_command(state, expanded, words[0])


def is_style_command(state: State, command: RawCommand) -> bool:
    """Whether a command runs one of the programs, itself or inside another command."""
    words = list(command.words)
    while words and assignment(words[0].text):
        words.pop(0)
    texts = [word.text for word in expanded_words(state, words)]
    return find_launch(texts) is not None or hidden_launch(texts)


def expanded_words(state: State, raw: Sequence[RawWord]) -> list[Word]:
    """The expanded words; a word that is unknown keeps the reason."""
    found = list[Word]()
    for word in raw:
        line = state.script.line_at(word.start)
        try:
            found += [Word(text, line) for text in expand(word.text, state.variables)]
        except RefusedError as refusal:
            found.append(Word(None, line, refusal))
    return found


def _assign(state: State, word: RawWord) -> None:
    parts = assignment(word.text)
    if parts is None:  # export NAME
        return
    name, operator, written = parts
    line, variables = state.script.line_at(word.start), state.variables
    try:
        if not name.isidentifier():
            raise RefusedError("elements of arrays are not supported; write NAME=(...)")
        value = _value(written, variables)
        before = variables.value(name) if operator == "+=" and variables.find(name) is not None else []
        if operator == "+=" and not written.startswith("("):
            value = ["".join((*before[:1], *value)), *before[1:]]
        elif operator == "+=":
            value = [*before, *value]
        variables.values[name] = value
    except RefusedError as refusal:
        variables.values[name_at(name, 0)] = _unknown(name_at(name, 0), line, refusal)


def _value(written: str, variables: Variables) -> list[str]:
    if written.startswith("(") and written.endswith(")"):
        return [text for item in array_items(written) for text in expand(item, variables)]
    return [expand_value(written, variables)]


def _unknown(name: str, line: int, refusal: RefusedError) -> Unknown:
    """The reason why a variable is unknown, for an error where it is used.

    If its value comes from another unknown variable, the reason is the other one's.
    """
    if refusal.of_variable:
        return Unknown(str(refusal))
    return Unknown(f"${name} is set in line {line}, but {refusal}, or give it with --define {name}=VALUE")


def forget(state: State, names: Sequence[str], line: int, what: str) -> None:
    """Mark variables as unknown that are set by ``what``, which is not followed."""
    for name in names:
        state.variables.values[name] = Unknown(
            f"${name} is set in line {line} by {what}, which is not evaluated; "
            f"give its value with --define {name}=VALUE"
        )


def _style_command(
    state: State, command: RawCommand, settings: list[RawWord], words: list[Word], launch: Launch
) -> None:
    refused = [word for word in words if word.refusal]
    for word in refused:
        state.findings.error(word.line, str(word.refusal))
    line = state.script.line_at(command.words[0].start)
    reads = [text for text in command.redirections if text.lstrip("0123456789").startswith("<")]
    if reads:
        state.findings.error(
            line,
            f"'{reads[0]}' is a redirection; if <NAME> is a placeholder, replace it by a name without <>",
        )
    if refused or reads:
        return
    prefix = [word.text or "" for word in words[: launch.first]]
    dropped = [word.text for word in settings] + [text for text in prefix if assignment(text)]
    remarks = [f"'{text}' is left out; set it where the config is run" for text in dropped]
    if command.redirections:
        remarks.append(f"'{' '.join(command.redirections)}' is left out")
    shown = tuple(word.text or "" for word in words)
    call = Call(launch.program, line, words[launch.first :], shown, tuple(state.loop), remarks)
    state.calls.append(call)


def _other_command(state: State, words: list[Word], first: RawWord) -> None:
    line = state.script.line_at(first.start)
    name = words[0].text if words and words[0].text is not None else first.text
    if name[:1] == "-" and name[1:2].isalpha():
        state.findings.error(
            line,
            f"{name} begins a command, so the backslash at the end of the line before is missing or "
            "followed by a space; make the backslash the last character of that line",
        )
    elif hidden_launch([word.text for word in words]):
        state.findings.error(
            line, f"'{name}' with a style command in it cannot be ported; write the command without '{name}'"
        )
    elif name in BUILTINS:
        BUILTINS[name](state, words[1:], line)
    elif name not in HARMLESS:
        state.remark(line, f"'{name}' is not ported")


def _exit(state: State, arguments: list[Word], line: int) -> None:
    state.is_over = True


def _cd(state: State, arguments: list[Word], line: int) -> None:
    state.remark(line, f"'cd' is ignored; paths are relative to {state.variables.base} (see --base)")


def _shift(state: State, arguments: list[Word], line: int) -> None:
    count = (arguments[0].text or "1") if arguments else "1"
    state.variables.shifted += int(count) if count.isdecimal() else 1


def _set_unseen(state: State, arguments: list[Word], line: int) -> None:
    names = [name_at(word.text or "", 0) for word in arguments]
    forget(state, [name for name in names if name.isidentifier()], line, "a command")


def _unset(state: State, arguments: list[Word], line: int) -> None:
    for word in arguments:
        state.variables.values.pop(word.text or "", None)


BUILTINS = {"exit": _exit, "cd": _cd, "shift": _shift, "unset": _unset} | dict.fromkeys(SETTING, _set_unseen)
