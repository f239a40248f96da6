"""Blobs: the weight arrays of a layer, read from the file only when they are used."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from caffe_loader.errors import CaffemodelError
from caffe_loader.wire import BYTES, FIXED32, FIXED64, Field, MappedFile

_CHECK = 1 << 20  # values tested for NaN at a time: bounds the memory of the test


class Segment(NamedTuple):
    """Evenly spaced values in the file: ``values`` records of ``dtype``, the first at byte ``offset``."""

    offset: int
    values: int
    dtype: np.dtype[np.void]

    @property
    def nbytes(self) -> int:
        """Bytes in the file, including the tags of unpacked values."""
        return self.values * self.dtype.itemsize


# (field number, wire type) -> layout of one record. Each unpacked value follows its one-byte tag.
_RECORDS: dict[tuple[int, int], np.dtype[np.void]] = {
    (5, BYTES): np.dtype({"names": ["value"], "formats": ["<f4"], "offsets": [0], "itemsize": 4}),
    (5, FIXED32): np.dtype({"names": ["value"], "formats": ["<f4"], "offsets": [1], "itemsize": 5}),
    (8, BYTES): np.dtype({"names": ["value"], "formats": ["<f8"], "offsets": [0], "itemsize": 8}),
    (8, FIXED64): np.dtype({"names": ["value"], "formats": ["<f8"], "offsets": [1], "itemsize": 9}),
}


@dataclass(frozen=True)
class Blob:
    """One array of a layer, described without reading it.

    shape: the file's shape; the legacy num, channels, height, width give four axes.
    offset: byte of the first value in the file. nbytes: bytes the values occupy in the file.
    """

    shape: tuple[int, ...]
    offset: int
    nbytes: int
    layer: str
    _file: MappedFile = field(repr=False, compare=False)
    _segments: tuple[Segment, ...] = field(repr=False)

    @property
    def count(self) -> int:
        """Number of values."""
        return math.prod(self.shape)

    @property
    def legacy_shape(self) -> tuple[int, int, int, int]:
        """The shape as (num, channels, height, width). Shorter shapes get ones on the left.

        Raises CaffemodelError for more than four axes.
        """
        if len(self.shape) > 4:
            raise self._error(f"a blob has {len(self.shape)} axes, more than 4; use a network for images")
        num, channels, height, width = (1,) * (4 - len(self.shape)) + self.shape
        return num, channels, height, width

    def array(self) -> NDArray[np.float32]:
        """The values as a read-only array of ``shape``.

        Packed float data, the usual case, are returned as a view of the mapped file, without a copy. The
        view keeps the file mapped. It may be unaligned, because protobuf stores data at any byte.
        Unpacked data, double data and data in several pieces are copied.

        Raises CaffemodelError if a value is NaN or infinite, or if the file is already closed.
        """
        pieces = [self._values(segment) for segment in self._segments]
        flat = pieces[0] if len(pieces) == 1 else np.concatenate([np.empty(0, np.float32), *pieces])
        for start in range(0, flat.size, _CHECK):
            finite = np.isfinite(flat[start : start + _CHECK])
            if not finite.all():
                index = start + int(np.argmin(finite))
                raise self._error(
                    f"weight {index} of {flat.size} is NaN or infinite; download the file again"
                )
        flat.setflags(write=False)
        return flat.reshape(self.shape)

    def _values(self, segment: Segment) -> NDArray[np.float32]:
        try:
            records = np.frombuffer(self._file.bytes, segment.dtype, segment.values, segment.offset)
        except ValueError:
            raise self._error("the model was closed before its weights were read") from None
        with np.errstate(over="ignore"):  # a double beyond float32 becomes infinite and is reported as such
            values: NDArray[np.float32] = records["value"].astype(np.float32, copy=False)
        return values if values.strides == (4,) else np.ascontiguousarray(values)

    def _error(self, cause: str) -> CaffemodelError:
        return CaffemodelError(self._file.path, cause, layer=self.layer, offset=self.offset)


def segment_at(file: MappedFile, entry: Field, end: int) -> Segment | None:
    """The values in ``entry``, a field of a blob that ends at byte ``end``. None if it holds no values.

    A run of unpacked values becomes one segment, whatever its length.
    Raises CaffemodelError if packed data are not a whole number of values.
    """
    dtype = _RECORDS.get((entry.number, entry.wire_type))
    if dtype is None:
        return None
    if entry.wire_type != BYTES:
        if entry.value != entry.start + 1:
            raise file.error(
                entry.start, "a value has an overlong tag: the file is damaged; download it again"
            )
        return Segment(entry.start, _run(file, entry.start, end, dtype.itemsize), dtype)
    count, rest = divmod(entry.end - entry.value, dtype.itemsize)
    if rest:
        cause = f"{entry.end - entry.value} data bytes are not a whole number of {dtype.itemsize}-byte values"
        raise file.error(entry.start, f"{cause}: the file is damaged; download it again")
    return Segment(entry.value, count, dtype)


def _run(file: MappedFile, start: int, end: int, stride: int) -> int:
    """The number of records of ``stride`` bytes, from ``start`` on, with the same first byte (the tag)."""
    total = (end - start) // stride
    tags = np.frombuffer(file.bytes, np.uint8, total * stride, start)[::stride]
    done, step = 0, 16
    while done < total:  # in growing steps: many short runs stay cheap
        other = np.flatnonzero(tags[done : done + step] != tags[0])
        if other.size:
            return done + int(other[0])
        done, step = done + step, min(2 * step, _CHECK)
    return total
