"""Blobs: the weights of a layer, left in the file until they are asked for."""

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
    """Values that lie evenly spaced in the file: ``values`` records of ``dtype`` from byte ``offset`` on."""

    offset: int
    values: int
    dtype: np.dtype[np.void]

    @property
    def nbytes(self) -> int:
        """Bytes in the file, tags of unpacked values included."""
        return self.values * self.dtype.itemsize


# Wire form -> record. Unpacked values carry their one-byte tag each.
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
    offset: byte of the first value in the file. nbytes: bytes the values take there.
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
        """The shape as (num, channels, height, width), shorter shapes filled with ones on the left.

        Raises CaffemodelError for more than four axes.
        """
        if len(self.shape) > 4:
            raise self._error(f"a blob has {len(self.shape)} axes; only networks on pictures are supported")
        num, channels, height, width = (1,) * (4 - len(self.shape)) + self.shape
        return num, channels, height, width

    def array(self) -> NDArray[np.float32]:
        """The values as a read-only array of ``shape``.

        Packed float data, the usual case, are a view into the mapped file: nothing is copied. The view
        keeps the map alive, and may be unaligned (a protobuf puts its data at any byte). Unpacked or
        double data, and data in several pieces, are converted.

        Raises CaffemodelError if a value is NaN or infinite, or if the file was closed before.
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
    """The values in ``entry``, a field of a blob that ends at byte ``end``, or None for other fields.

    A run of unpacked values becomes one segment, however long it is.
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
        cause = f"{entry.end - entry.value} bytes of data are no whole number of {dtype.itemsize}-byte values"
        raise file.error(entry.start, f"{cause}: the file is damaged; download it again")
    return Segment(entry.value, count, dtype)


def _run(file: MappedFile, start: int, end: int, stride: int) -> int:
    """How many records of ``stride`` bytes from ``start`` on have the same first byte, the tag."""
    total = (end - start) // stride
    tags = np.frombuffer(file.bytes, np.uint8, total * stride, start)[::stride]
    done, step = 0, 16
    while done < total:  # in growing steps, so that many short runs stay cheap
        other = np.flatnonzero(tags[done : done + step] != tags[0])
        if other.size:
            return done + int(other[0])
        done, step = done + step, min(2 * step, _CHECK)
    return total
