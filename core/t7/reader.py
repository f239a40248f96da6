"""Reads the objects of a .t7 file: tables, tensors, class instances, shared and cyclic references.

Matches ``torch.load`` (File.lua, torch7 814ea4a) for every type tag; functions are skipped, never executed.
"""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.t7.cursor import Cursor
from core.t7.values import Function, Table, TorchObject, Value

NIL, NUMBER, STRING, TABLE, TORCH, BOOLEAN, OLDEST_FUNCTION, OLD_FUNCTION, FUNCTION = range(9)
ELEMENTS = {
    "Byte": "u1",
    "Char": "i1",
    "Short": "i2",
    "Int": "i4",
    "Long": "q",
    "Float": "f4",
    "Double": "f8",
    "Half": "f2",
    "": "f4",  # torch.CudaTensor
}
_ARRAY_CLASS = re.compile(
    r"torch\.(?:(?:Cuda)?(Byte|Char|Short|Int|Long|Float|Double|Half)|Cuda())(Tensor|Storage)"
)
_VERSION = re.compile(rb"V (\d{1,9})")
DEEPEST = 120  # levels of nested objects, including those of referenced objects; a model has about twenty
DIMENSIONS = 16
LONGEST_CLASS_NAME = 256


class Reader:
    """One pass over a file. A tensor may not have more elements than the file has bytes.

    (With a stride of 0 a few bytes can describe any number of elements. A copy of such a tensor could use up
    the memory.)
    """

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self._known: dict[int | None, Value] = {}
        self._unfinished: set[int | None] = set()
        self._heights: dict[int | None, int] = {}  # finished objects: levels of nesting, itself included
        self._depth = 0
        self._highest = 0  # largest height inside the current object so far

    def value(self) -> Value:
        """The next object and everything it refers to. Raises DamagedError."""
        cursor = self._cursor
        tag = cursor.integer()
        if tag == NIL:
            return None
        if tag == NUMBER:
            return cursor.double()
        if tag == STRING:
            return cursor.raw(cursor.integer())
        if tag == BOOLEAN:
            return cursor.integer() == 1
        return self._nested(tag)

    def _nested(self, tag: int) -> Value:
        cursor = self._cursor
        if tag not in (TABLE, TORCH, OLDEST_FUNCTION, OLD_FUNCTION, FUNCTION):
            raise cursor.damaged(f"unknown type tag {tag}")
        index = None if tag == OLDEST_FUNCTION else cursor.integer()  # the only kind without an index
        if index in self._unfinished:
            raise cursor.damaged("a tensor that refers to itself")
        known = index is not None and index in self._known
        height = self._heights.get(index, 0) if known else 1  # 0: a reference to an enclosing object (cycle)
        if self._depth + height > DEEPEST:
            raise cursor.damaged(f"objects nested more than {DEEPEST} deep")
        value = self._known[index] if known else self._new(tag, index)
        self._highest = max(self._highest, self._heights.get(index, 0))
        return value

    def _new(self, tag: int, index: int | None) -> Value:
        outside, self._highest = self._highest, 0
        self._depth += 1
        if tag == TABLE:
            value: Value = self._table(index)
        elif tag == TORCH:
            value = self._torch_object(index)
        else:
            value = self._function(index)
        self._depth -= 1
        self._heights[index] = self._highest + 1
        self._highest = outside
        return value

    def _function(self, index: int | None) -> Function:
        """Skip bytecode and upvalues. A function may be its own upvalue."""
        function = self._known[index] = Function()
        self._cursor.raw(self._cursor.integer())
        self.value()
        return function

    def _table(self, index: int | None) -> Table:
        table = Table()
        self._known[index] = table  # before the contents are read, because they may refer to it
        count = self._cursor.integer()
        self._cursor.check_count(count, 4, "entries of a table")
        for _ in range(count):
            key = self.value()
            if key is None or (isinstance(key, float) and math.isnan(key)):
                raise self._cursor.damaged("a table with the key nil or nan")
            table.entries.append((key, self.value()))
        return table

    def _torch_object(self, index: int | None) -> Value:
        name, version = self._class()
        match = _ARRAY_CLASS.fullmatch(name)
        if match is None:
            return self._instance(index, name, version)
        self._unfinished.add(index)
        dtype = np.dtype(ELEMENTS[match[1] or match[2] or ""])
        value = self._tensor(dtype, name) if match[3] == "Tensor" else self._storage(dtype)
        self._unfinished.discard(index)
        self._known[index] = value
        return value

    def _class(self) -> tuple[str, int]:
        """The class name and its version. Very old files have no version: 0."""
        first = self._cursor.raw(self._cursor.integer())
        match = _VERSION.fullmatch(first)
        name = self._cursor.raw(self._cursor.integer()) if match else first
        if not name or len(name) > LONGEST_CLASS_NAME or not name.isascii():
            raise self._cursor.damaged("no class name where one is expected")
        return name.decode("ascii"), int(match[1]) if match else 0

    def _instance(self, index: int | None, name: str, version: int) -> TorchObject:
        instance = TorchObject(name, version)
        self._known[index] = instance
        if name in ("tds.Vec", "tds.Hash"):
            instance.fields.entries = self._tds_entries(name)
            return instance
        fields = self.value()
        if not isinstance(fields, Table):
            raise self._cursor.damaged(f"an object of class {name[:60]!r} that is not stored as a table")
        instance.fields = fields
        return instance

    def _tds_entries(self, name: str) -> list[tuple[Value, Value]]:
        """The entries of a tds container. The object between the count and the elements is not used."""
        count = self._cursor.integer()
        self._cursor.check_count(count, 4, "elements")
        self.value()
        if name == "tds.Vec":
            return [(float(position), self.value()) for position in range(1, count + 1)]
        return [(self.value(), self.value()) for _ in range(count)]

    def _storage(self, dtype: np.dtype[Any]) -> NDArray[Any]:
        (count,) = self._cursor.longs(1)
        return self._cursor.array(dtype, count)

    def _tensor(self, dtype: np.dtype[Any], name: str) -> NDArray[Any]:
        cursor = self._cursor
        dimensions = cursor.integer()
        if not 0 <= dimensions <= DIMENSIONS:
            raise cursor.damaged(f"a tensor with {dimensions} dimensions")
        sizes, strides = cursor.longs(dimensions), cursor.longs(dimensions)
        (offset,) = cursor.longs(1)
        storage = self.value()
        if storage is None:
            storage = np.empty(0, dtype)
        if not isinstance(storage, np.ndarray) or storage.ndim != 1 or not _same_kind(storage, dtype):
            raise cursor.damaged(f"a {name} whose storage is of another type")
        return self._view(storage, sizes, strides, offset - 1)

    def _view(self, storage: NDArray[Any], sizes: list[int], strides: list[int], start: int) -> NDArray[Any]:
        """The tensor as a view of ``storage``, checked against the bounds of the storage."""
        if not sizes:
            return storage[:0]
        if min(sizes) < 0 or min(strides) < 0 or start < 0:
            raise self._cursor.damaged("a tensor with a negative size, stride or offset")
        elements = math.prod(sizes)
        if not elements:
            return storage[:0]
        last = start + sum((size - 1) * stride for size, stride in zip(sizes, strides, strict=True))
        if last >= len(storage) or elements > self._cursor.size:
            raise self._cursor.damaged(
                f"a tensor of size {'x'.join(map(str, sizes))} outside its storage of {len(storage)} elements"
            )
        in_bytes = [stride * storage.itemsize for stride in strides]
        return np.lib.stride_tricks.as_strided(storage[start:], sizes, in_bytes, writeable=False)


def _same_kind(storage: NDArray[Any], dtype: np.dtype[Any]) -> bool:
    """Whether the element types are equal. The elements of a Long storage have 8 bytes or 4."""
    if dtype.char in "lq":
        return storage.dtype.kind == "i" and storage.dtype.itemsize in (4, 8)
    return storage.dtype.newbyteorder("=") == dtype
