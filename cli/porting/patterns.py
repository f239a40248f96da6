"""Apply shell patterns to the value of a variable: ``${f%.jpg}``, ``${f##*/}``, ``${f/jpg/png}``."""

from __future__ import annotations

from fnmatch import fnmatchcase


def trimmed(value: str, operator: str, pattern: str) -> str:
    """``value`` without the shortest match at its end (%) or start (#), or the longest (%%, ##)."""
    lengths = range(len(value) + 1)
    for length in lengths if len(operator) == 1 else reversed(lengths):
        cut = len(value) - length if operator[0] == "%" else length
        before, behind = value[:cut], value[cut:]
        if fnmatchcase(behind if operator[0] == "%" else before, pattern):
            return before if operator[0] == "%" else behind
    return value


def replaced(value: str, pattern: str, other: str, everywhere: bool) -> str:
    """``value`` with the longest match replaced by ``other``, at the first place or ``everywhere``."""
    result, start = "", 0
    while start < len(value):
        ends = range(len(value), start, -1)
        end = next((end for end in ends if fnmatchcase(value[start:end], pattern)), None)
        if end is None:
            result, start = result + value[start], start + 1
        elif everywhere:
            result, start = result + other, end
        else:
            return result + other + value[end:]
    return result
