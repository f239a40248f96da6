"""Flags as fields of a frozen dataclass, with the metadata for the command line and YAML files."""

from __future__ import annotations

from dataclasses import Field, field, fields
from functools import cache
from typing import Any

Flag = Field[Any]


def flag(
    default: Any,
    help_text: str,
    *,
    ours: bool = False,
    path: bool = False,
    fixed: bool = False,
    numbers: bool = False,
) -> Any:
    """A flag as a dataclass field. The type of the default is the type of the flag.

    ours: the original has no such flag.
    path: a file name or a tuple of them. Relative names in a YAML file are relative to its folder.
    fixed: the default file name is an exception: it is never relative to a YAML file.
    numbers: a list of numbers.
    """
    return field(
        default=default,
        metadata={"help": help_text, "ours": ours, "path": path, "fixed": fixed, "numbers": numbers},
    )


@cache
def flags_of(settings: type) -> dict[str, Flag]:
    """The flags of a dataclass by name, in order."""
    return {item.name: item for item in fields(settings)}


def is_list(item: Flag) -> bool:
    """Whether the value is a tuple, or None for the original's ``nil``."""
    return isinstance(item.default, tuple) or item.metadata["numbers"]
