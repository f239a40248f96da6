"""Shell patterns on the value of a variable: ``${f%.jpg}``, ``${f##*/}``, ``${f/jpg/png}``."""

from __future__ import annotations

from fnmatch import fnmatchcase


def trimmed(value: str, operator: str, pattern: str) -> str:
    """Without the shortest match at the end (%) or start (#), or the longest (%%, ##)."""
    lengths = range(len(value) + 1)
    for length in lengths if len(operator) == 1 else reversed(lengths):
        cut = len(value) - length if operator[0] == "%" else length
        before, behind = value[:cut], value[cut:]
        if fnmatchcase(behind if operator[0] == "%" else before, pattern):
            return before if operator[0] == "%" else behind
    return value


def replaced(value: str, pattern: str, other: str, everywhere: bool) -> str:
    """``other`` instead of the longest match at the first place that has one, or at all places."""
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
