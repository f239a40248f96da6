"""Write small caffemodels for tests: formats V1 and V2, with every encoding of a blob.

The bytes are written without protobuf, so that only the parameter messages are shared with the reader.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message
from numpy.typing import ArrayLike, NDArray

from caffe_loader.caffe_pb2 import LayerParameter, V1LayerParameter

V1_TYPES = {
    "Convolution": 4,
    "Data": 5,
    "Dropout": 6,
    "InnerProduct": 14,
    "LRN": 15,
    "Pooling": 17,
    "ReLU": 18,
    "Sigmoid": 19,
    "Softmax": 20,
    "SoftmaxWithLoss": 21,
    "TanH": 23,
    "Eltwise": 25,
}
LAYER_FIELD = {"V1": 2, "V2": 100}
BLOBS_FIELD = {"V1": 6, "V2": 7}


def varint(number: int) -> bytes:
    """``number`` in base 128, low digits first."""
    digits = bytearray()
    while number > 0x7F:
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*digits, number])


def prefix(field: int, size: int) -> bytes:
    """The tag and length before ``size`` bytes of content in ``field``."""
    return varint(field << 3 | 2) + varint(size)


def content(field: int, payload: bytes) -> bytes:
    return prefix(field, len(payload)) + payload


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def legacy_shape(shape: Sequence[int]) -> bytes:
    return b"".join(number(field, size) for field, size in zip((1, 2, 3, 4), shape, strict=True))


def shape_message(shape: Sequence[int]) -> bytes:
    return content(7, content(1, b"".join(map(varint, shape))))


def data(values: ArrayLike, packed: bool = True, double: bool = False) -> bytes:
    """The data field of a blob: float32 or float64, packed or with one field per value."""
    array = np.asarray(values, "<f8" if double else "<f4").ravel()
    if packed:
        return content(8 if double else 5, array.tobytes())
    tag = varint(8 << 3 | 1) if double else varint(5 << 3 | 5)
    return b"".join(tag + value.tobytes() for value in array)


def blob(array: NDArray[Any], legacy: bool = False, packed: bool = True, double: bool = False) -> bytes:
    """A blob message; ``legacy`` writes num, channels, height, width in place of a shape."""
    padded = (1,) * (4 - array.ndim) + array.shape
    return (legacy_shape(padded) if legacy else shape_message(array.shape)) + data(array, packed, double)


def layer(version: str, name: str, kind: str, *blobs: NDArray[Any] | bytes, **parameters: Any) -> bytes:
    """A layer field of a "V1" or "V2" net; ``kind`` is Caffe's current name, blobs are arrays or messages."""
    message: LayerParameter | V1LayerParameter
    if version == "V1":
        message = V1LayerParameter(name=name, **parameters)
        head = message.SerializeToString() + number(5, V1_TYPES[kind])
    else:
        head = LayerParameter(name=name, type=kind, **parameters).SerializeToString()
    for item in blobs:
        written = item if isinstance(item, bytes) else blob(item, legacy=version == "V1")
        head += content(BLOBS_FIELD[version], written)
    return content(LAYER_FIELD[version], head)


def net(*layers: bytes, name: str = "net") -> bytes:
    return content(1, name.encode()) + b"".join(layers)


def write(folder: Path, *layers: bytes, name: str = "net") -> Path:
    """A caffemodel of these layers in ``folder``."""
    path = folder / "model.caffemodel"
    path.write_bytes(net(*layers, name=name))
    return path


def weights(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(0, 0.1, shape).astype(np.float32)


def convolution(
    version: str, name: str, out: int, channels: int, kernel: int = 3, seed: int = 0, **parameters: Any
) -> bytes:
    """A convolution with ``out`` filters, ``channels`` channels per group, weights and bias."""
    given = {"num_output": out, "kernel_size": [kernel], **parameters}
    filters = weights(out, channels, kernel, kernel, seed=seed)
    return layer(version, name, "Convolution", filters, weights(out, seed=seed + 1), convolution_param=given)


def inner_product(version: str, name: str, out: int, inputs: int, seed: int = 0) -> bytes:
    return layer(
        version,
        name,
        "InnerProduct",
        weights(out, inputs, seed=seed),
        weights(out, seed=seed + 1),
        inner_product_param={"num_output": out},
    )


def small_net(version: str) -> bytes:
    """A network with every supported layer type: 3 x 10 x 12 pictures to a softmax over 5 classes."""
    return net(
        layer(version, "data", "Data"),
        convolution(version, "conv1", 6, 3, pad=[1]),
        layer(version, "relu1", "ReLU"),
        layer(version, "norm1", "LRN", lrn_param={"local_size": 3, "alpha": 0.01}),
        layer(version, "pool1", "Pooling", pooling_param={"kernel_size": 3, "stride": 2}),
        convolution(version, "conv2", 4, 6, kernel=1, seed=2),
        layer(version, "tanh2", "TanH" if version == "V1" else "Tanh"),
        layer(version, "pool2", "Pooling", pooling_param={"pool": 1, "kernel_size": 2, "stride": 2}),
        layer(version, "sigmoid2", "Sigmoid"),
        inner_product(version, "fc3", 7, 36, seed=4),
        layer(version, "drop3", "Dropout", dropout_param={"dropout_ratio": 0.25}),
        inner_product(version, "fc4", 5, 7, seed=6),
        layer(version, "prob", "Softmax"),
    )


def usual_schema() -> type[Message]:
    """Caffe's own schema, with `repeated float data`, compiled at run time, to check the reader against."""
    file = descriptor_pb2.FileDescriptorProto(name="usual.proto", package="usual", syntax="proto2")
    kinds = descriptor_pb2.FieldDescriptorProto

    def message(title: str, *fields: tuple[str, int, int, int, str]) -> None:
        added = file.message_type.add(name=title)
        for name, number, kind, label, type_name in fields:
            item = added.field.add(name=name, number=number, type=kind, label=label)
            if type_name:
                item.type_name = type_name
            if kind == kinds.TYPE_FLOAT:
                item.options.packed = True

    one, many = kinds.LABEL_OPTIONAL, kinds.LABEL_REPEATED
    message("Blob", ("data", 5, kinds.TYPE_FLOAT, many, ""))
    for title, name, blobs in (("V1Layer", 4, 6), ("Layer", 1, 7)):
        text = ("name", name, kinds.TYPE_STRING, one, "")
        message(title, text, ("blobs", blobs, kinds.TYPE_MESSAGE, many, ".usual.Blob"))
    layers = ("layers", 2, kinds.TYPE_MESSAGE, many, ".usual.V1Layer")
    message("Net", layers, ("layer", 100, kinds.TYPE_MESSAGE, many, ".usual.Layer"))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    net: type[Message] = message_factory.GetMessageClass(pool.FindMessageTypeByName("usual.Net"))
    return net
