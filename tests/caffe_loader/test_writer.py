"""Written caffemodels: read back by our reader and by protobuf's usual way, the same bytes each time."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from caffe_loader import Convolution, Pooling, ReLU, chain, open_caffemodel
from caffe_loader.writer import convolution_layer, max_pooling_layer, relu_layer, write_caffemodel
from tests.support.caffemodel_factory import usual_schema, weights

WEIGHT, BIAS = weights(4, 3, 3, 3), weights(4, seed=1)


def written() -> bytes:
    stream = io.BytesIO()
    layers = [
        convolution_layer("conv1", WEIGHT, BIAS, padding=1, stride=2),
        relu_layer("relu1"),
        max_pooling_layer("pool1", 2, 2),
    ]
    write_caffemodel(stream, "small", layers)
    return stream.getvalue()


def test_our_reader_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "x.caffemodel"
    path.write_bytes(written())
    with open_caffemodel(path) as model:
        assert (model.format, model.name) == ("V1", "small")
        convolution, relu, pooling = chain(model).modules
        assert isinstance(convolution, Convolution)
        assert np.array_equal(convolution.weight_array(), WEIGHT)
        assert np.array_equal(convolution.bias_array(), BIAS)
        assert (convolution.padding, convolution.stride) == ((1, 1), (2, 2))
        assert relu == ReLU("relu1")
        assert pooling == Pooling("pool1", "max", (2, 2), (2, 2), (0, 0))


def test_protobuf_reads_it_and_the_bytes_are_always_the_same() -> None:
    net = usual_schema()()
    net.ParseFromString(written())
    assert [layer.name for layer in net.layers] == ["conv1", "relu1", "pool1"]  # type: ignore[attr-defined]
    blobs = net.layers[0].blobs  # type: ignore[attr-defined]
    assert [list(blob.data) for blob in blobs] == [WEIGHT.ravel().tolist(), BIAS.tolist()]
    assert written() == written()


def test_any_array_is_written_in_c_order_as_little_endian_floats(tmp_path: Path) -> None:
    other = np.asfortranarray(WEIGHT).astype(">f4")
    streams = [io.BytesIO(), io.BytesIO()]
    for stream, weight in zip(streams, (WEIGHT, other), strict=True):
        write_caffemodel(stream, "n", [convolution_layer("c", weight, BIAS)])
    assert streams[0].getvalue() == streams[1].getvalue()
