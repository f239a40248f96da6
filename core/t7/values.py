"""What a .t7 file can hold, in Python.

| Lua                  | here                                                            |
|----------------------|-----------------------------------------------------------------|
| nil, boolean, number | None, bool, float (Lua numbers are doubles)                     |
| string               | bytes                                                           |
| table                | :class:`Table`                                                  |
| tensor, storage      | read-only NumPy array; views of one storage share its memory    |
| any other class      | :class:`TorchObject`                                            |
| function             | :class:`Function`, an empty mark: bytecode is skipped           |
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
    """A Lua table as the pairs in the file: Lua keeps apart what a dict would not (``1``, ``true``)."""

    entries: list[tuple[Value, Value]] = field(default_factory=list)

    def get(self, key: str | int) -> Value:
        """The value under a name or a number; None where there is none."""
        return self.names().get(key) if isinstance(key, str) else self._numbers().get(key)

    def names(self) -> dict[str, Value]:
        """Everything under a string key; bytes that are no UTF-8 are escaped."""
        return {
            key.decode("utf-8", "backslashreplace"): value
            for key, value in self.entries
            if isinstance(key, bytes)
        }

    def sequence(self) -> list[Value]:
        """The values under 1, 2, 3 ... up to the first that is missing."""
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
    """An object of a Torch class that is neither tensor nor storage; ``fields`` is its table."""

    class_name: str
    version: int
    fields: Table = field(default_factory=Table)


@dataclass(eq=False)
class Function:
    """Stands where the file has a function."""


def is_array(value: Value) -> bool:
    """Whether ``value`` is a tensor or storage."""
    return isinstance(value, np.ndarray)
