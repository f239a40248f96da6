"""Reads a caffemodel file as a list of layers, without reading the weights.

wire.py scans the fields of the file and of each layer. Everything but the blobs, some hundred bytes per
layer, is parsed by protobuf. Reads V1 (``layers``) and V2 (``layer``) files.
"""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet

from caffe_loader.blobs import Blob, Segment, segment_at
from caffe_loader.caffe_pb2 import BlobProto, LayerParameter, NetParameter, V1LayerParameter
from caffe_loader.errors import CaffemodelError
from caffe_loader.layer_types import v1_type_name
from caffe_loader.sniff import HEAD_BYTES, describe
from caffe_loader.wire import BYTES, VARINT, Field, MappedFile, fields, read_field

LayerMessage = LayerParameter | V1LayerParameter
AnyMessage = TypeVar("AnyMessage", bound=Message)

_V1_LAYERS, _V2_LAYER = NetParameter.LAYERS_FIELD_NUMBER, NetParameter.LAYER_FIELD_NUMBER
_LEGACY_AXES = ("num", "channels", "height", "width")
_MAX_AXES = 32  # Caffe's own limit
# Limits the cost of the index: a damaged file with a million tiny layers must not use up memory or time.
_INDEX_BUDGET, _ENTRY_COST, _SKIP_COST = 4 << 20, 256, 16


@dataclass(frozen=True)
class CaffeLayer:
    """One layer of the file.

    type: Caffe's current name ("Convolution"), also for V1 files. "V1:N" if the number N has no name.
    type_number: the number in a V1 file, else None.
    parameters: the parsed message without its blobs, with ``parameters.convolution_param`` and so on.
    offset: byte of the layer's field in the file.
    """

    name: str
    type: str
    type_number: int | None
    parameters: LayerMessage
    blobs: tuple[Blob, ...]
    offset: int


@dataclass(frozen=True)
class Caffemodel:
    """An open caffemodel, and a context manager that closes the file.

    Arrays read from it stay valid after closing. Blobs can no longer be read.
    format: "V1" or "V2". name: the name of the network, may be empty.
    input_dims: in V1 files the number of ``input_dim`` entries, in V2 files four times the number of
    ``input_shape`` entries. (loadcaffe compares it with the width of the first inner product.)
    """

    path: Path
    format: str
    name: str
    input_dims: int
    layers: tuple[CaffeLayer, ...]
    _file: MappedFile = field(repr=False, compare=False)

    def close(self) -> None:
        """Close the file. Memory that an array still uses is freed together with the array."""
        self._file.close()

    def __enter__(self) -> Caffemodel:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_caffemodel(path: str | os.PathLike[str]) -> Caffemodel:
    """Open a caffemodel and list its layers, without reading weights.

    Raises CaffemodelError if the file cannot be opened, is damaged, has no layers, has the old V0
    format, or is another kind of file (a web page, a prototxt, a .t7, ...).
    """
    file = MappedFile(Path(path))
    try:
        return _Index(file).model()
    except CaffemodelError as error:
        other = describe(file.bytes[:HEAD_BYTES])
        file.close()
        if other is not None:
            raise CaffemodelError(file.path, other) from None
        raise error from None


class _Index:
    """One pass over a file, with limited memory."""

    def __init__(self, file: MappedFile):
        self.file = file
        self.budget = _INDEX_BUDGET

    def model(self) -> Caffemodel:
        """The whole file. As in loadcaffe, V2 layers are ignored if there are V1 layers."""
        entries: dict[int, list[Field]] = {}
        for entry in self.known(0, self.file.size, NetParameter):
            entries.setdefault(entry.number, []).append(entry)
        v1, v2 = entries.pop(_V1_LAYERS, []), entries.pop(_V2_LAYER, [])
        if not v1 and not v2:
            raise CaffemodelError(self.file.path, "has no layers, so it is not a caffemodel; check the path")
        net = self.parse(NetParameter(), [entry for group in entries.values() for entry in group])
        message = V1LayerParameter if v1 else LayerParameter
        return Caffemodel(
            path=self.file.path,
            format="V1" if v1 else "V2",
            name=_text(net.name),
            input_dims=len(net.input_dim) if v1 else 4 * len(net.input_shape),
            layers=tuple(self.layer(entry, message) for entry in v1 or v2),
            _file=self.file,
        )

    def layer(self, entry: Field, schema: type[LayerMessage]) -> CaffeLayer:
        parts: list[Field] = []
        blobs: list[Field] = []
        for part in self.known(entry.value, entry.end, schema):
            (blobs if part.number == schema.BLOBS_FIELD_NUMBER else parts).append(part)
        if schema is V1LayerParameter and any(part.number == schema.LAYER_FIELD_NUMBER for part in parts):
            cause = "is in Caffe's V0 format of 2013; convert it with Caffe's upgrade_net_proto_binary"
            raise CaffemodelError(self.file.path, cause)
        message = self.parse(schema(), parts)
        number = _v1_type_number(message)
        return CaffeLayer(
            name=_text(message.name),
            type=_type_name(message, number),
            type_number=number,
            parameters=message,
            blobs=tuple(self.blob(part, _text(message.name)) for part in blobs),
            offset=entry.start,
        )

    def blob(self, entry: Field, layer: str) -> Blob:
        segments: list[Segment] = []
        parts: list[Field] = []
        position = entry.value
        while position < entry.end:
            part = read_field(self.file, position, entry.end)
            segment = segment_at(self.file, part, entry.end)
            self.spend(part, _ENTRY_COST)
            if segment is not None:
                segments.append(segment)
            elif part.number in BlobProto.DESCRIPTOR.fields_by_number:
                parts.append(part)
            position = part.end if segment is None else segment.offset + segment.nbytes
        chosen = _floats_or_doubles(segments)
        stored = sum(segment.values for segment in chosen)
        shape = self.shape(self.parse(BlobProto(), parts), stored, entry, layer)
        offset = chosen[0].offset if chosen else entry.value
        return Blob(shape, offset, sum(s.nbytes for s in chosen), layer, self.file, chosen)

    def shape(self, message: BlobProto, stored: int, entry: Field, layer: str) -> tuple[int, ...]:
        """The blob's shape, checked against the number of values. A blob without a shape is a vector."""
        if message.HasField("shape"):
            shape = tuple(message.shape.dim)
        elif any(message.HasField(axis) for axis in _LEGACY_AXES):
            shape = (message.num, message.channels, message.height, message.width)
        else:
            shape = (stored,)
        if len(shape) > _MAX_AXES or min(shape, default=0) < 0 or math.prod(shape) != stored:
            axes = " x ".join(map(str, shape[:_MAX_AXES])) or "a single value"
            cause = f"a blob of shape {axes} does not fit {stored} stored values; download the file again"
            raise CaffemodelError(self.file.path, cause, layer=layer, offset=entry.start)
        return shape

    def known(self, start: int, end: int, schema: type[Message]) -> Iterator[Field]:
        """The fields that the schema defines, with the right wire type. Other fields are skipped."""
        wire_types = _wire_types(schema.DESCRIPTOR)
        for part in fields(self.file, start, end):
            wanted = part.wire_type in wire_types.get(part.number, ())
            self.spend(part, _ENTRY_COST if wanted else _SKIP_COST)
            if wanted:
                yield part

    def parse(self, message: AnyMessage, parts: list[Field]) -> AnyMessage:
        """Fill ``message`` from ``parts`` of the file, which contain no weights."""
        for part in parts:
            self.spend(part, part.end - part.start)
        try:
            message.ParseFromString(b"".join(self.file.bytes[part.start : part.end] for part in parts))
        except DecodeError:
            cause = "the parameters cannot be parsed: the file is damaged; download it again"
            raise self.file.error(parts[0].start, cause) from None
        return message

    def spend(self, part: Field, cost: int) -> None:
        self.budget -= cost
        if self.budget < 0:
            cause = "too many layers and parameters for a network: the file is damaged; download it again"
            raise self.file.error(part.start, cause)


def _floats_or_doubles(segments: list[Segment]) -> tuple[Segment, ...]:
    """The non-empty pieces of the float data (loadcaffe reads only these), or else of the double data."""
    filled = [segment for segment in segments if segment.values]
    floats = [segment for segment in filled if segment.dtype["value"].itemsize == 4]
    return tuple(floats or filled)


@functools.cache
def _wire_types(schema: Descriptor) -> dict[int, tuple[int, ...]]:
    """Field number -> allowed wire types, for the fields in ``schema`` (numbers, strings, messages)."""
    return {number: _wire_types_of(field) for number, field in schema.fields_by_number.items()}


def _wire_types_of(field: FieldDescriptor) -> tuple[int, ...]:
    if field.type in (FieldDescriptor.TYPE_MESSAGE, FieldDescriptor.TYPE_STRING):
        return (BYTES,)
    return (VARINT, BYTES) if field.is_repeated else (VARINT,)  # repeated numbers may be packed


def _type_name(message: LayerMessage, number: int | None) -> str:
    if isinstance(message, LayerParameter):
        return _text(message.type)
    return v1_type_name(number or 0)


def _v1_type_number(message: LayerMessage) -> int | None:
    """The type number of a V1 layer, even if the enumeration lacks it. None for V2."""
    if not isinstance(message, V1LayerParameter):
        return None
    unknown = UnknownFieldSet(message)
    for index in range(len(unknown)):
        if unknown[index].field_number == V1LayerParameter.TYPE_FIELD_NUMBER:
            return int(unknown[index].data)
    return int(message.type)


def _text(value: str | bytes) -> str:
    """A string from the file. protobuf returns bytes if it is not valid UTF-8."""
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else value
