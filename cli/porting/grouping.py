"""Group the commands of a file: one that reads another's picture belongs to the same config."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import takewhile
from pathlib import PurePath
from typing import NamedTuple

from cli.porting.commands import Command, path_flags
from cli.porting.findings import Findings

READS = ("init_image", "content_image", "style_image", "input_image")
SAVING = {"neural_style": "save_iter", "slow_neural_style": "save_every"}


class Link(NamedTuple):
    """Command ``reader`` reads a picture that command ``writer`` writes.

    flag, position: the reader's flag and the index in its list.  suffix: ``_100`` for intermediate pictures.
    """

    reader: int
    flag: str
    position: int
    writer: int
    suffix: str


def groups(commands: list[Command], findings: Findings) -> list[list[Command]]:
    """The commands of each config, in the order of the script. An output written twice is renamed."""
    links = list(_links(commands))
    parents = list(range(len(commands)))
    for link in links:
        if commands[link.reader].program == commands[link.writer].program:
            parents[_root(parents, link.reader)] = _root(parents, link.writer)
        else:
            _remark_on_order(commands, link, findings)
    members = dict[int, list[int]]()
    for number in range(len(commands)):
        members.setdefault(_root(parents, number), []).append(number)
    found = list(members.values())
    for numbers in found:
        _rename_what_is_overwritten(commands, numbers, links, findings)
    _remark_on_shared_outputs(commands, found, findings)
    return [[commands[number] for number in numbers] for numbers in found]


def _links(commands: list[Command]) -> Iterator[Link]:
    latest = dict[str, int]()
    for reader, command in enumerate(commands):
        for flag, position, name in path_flags(command):
            for writer, suffix in _writers(commands, latest, name) if flag in READS and name else ():
                yield Link(reader, flag, position, writer, suffix)
        latest[output_of(command)] = reader


def output_of(command: Command) -> str:
    """The picture that a command writes, '' if it names none."""
    name = getattr(command.settings, "output_image", "")
    return os.path.normpath(name) if name else ""


def _writers(commands: list[Command], latest: dict[str, int], name: str) -> list[tuple[int, str]]:
    """The last command so far that writes this picture, as a final or an intermediate one; or none."""
    picture = PurePath(os.path.normpath(name))
    found = [(latest[str(picture)], "")] if str(picture) in latest else []
    stem, _, digits = picture.stem.rpartition("_")
    output = str(picture.parent / f"{stem}{picture.suffix}")
    if output in latest and _is_saved(commands[latest[output]], digits):
        found.append((latest[output], f"_{digits}"))
    return [max(found)] if found else []


def _is_saved(command: Command, digits: str) -> bool:
    if command.program not in SAVING or not (digits.isdecimal() and digits.isascii()):
        return False
    settings = command.settings
    every: float = getattr(settings, SAVING[command.program])
    return every > 0 and 0 < int(digits) <= settings.num_iterations and int(digits) % every == 0.0


def _root(parents: list[int], number: int) -> int:
    while parents[number] != number:
        number = parents[number]
    return number


def _remark_on_order(commands: list[Command], link: Link, findings: Findings) -> None:
    writer, reader = commands[link.writer], commands[link.reader]
    sentence = (
        f"-{link.flag} is a picture that line {writer.line} makes with {writer.program}; "
        f"a config has one program, so run the config of line {writer.line} first"
    )
    findings.remark(reader.line, sentence)
    reader.remarks.append(sentence)


def _rename_what_is_overwritten(
    commands: list[Command], numbers: list[int], links: list[Link], findings: Findings
) -> None:
    """Give each stage its own output, and the new name to the stages that read it."""
    last = {output_of(commands[number]): number for number in numbers}
    for stage, number in enumerate(numbers, 1):
        output = output_of(commands[number])
        if not output or last[output] == number:
            continue
        taken = {output_of(command) for command in commands}
        renamed = _free_name(PurePath(output), f"_stage{stage}", taken)
        commands[number].changes["output_image"] = str(renamed)
        for link in links:
            if link.writer == number:
                name = renamed.with_name(f"{renamed.stem}{link.suffix}{renamed.suffix}")
                _rewire(commands[link.reader], link, str(name))
        sentence = f"{output} is written again by a later stage, so this stage writes {renamed}"
        findings.remark(commands[number].line, sentence)
        commands[number].remarks.append(sentence)


def _free_name(output: PurePath, ending: str, taken: set[str]) -> PurePath:
    renamed = output.with_name(f"{output.stem}{ending}{output.suffix}")
    while str(renamed) in taken:
        renamed = renamed.with_name(f"{renamed.stem}_{output.suffix}")
    return renamed


def _rewire(command: Command, link: Link, name: str) -> None:
    value = getattr(command.settings, link.flag)
    if isinstance(value, tuple):
        command.changes[link.flag] = (*value[: link.position], name, *value[link.position + 1 :])
    else:
        command.changes[link.flag] = name


def _remark_on_shared_outputs(commands: list[Command], found: list[list[int]], findings: Findings) -> None:
    """Add a remark for separate configs that write the same file; the name is not changed."""
    writers = dict[str, int]()
    for numbers in found:
        for number in numbers:
            output = output_of(commands[number])
            earlier = writers.setdefault(output, number)
            if output and earlier not in numbers:
                findings.remark(
                    commands[number].line, f"writes {output}, as line {commands[earlier].line} does"
                )


def common_loop(commands: list[Command]) -> tuple[str, ...]:
    """The values of the loops that contain all of the commands."""
    levels = zip(*(command.loop for command in commands), strict=False)
    return tuple(values[0] for values in takewhile(lambda values: len(set(values)) == 1, levels))
