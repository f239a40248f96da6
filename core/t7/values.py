"""The Python types for the values in a .t7 file.

| Lua                  | here                                                            |
|----------------------|-----------------------------------------------------------------|
| nil, boolean, number | None, bool, float (Lua numbers are doubles)                     |
| string               | bytes                                                           |
| table                | :class:`Table`                                                  |
| tensor, storage      | read-only NumPy array; views of one storage share its memory    |
| any other class      | :class:`TorchObject`                                            |
| function             | :class:`Function`, a placeholder: bytecode is skipped           |
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
Value: TypeAlias = "bool | float | bytes | Table | TorchObject | Function | Array | None"


@dataclass(eq=False)
class Table:
    """A Lua table as a list of pairs. A dict would confuse keys that differ in Lua (``1`` and ``true``)."""

    entries: list[tuple[Value, Value]] = field(default_factory=list)

    def get(self, key: str | int) -> Value:
        """The value of a string key or a number key. None if there is no such key."""
        return self.names().get(key) if isinstance(key, str) else self._numbers().get(key)

    def names(self) -> dict[str, Value]:
        """All entries with string keys. Bytes that are not UTF-8 are escaped."""
        return {
            key.decode("utf-8", "backslashreplace"): value
            for key, value in self.entries
            if isinstance(key, bytes)
        }

    def sequence(self) -> list[Value]:
        """The values of the keys 1, 2, 3 ... up to the first missing key."""
        numbers = self._numbers()
        result: list[Value] = []
        while len(result) + 1 in numbers:
            result.append(numbers[len(result) + 1])
        return result

    def _numbers(self) -> dict[float, Value]:
        return {
            key: value for key, value in self.entries if isinstance(key, float) and not isinstance(key, bool)
        }


@dataclass(eq=False)
class TorchObject:
    """An object of a Torch class other than tensors and storages. ``fields`` is its table."""

    class_name: str
    version: int
    fields: Table = field(default_factory=Table)


@dataclass(eq=False)
class Function:
    """The placeholder for a function in the file."""


def is_array(value: Value) -> bool:
    """Whether ``value`` is a tensor or a storage."""
    return isinstance(value, np.ndarray)
