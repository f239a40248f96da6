"""Loads a .t7 file: recognises its form (binary or ascii), or what other kind of file it is."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from caffe_loader.errors import printable
from caffe_loader.sniff import HEAD_BYTES, recognise
from core.errors import T7Error
from core.t7.cursor import AsciiCursor, BinaryCursor, ByteOrder, Cursor, DamagedError, Data
from core.t7.reader import FUNCTION, Reader
from core.t7.values import Value

_FOREIGN = {
    "html": "is a web page, not a model; download it again with https (the old download script saves the "
    "server's '301 Moved' page)",
    "lfs": "is a Git LFS pointer, not the model itself; run `git lfs pull` in its repository",
    "zip": "is a zip archive, probably a PyTorch .pth; nstyle convert reads those of pytorch/examples "
    "if the name ends in .pth",
    "pickle": "is a Python pickle, probably an old PyTorch file; load it with PyTorch and save its "
    "state_dict with a newer version",
    "archive": "is a compressed archive; unpack it first",
    "hdf5": "is an HDF5 file; give the .t7",
    "prototxt": "is a prototxt, a description of a Caffe network; give the .t7",
}
_LEGACY_PYTORCH = b"\x80\x02\x8a\nl\xfc"


@dataclass(frozen=True)
class T7File:
    """A loaded .t7 file.

    value: the saved object.  encoding: the form, such as 'binary, big endian'.  size: in bytes.
    trailing: number of bytes after the object, which Torch7 ignores too.
    """

    path: Path
    value: Value
    encoding: str
    size: int
    trailing: int


def load_t7(path: str | os.PathLike[str]) -> T7File:
    """Read a .t7 file: binary of either byte order with 4- or 8-byte longs, or ascii.

    Tensors are read-only arrays inside the mapped file. Raises: T7Error: missing, damaged or not a .t7 file.
    """
    file = Path(path)
    data = _mapped(file)
    head = bytes(data[:HEAD_BYTES])
    failures: list[tuple[DamagedError, str]] = []
    for cursor in _forms(data, head):
        try:
            value = Reader(cursor).value()
            if failures and cursor.left:  # a damaged file may begin like a valid file in a rarer form
                raise cursor.damaged(f"{cursor.left} bytes left over")
        except DamagedError as error:
            failures.append((error, cursor.encoding))
        else:
            return T7File(file, value, cursor.encoding, len(data), cursor.left)
    raise _unreadable(file, head, failures)


def _mapped(path: Path) -> Data:
    shown = printable(str(path))
    try:
        with path.open("rb") as stream:
            if os.fstat(stream.fileno()).st_size == 0:
                raise T7Error(f"{shown}: is an empty file; download or copy it again")
            return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    except FileNotFoundError:
        raise T7Error(f"{shown}: no such file; check the path") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise T7Error(f"{shown}: cannot be read: {reason}") from None


def _forms(data: Data, head: bytes) -> Iterator[Cursor]:
    """A cursor for every form that the first bytes allow. A file begins with a type tag, a small number."""
    if head[:1].isdigit() and head[1:2] in (b"\n", b"\r"):
        yield AsciiCursor(data)
    orders: tuple[tuple[ByteOrder, Literal["little", "big"]], ...] = (("<", "little"), (">", "big"))
    for order, word in orders:
        if len(head) >= 4 and int.from_bytes(head[:4], word) <= FUNCTION:
            yield BinaryCursor(data, order, 8)
            yield BinaryCursor(data, order, 4)


def _unreadable(path: Path, head: bytes, failures: list[tuple[DamagedError, str]]) -> T7Error:
    shown = printable(str(path))
    if failures:
        error, encoding = failures[0]  # of the usual form
        return T7Error(
            f"{shown}: byte {error.offset}: damaged or truncated .t7 ({encoding}): {error}; get it again"
        )
    kind = recognise(head)
    if kind in _FOREIGN:
        return T7Error(f"{shown}: {_FOREIGN[kind]}")
    if head.isascii() and head.decode("ascii").replace("\n", "").replace("\r", "").isprintable():
        start = " ".join(head.decode().split())[:30]
        return T7Error(f"{shown}: is a text file that begins with '{start}...'; give a Torch7 .t7 file")
    return T7Error(f"{shown}: is not a Torch7 .t7 file (wrong first bytes); check the path")
