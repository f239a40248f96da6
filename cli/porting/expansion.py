"""Expand words as the shell does: variables, quotes, splitting at blanks, file name patterns."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from cli.porting.findings import RefusedError
from cli.porting.patterns import replaced, trimmed
from cli.porting.variables import Values, Variables
from cli.porting.words import braces, name_at, unit_end, units

REFUSED = (
    ("$((", "the arithmetic {}"),
    ("$[", "the arithmetic {}"),
    ("$(", "the command substitution {}"),
    ("`", "the command substitution {}"),
    ("<(", "the process substitution {}"),
    (">(", "the process substitution {}"),
)
LONGEST = 1000
LONGEST_QUOTE = 60


class Piece(NamedTuple):
    """Part of a word.

    quoted: not a file name pattern.  splits: a variable outside quotes, to be split at blanks.  ends: the
    word ends after it.
    """

    text: str
    quoted: bool = False
    splits: bool = False
    ends: bool = False


def expand(raw: str, variables: Variables) -> list[str]:
    """The words that ``raw`` expands to; none if it is an empty variable. Raises: RefusedError."""
    found = list[str]()
    for written in braces(raw):
        for pieces in _words(_word_pieces(written, variables)):
            found += _files(pieces, variables)
    return found


def expand_value(raw: str, variables: Variables) -> str:
    """Expand the value of an assignment: no splitting, braces or file name patterns. Raises: RefusedError."""
    pieces = _word_pieces(raw, variables)
    return "".join(piece.text + " " * piece.ends for piece in pieces)


def _word_pieces(raw: str, variables: Variables) -> Iterator[Piece]:
    if raw == "~" or raw.startswith("~/"):
        yield Piece(variables.value("HOME")[0], quoted=True)
        raw = raw[1:]
    yield from _pieces(raw, variables, False)


def _pieces(raw: str, variables: Variables, quoted: bool) -> Iterator[Piece]:
    for unit in units(raw, quoted):
        if unit.startswith("\\"):
            yield from _escaped(unit, quoted)
        elif unit[0] in "$`" and len(unit) > 1:
            yield from _expansion(unit, variables, quoted)
        elif quoted:
            yield Piece(unit, quoted=True)
        else:
            yield from _plain(unit, variables)


def _escaped(unit: str, quoted: bool) -> Iterator[Piece]:
    """A backslash and a character. In double quotes it escapes only ``$``, a backquote, ``"`` and itself."""
    kept = quoted and unit[1:] not in ("$", "`", '"', "\\", "\n")
    yield Piece(unit if kept else unit[1:].replace("\n", ""), quoted=quoted or unit[1:] != "\n")


def _plain(unit: str, variables: Variables) -> Iterator[Piece]:
    if unit[0] == "'" and len(unit) > 1:
        yield Piece(unit[1:-1], quoted=True)
    elif unit[0] == '"' and len(unit) > 1:
        yield from _double_quoted(unit, variables)
    else:
        _refuse(unit)
        yield Piece(unit)


def _double_quoted(unit: str, variables: Variables) -> Iterator[Piece]:
    inner = list(_pieces(unit[1:-1], variables, True))
    if not any(piece.ends for piece in inner):
        yield Piece("", quoted=True)  # so that "" is a word
    yield from inner


def _refuse(unit: str) -> None:
    for start, sentence in REFUSED:
        if unit.startswith(start):
            what = sentence.format(_short(unit))
            raise RefusedError(f"{what} is not run; write its result instead")
    if unit.startswith("$'"):
        raise RefusedError(f"{_short(unit)} is not supported; write the text in plain quotes")


def _short(unit: str) -> str:
    text = " ".join(unit.split())
    return text if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE]}..."


def _expansion(unit: str, variables: Variables, quoted: bool) -> Iterator[Piece]:
    _refuse(unit)
    if unit.startswith('$"'):
        yield from _double_quoted(unit[1:], variables)
    elif unit.startswith("${"):
        yield from _parameter(unit, variables, quoted)
    else:
        yield from _of_values(variables.value(unit[1:]), unit[1:], quoted)


def _of_values(values: Values, selector: str, quoted: bool) -> Iterator[Piece]:
    """``"$@"`` gives one word for each value, ``"$*"`` one word, a name the first value of an array."""
    if selector not in ("@", "*"):
        values = values[:1]
    if selector == "*" or not quoted:
        yield Piece(" ".join(values), quoted, splits=not quoted)
        return
    for number, value in enumerate(values, 1):
        yield Piece(value, quoted=True, ends=number < len(values))


def _parameter(unit: str, variables: Variables, quoted: bool) -> Iterator[Piece]:
    """``${NAME}`` with an index, a default or a pattern to remove or replace."""
    body = unit[2:-1]
    name = body[:1] if body[:1] in ("@", "*") else name_at(body, 0)
    digits = len(body) - len(body.lstrip("0123456789"))
    name = body[:digits] if digits else name
    rest = body[len(name) :]
    if not name or name in ("!", "#", "$", "?", "-"):
        raise RefusedError(f"{_short(unit)} is not supported; write its value instead")
    selector = name
    if rest.startswith("["):
        selector, _, rest = rest[1:].partition("]")
    operator = rest.removeprefix(":")[:1]
    if operator in ("-", "=", "+", "?"):
        yield from _with_default(name, operator, rest, variables, quoted)
        return
    values = _indexed(variables.value(name), selector, unit)
    changed = [_changed(value, rest, unit, variables) for value in values]
    yield from _of_values(changed, selector, quoted)


def _indexed(values: Values, selector: str, unit: str) -> Values:
    if not selector.isdigit() or unit.startswith("${" + selector):
        return values
    if int(selector) >= len(values):
        raise RefusedError(f"{_short(unit)}: the array has {len(values)} elements, counted from 0")
    return [values[int(selector)]]


def _with_default(name: str, operator: str, rest: str, variables: Variables, quoted: bool) -> Iterator[Piece]:
    """``:-``, ``:=``, ``:+`` and ``:?``; without the colon an empty value counts as set."""
    found = variables.find(name)
    is_set = found is not None and (not rest.startswith(":") or any(found))
    if is_set and operator != "+":
        yield from _of_values(variables.value(name), name, quoted)
        return
    if operator == "+" and not is_set:
        return
    if operator == "?":
        variables.value(name)
    other = rest.removeprefix(":")[1:]
    if operator == "=":
        variables.values[name] = [expand_value(other, variables)]
    for piece in _pieces(other, variables, quoted):
        yield piece._replace(splits=not piece.quoted)


def _changed(value: str, rest: str, unit: str, variables: Variables) -> str:
    if not rest:
        return value
    if len(value) > LONGEST:
        raise RefusedError(f"{_short(unit)}: its value is too long for a pattern")
    for operator in ("%%", "%", "##", "#"):
        if rest.startswith(operator):
            return trimmed(value, operator, _pattern(rest[len(operator) :], variables))
    everywhere = rest.startswith("//")
    pattern, other = _at_slash(rest[1 + everywhere :])
    if rest[0] != "/" or pattern[:1] in ("#", "%"):
        raise RefusedError(f"{_short(unit)} is not supported; write its value instead")
    return replaced(value, _pattern(pattern, variables), expand_value(other, variables), everywhere)


def _at_slash(rest: str) -> tuple[str, str]:
    cut = 0
    while cut < len(rest) and rest[cut] != "/":
        cut = unit_end(rest, cut)
    return rest[:cut], rest[cut + 1 :]


def _pattern(raw: str, variables: Variables) -> str:
    return _as_pattern(_pieces(raw, variables, False))


def _as_pattern(pieces: Iterable[Piece]) -> str:
    return "".join(glob.escape(piece.text) if piece.quoted else piece.text for piece in pieces)


def _words(pieces: Iterator[Piece]) -> list[list[Piece]]:
    """Join pieces to words; values of variables outside quotes are split at blanks."""
    found, current = list[list[Piece]](), list[Piece]()
    for piece in pieces:
        for part in _split(piece) if piece.splits else [piece]:
            if part.text or part.quoted:
                current.append(part)
            if part.ends and current:
                found.append(current)
                current = []
    return [*found, current] if current else found


def _split(piece: Piece) -> list[Piece]:
    parts = piece.text.replace("\t", " ").replace("\n", " ").split(" ")
    return [Piece(part, ends=number < len(parts)) for number, part in enumerate(parts, 1)]


def _files(pieces: list[Piece], variables: Variables) -> list[str]:
    """The word, or the files that match it if it is a pattern."""
    text = "".join(piece.text for piece in pieces)
    special = {char for piece in pieces if not piece.quoted for char in piece.text}
    if not (special & {"*", "?"} or {"[", "]"} <= special):
        return [text]
    pattern = _as_pattern(pieces)
    found = sorted(glob.glob(pattern, root_dir=variables.base))  # noqa: PTH207 (hidden files as in the shell)
    if not found:
        raise RefusedError(f"no file in {variables.base} matches {text}; --base names another folder")
    return found
