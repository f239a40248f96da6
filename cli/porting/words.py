"""Split shell text into words and expand braces.

The words are read from the text, not from tree-sitter's tree: the tree loses blanks between two expansions
and cuts some words in two, such as ``out_{1..5}_$A.png``.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

from cli.porting.findings import RefusedError

BLANKS = " \t"
ENDS = ";&|\n()"
CONTINUATION = "\\\n"
SPECIAL = "@*#?$!-"
MOST_WORDS = 10_000


class RawWord(NamedTuple):
    """A word as it is written, and its position in the text."""

    text: str
    start: int


class RawCommand(NamedTuple):
    """Words and redirections of a simple command as they are written, and the position of its end."""

    words: list[RawWord]
    redirections: list[str]
    end: int


def units(text: str, quoted: bool = False) -> Iterator[str]:
    """The text in pieces: an escaped character, a quotation, an expansion, or a single character."""
    start = 0
    while start < len(text):
        end = unit_end(text, start, quoted)
        yield text[start:end]
        start = end


def unit_end(text: str, start: int, quoted: bool = False) -> int:
    """The end of the piece that begins at ``start``. Inside double quotes, other quotes are plain."""
    if text[start] == "\\":
        return min(start + 2, len(text))
    if text[start] == "`":
        return _closing(text, start + 1, "`", quoted=True)
    if text[start] == "$":
        return _expansion_end(text, start, quoted)
    return start + 1 if quoted else _quotation_end(text, start)


def _quotation_end(text: str, start: int) -> int:
    if text[start] == "'":
        end = text.find("'", start + 1)
        return len(text) if end < 0 else end + 1
    if text[start] == '"':
        return _closing(text, start + 1, '"', quoted=True)
    if text[start] in "<>" and text.startswith("(", start + 1):
        return _closing(text, start + 2, ")")
    return start + 1


def _expansion_end(text: str, start: int, quoted: bool) -> int:
    following = text[start + 1 : start + 2]
    if following == "{":
        return _closing(text, start + 2, "}", quoted)
    if following in ("(", "["):
        return _closing(text, start + 2, ")" if following == "(" else "]")
    if following == "'" and not quoted:
        return _closing(text, start + 2, "'", quoted=True)
    if following == '"' and not quoted:
        return _closing(text, start + 2, '"', quoted=True)
    return start + 1 + len(name_at(text, start + 1))


def name_at(text: str, start: int) -> str:
    """The variable name at ``start``: an identifier, a digit or a special character; or ''."""
    first = text[start : start + 1]
    if first and (first in SPECIAL or first in "0123456789"):
        return first
    end = start
    while end < len(text) and text[start : end + 1].isidentifier() and text[end].isascii():
        end += 1
    return text[start:end]


def _closing(text: str, start: int, closer: str, quoted: bool = False) -> int:
    """The position after the closing character, or the end of the text."""
    position = start
    while position < len(text):
        if text[position] == closer:
            return position + 1
        if closer == ")" and text[position] == "(":
            position = _closing(text, position + 1, ")")
        else:
            position = unit_end(text, position, quoted)
    return position


def read_command(text: str, start: int) -> RawCommand:
    """The simple command or list of words that begins at ``start``."""
    words, redirections = list[RawWord](), list[str]()
    position = skip_blanks(text, start)
    while not _ends_at(text, position):
        behind = _operator_end(text, position)
        if behind > position:
            end = _word_end(text, skip_blanks(text, behind))
            redirections.append(text[position:end])
        else:
            end = _word_end(text, position)
            words.append(RawWord(text[position:end], position))
        position = skip_blanks(text, end)
    return RawCommand(words, redirections, position)


def read_commands(text: str, start: int, end: int) -> Iterator[RawCommand]:
    """All simple commands between two positions: tree-sitter joins the lines after ``A= B=(...)``."""
    while start < end:
        command = read_command(text, start)
        yield command
        start = max(command.end, start + 1)
        while start < end and text[start] in ENDS + BLANKS:
            start += 1


def skip_blanks(text: str, position: int) -> int:
    """The position after blanks and escaped line ends."""
    while position < len(text):
        if text[position] in BLANKS:
            position += 1
        elif text.startswith(CONTINUATION, position):
            position += len(CONTINUATION)
        else:
            break
    return position


def _ends_at(text: str, position: int) -> bool:
    if position >= len(text) or text[position] == "#":
        return True
    return text[position] in ENDS and not text.startswith("&>", position)


def _operator_end(text: str, position: int) -> int:
    """The position after a redirection operator such as ``2>&``; ``position`` if there is none."""
    behind = position
    while behind < len(text) and text[behind] in "0123456789":
        behind += 1
    if text.startswith("&>", position):
        behind += 1
    if text[behind : behind + 1] not in ("<", ">") or text.startswith("(", behind + 1):
        return position
    while behind < len(text) and text[behind] in "<>&|":
        behind += 1
    return behind


def _word_end(text: str, start: int) -> int:
    position = start
    while position < len(text) and text[position] not in BLANKS + ENDS:
        end = unit_end(text, position)
        if text[position] in "<>" and end == position + 1:
            break
        position = end
        if text[position - 1] == "=" and text.startswith("(", position):  # an array
            position = _closing(text, position + 1, ")")
    return position


def array_items(text: str) -> list[str]:
    """The words between the parentheses of an array."""
    inner, found, position = text[1:-1].replace(CONTINUATION, " ").replace("\n", " "), list[str](), 0
    while (position := skip_blanks(inner, position)) < len(inner):
        end = max(_word_end(inner, position), position + 1)
        found.append(inner[position:end])
        position = end
    return found


def braces(text: str) -> list[str]:
    """Expand ``a{1,2}`` and ``{1..3}``; the last braces change fastest. Raises: RefusedError."""
    start = 0
    while start < len(text):
        if text[start] == "{":
            end = _brace_end(text, start)
            alternatives = _alternatives(text[start + 1 : end - 1]) if end <= len(text) else []
            if alternatives:
                return _combined(text[:start], alternatives, braces(text[end:]))
        start = unit_end(text, start)
    return [text]


def _combined(before: str, alternatives: list[str], endings: list[str]) -> list[str]:
    written_out = [word for alternative in alternatives for word in braces(alternative)]
    if len(written_out) * len(endings) > MOST_WORDS:
        raise RefusedError(f"the braces give more than {MOST_WORDS} words; use fewer")
    return [before + middle + ending for middle, ending in product(written_out, endings)]


def _brace_end(text: str, start: int) -> int:
    """The position after the matching brace; the text's length plus 1 if there is none."""
    position = start + 1
    while position < len(text):
        if text[position] == "}":
            return position + 1
        position = _brace_end(text, position) if text[position] == "{" else unit_end(text, position)
    return len(text) + 1


def _alternatives(inner: str) -> list[str]:
    """The alternatives between commas, or the values of a sequence; [] for plain text."""
    parts, start = [""], 0
    while start < len(inner):
        end = _brace_end(inner, start) if inner[start] == "{" else unit_end(inner, start)
        if inner[start] == ",":
            parts.append("")
        else:
            parts[-1] += inner[start:end]
        start = end
    return parts if len(parts) > 1 else _sequence(inner.split(".."))


def _sequence(ends: list[str]) -> list[str]:
    """``1..5``, ``01..10``, ``1..9..2`` and ``a..e``."""
    if len(ends) not in (2, 3):
        return []
    if all(len(end) == 1 and end.isascii() and end.isalpha() for end in ends[:2]):
        return [chr(code) for code in _range(ord(ends[0]), ord(ends[1]), ends[2:])]
    try:
        numbers = _range(int(ends[0]), int(ends[1]), ends[2:])
    except ValueError:
        return []
    padded = any(end.lstrip("-").startswith("0") and len(end.lstrip("-")) > 1 for end in ends[:2])
    width = max(map(len, ends[:2])) if padded else 0
    return [f"{number:0{width}d}" for number in numbers]


def _range(first: int, last: int, steps: list[str]) -> range:
    step = max(abs(int(steps[0])), 1) if steps else 1
    if abs(last - first) // step >= MOST_WORDS:
        raise RefusedError(f"the braces give more than {MOST_WORDS} words; use fewer")
    return range(first, last + 1, step) if first <= last else range(first, last - 1, -step)
