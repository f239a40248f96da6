"""Reads the primitive values (numbers, bytes, arrays) of a .t7 file, in binary or ascii form.

Matches File.lua, DiskFile.c and MemoryFile.c of torch7 814ea4a. Every count is checked against the number of
bytes left before it is used.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from mmap import mmap
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Data: TypeAlias = "bytes | mmap"
ByteOrder: TypeAlias = Literal["<", ">"]


class DamagedError(ValueError):
    """The bytes at ``offset`` are not valid in a .t7 file of the assumed form."""

    def __init__(self, offset: int, cause: str) -> None:
        super().__init__(cause)
        self.offset = offset


class Cursor(ABC):
    """A position in the file. Each method reads a value there and moves the position forward."""

    encoding: str

    def __init__(self, data: Data) -> None:
        self.data = data
        self.offset = 0
        self.size = len(data)

    @property
    def left(self) -> int:
        """The number of bytes from the position to the end."""
        return self.size - self.offset

    def damaged(self, cause: str) -> DamagedError:
        """An error at the current position."""
        return DamagedError(self.offset, cause)

    def check_count(self, count: int, bytes_each: int, what: str) -> None:
        """Raises DamagedError if fewer than ``count`` items of at least ``bytes_each`` bytes are left."""
        if count < 0 or count * bytes_each > self.left:
            raise self.damaged(f"{count} {what} in a file with {self.left} bytes left")

    @abstractmethod
    def integer(self) -> int:
        """A C int."""

    @abstractmethod
    def double(self) -> float:
        """A C double."""

    @abstractmethod
    def longs(self, count: int) -> list[int]:
        """``count`` C longs."""

    @abstractmethod
    def raw(self, count: int) -> bytes:
        """``count`` bytes, unchanged."""

    @abstractmethod
    def array(self, dtype: np.dtype[Any], count: int) -> NDArray[Any]:
        """``count`` elements of a storage, read-only, in the byte order of the machine or of the file."""


class BinaryCursor(Cursor):
    """The binary form. order: '<' or '>'.  long_bytes: 8, or 4 for files from Windows or 32-bit machines."""

    def __init__(self, data: Data, order: ByteOrder = "<", long_bytes: int = 8) -> None:
        super().__init__(data)
        self.order: ByteOrder = order
        self.long_bytes = long_bytes
        kind = "binary" if order == "<" else "binary, big endian"
        self.encoding = kind if long_bytes == 8 else f"{kind}, 4-byte longs"
        self._int = np.dtype(f"{order}i4")
        self._double = np.dtype(f"{order}f8")
        self._long = np.dtype(f"{order}i{long_bytes}")

    def integer(self) -> int:
        """4 bytes, signed."""
        return int(self._take(self._int, 1, "integers")[0])

    def double(self) -> float:
        """8 bytes."""
        return float(self._take(self._double, 1, "numbers")[0])

    def longs(self, count: int) -> list[int]:
        """``long_bytes`` bytes each."""
        return [int(value) for value in self._take(self._long, count, "longs")]

    def raw(self, count: int) -> bytes:
        """``count`` bytes; no terminator follows them."""
        return self._take(np.dtype(np.uint8), count, "bytes").tobytes()

    def array(self, dtype: np.dtype[Any], count: int) -> NDArray[Any]:
        """A view of the file, not a copy. 'q' is a C long of ``long_bytes`` bytes."""
        return self._take(
            self._long if dtype.char in "lq" else dtype.newbyteorder(self.order), count, "elements"
        )

    def _take(self, dtype: np.dtype[Any], count: int, what: str) -> NDArray[Any]:
        self.check_count(count, dtype.itemsize, what)
        if not count:
            return np.empty(0, dtype)
        values = np.frombuffer(self.data, dtype, count, self.offset)
        self.offset += count * dtype.itemsize
        return values


class AsciiCursor(Cursor):
    """The ascii form: numbers separated by blanks; a line end follows each non-empty array or byte string."""

    encoding = "ascii"
    _NUMBER = re.compile(rb"[ \t\r\n]*([^ \t\r\n]{1,64})")

    def integer(self) -> int:
        """One decimal integer and its line end."""
        return self.longs(1)[0]

    def double(self) -> float:
        """One number and its line end."""
        return float(self._numbers(1, float)[0])

    def longs(self, count: int) -> list[int]:
        """Decimal integers and a line end."""
        return self._numbers(count, int)

    def raw(self, count: int) -> bytes:
        """The bytes, and a line end unless there are none."""
        self.check_count(count, 1, "bytes")
        text = self.data[self.offset : self.offset + count]
        self.offset += count
        if count:
            self._line_end()
        return text

    def array(self, dtype: np.dtype[Any], count: int) -> NDArray[Any]:
        """Elements as decimal numbers. Byte and Char storages are raw bytes, as in the binary form."""
        if dtype.itemsize == 1:
            return np.frombuffer(self.raw(count), dtype)
        start = self.offset
        try:
            with np.errstate(over="ignore"):  # a float too large becomes infinite, as in C
                values = np.array(self._numbers(count, float if dtype.kind == "f" else int), dtype)
        except OverflowError:
            raise DamagedError(start, f"a number too large for {dtype.name}") from None
        values.flags.writeable = False
        return values

    def _numbers(self, count: int, kind: type) -> list[Any]:
        self.check_count(count, 1, "numbers")
        numbers = [self._number(kind) for _ in range(count)]
        if count:
            self._line_end()
        return numbers

    def _number(self, kind: type) -> Any:
        match = self._NUMBER.match(self.data, self.offset)
        if match is None:
            raise self.damaged("the file ends where a number is expected")
        try:
            if b"_" in match[1]:  # valid for Python, but never written by Torch7
                raise ValueError
            value = kind(match[1])
        except ValueError:
            raise self.damaged(f"{match[1][:20]!r} where a number is expected") from None
        self.offset = match.end()
        return value

    def _line_end(self) -> None:
        if self.data[self.offset : self.offset + 1] == b"\n":
            self.offset += 1
