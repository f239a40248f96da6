"""Converts flag values from and to the words of a command line."""

from __future__ import annotations

import difflib
from typing import Any

from core.errors import SettingsError
from core.settings.flags import Flag, is_list
from core.settings.neural_style import format_number, lua_number, split_commas


def parse_value(item: Flag, text: str) -> Any:
    """The value of a flag from a word of a command line.

    Raises: SettingsError: the flag needs a number and the word is not one.
    """
    if item.default is None and text == "nil":
        return None
    try:
        if item.metadata["numbers"]:
            return tuple(lua_number(part) for part in split_commas(text))
        if is_list(item):
            return split_commas(text)
        return lua_number(text) if isinstance(item.default, float) else text
    except ValueError:
        raise SettingsError(f"-{item.name} {text}: should be a number") from None


def format_value(value: Any) -> str:
    """The inverse of :func:`parse_value`: the word for ``value``."""
    if value is None:
        return "nil"
    if isinstance(value, tuple):
        return ",".join(map(format_value, value))
    return format_number(value) if isinstance(value, float) else str(value)


def nearest(name: str, known: list[str]) -> str:
    """``; did you mean X?`` if ``name`` is close to a known name X, else an empty string."""
    close = difflib.get_close_matches(name, known, 1)
    return f"; did you mean {close[0]}?" if close else ""
