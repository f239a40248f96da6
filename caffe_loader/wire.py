"""Reads the protobuf wire format from a memory-mapped file and checks every length against the bounds.

Reads only tags and lengths. The contents of a field stay on disk until they are used.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from caffe_loader.errors import CaffemodelError

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


class Field(NamedTuple):
    """One field: number, wire type, and the offsets of its tag, of its value and of the byte after it."""

    number: int
    wire_type: int
    start: int
    value: int
    end: int


class MappedFile:
    """A file mapped read-only into memory. The operating system loads only the pages that are used.

    Raises CaffemodelError if the file cannot be opened, is empty or is not an ordinary file.
    """

    def __init__(self, path: Path):
        self.path = path
        try:
            if path.exists() and not path.is_file():  # opening a pipe would wait for its writer
                raise CaffemodelError(path, "is not a file; give the path of a .caffemodel")
            with path.open("rb") as file:
                self.size = path.stat().st_size
                if self.size == 0:
                    raise CaffemodelError(path, "is empty; download it again")
                self.bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except OSError as error:
            raise CaffemodelError(path, f"cannot be opened: {error.strerror}; check the path") from None
        except ValueError as error:
            if isinstance(error, CaffemodelError):
                raise
            raise CaffemodelError(path, f"cannot be opened: {error}; check the path") from None

    def close(self) -> None:
        """Unmap the file now, or as soon as no array uses it any more."""
        try:
            self.bytes.close()
        except BufferError:
            return

    def error(self, offset: int, cause: str) -> CaffemodelError:
        """An error at a byte of this file."""
        return CaffemodelError(self.path, cause, offset=offset)


def fields(file: MappedFile, start: int, end: int) -> Iterator[Field]:
    """The fields of the message in bytes ``start`` to ``end``, in file order.

    Raises CaffemodelError as ``read_field`` does.
    """
    while start < end:
        field = read_field(file, start, end)
        yield field
        start = field.end


def read_field(file: MappedFile, start: int, end: int) -> Field:
    """The field whose tag is at ``start``, inside a message that ends at ``end``.

    Raises CaffemodelError for invalid tags, for lengths beyond ``end`` and for groups (Caffe does not use
    them, and they could nest without limit).
    """
    tag, value = _varint(file, start, end)
    number, wire_type = tag >> 3, tag & 7
    if number == 0 or number >= 1 << 29:
        raise file.error(start, f"field number {number} is invalid: not a caffemodel, or damaged")
    if wire_type == VARINT:
        after = _varint(file, value, end)[1]
    elif wire_type == BYTES:
        length, value = _varint(file, value, end)
        after = value + length
    elif wire_type in (FIXED32, FIXED64):
        after = value + (4 if wire_type == FIXED32 else 8)
    else:
        raise file.error(start, f"wire type {wire_type} is invalid: not a caffemodel, or damaged")
    if after > end:
        raise file.error(start, _overrun(file, number, after - value, end - value, end))
    return Field(number, wire_type, start, value, after)


def _overrun(file: MappedFile, number: int, wanted: int, present: int, end: int) -> str:
    what = f"field {number} claims {wanted} bytes, but only {max(present, 0)} follow"
    if end == file.size:
        return f"{what}: the file is truncated or damaged; download it again"
    return f"{what} in its message: the file is damaged; download it again"


def _varint(file: MappedFile, position: int, end: int) -> tuple[int, int]:
    """A base-128 number of at most ten bytes, and the offset after it."""
    value = shift = 0
    for offset in range(position, min(position + 10, end)):
        byte = file.bytes[offset]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, offset + 1
        shift += 7
    if end - position < 10:
        raise file.error(position, "a number is cut off: the file is truncated or damaged; download it again")
    raise file.error(position, "a number has more than ten bytes: not a caffemodel, or damaged")
