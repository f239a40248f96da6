"""The caffemodel reader: formats, encodings of blobs, lazy reading and errors."""

from __future__ import annotations

import gc
import gzip
import json
import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import psutil
import pytest

from caffe_loader import CaffemodelError, open_caffemodel
from tests.conftest import ROOT, SHARED
from tests.support import caffemodel_factory as factory

MODELS = sorted((SHARED / "golden").glob("neural_style*/**/*.caffemodel"))
BUNDLED = ROOT / "vgg_models" / "vgg19_small.caffemodel"


@pytest.mark.parametrize("version", ["V1", "V2"])
def test_layers_of_both_formats(tmp_path: Path, version: str) -> None:
    content = factory.small_net(version)
    path = tmp_path / "small.caffemodel"
    path.write_bytes(content)
    with open_caffemodel(path) as model:
        assert (model.path, model.format, model.name) == (path, version, "net")
        assert [layer.name for layer in model.layers][:3] == ["data", "conv1", "relu1"]
        assert [layer.type for layer in model.layers][:4] == ["Data", "Convolution", "ReLU", "LRN"]
        assert model.layers[1].type_number == (4 if version == "V1" else None)
        conv = model.layers[1]
        assert content[conv.offset] == (0x12 if version == "V1" else 0xA2)  # the tag of the layer field
        assert list(conv.parameters.convolution_param.kernel_size) == [3]
        weight, bias = conv.blobs
        assert weight.shape == (6, 3, 3, 3)
        assert bias.shape == ((1, 1, 1, 6) if version == "V1" else (6,))
        assert (weight.count, weight.nbytes) == (162, 648)
        np.testing.assert_array_equal(weight.array(), factory.weights(6, 3, 3, 3))
        assert content[weight.offset : weight.offset + 648] == factory.weights(6, 3, 3, 3).tobytes()


@pytest.mark.parametrize("path", [BUNDLED, *MODELS], ids=lambda path: path.stem)
def test_real_files_hold_what_a_full_protobuf_parse_finds(path: Path) -> None:
    net = factory.usual_schema()()
    net.ParseFromString(path.read_bytes())
    expected = list(net.layers) or list(net.layer)
    with open_caffemodel(path) as model:
        assert [layer.name for layer in model.layers] == [layer.name for layer in expected]
        for layer, whole in zip(model.layers, expected, strict=True):
            assert len(layer.blobs) == len(whole.blobs)
            for blob, full in zip(layer.blobs, whole.blobs, strict=True):
                np.testing.assert_array_equal(blob.array().ravel(), np.array(full.data, np.float32))


VALUES = factory.weights(2, 3, 4, 5)
SHAPED = factory.shape_message(VALUES.shape)


@pytest.mark.parametrize(
    "blob",
    [
        factory.blob(VALUES),
        factory.blob(VALUES, legacy=True),
        factory.blob(VALUES, packed=False),
        factory.blob(VALUES, double=True),
        factory.blob(VALUES, double=True, packed=False),
        factory.data(VALUES) + SHAPED,
        factory.data(VALUES, packed=False) + SHAPED,
        factory.data(VALUES.ravel()[:50]) + SHAPED + factory.data(VALUES.ravel()[50:]),
        factory.data(VALUES.ravel()[:7], packed=False) + SHAPED + factory.data(VALUES.ravel()[7:]),
        SHAPED + factory.data([]) + factory.data(VALUES) + factory.data([]),
        SHAPED + factory.content(6, b"\0" * 480) + factory.data(VALUES),  # diff: training's gradients
        SHAPED + factory.data(VALUES) + factory.data(VALUES * 2, double=True),  # loadcaffe reads floats only
        factory.number(1, 9) + SHAPED + factory.data(VALUES),  # a shape wins over the legacy axes
    ],
)
def test_every_spelling_of_a_blob(tmp_path: Path, blob: bytes) -> None:
    with open_caffemodel(factory.write(tmp_path, factory.layer("V2", "c", "Convolution", blob))) as model:
        array = model.layers[0].blobs[0].array()
        assert array.dtype == np.float32
        np.testing.assert_array_equal(array, VALUES)
        assert not array.flags.writeable


def test_unpacked_runs_of_every_length(tmp_path: Path) -> None:
    """The shape after the run is read, for every position of its end in the steps of the tag comparison."""
    for count in range(1, 120):
        blob = factory.data(VALUES.ravel()[:count], packed=False) + factory.shape_message((count,))
        with open_caffemodel(factory.write(tmp_path, factory.layer("V2", "c", "Bias", blob))) as model:
            np.testing.assert_array_equal(model.layers[0].blobs[0].array(), VALUES.ravel()[:count])


def test_blob_without_any_shape_is_a_vector(tmp_path: Path) -> None:
    path = factory.write(tmp_path, factory.layer("V2", "c", "Bias", factory.data([1, 2, 3]), b""))
    with open_caffemodel(path) as model:
        assert [blob.shape for blob in model.layers[0].blobs] == [(3,), (0,)]
        assert model.layers[0].blobs[1].array().size == 0


@pytest.mark.parametrize("shift", range(4))
def test_packed_data_are_not_copied_at_any_alignment(tmp_path: Path, shift: int) -> None:
    layer = factory.layer("V2", "c" * (shift + 1), "Convolution", VALUES)
    with open_caffemodel(factory.write(tmp_path, layer)) as model:
        mapped = np.frombuffer(model._file.bytes, np.uint8)
        assert np.shares_memory(model.layers[0].blobs[0].array(), mapped)


def test_arrays_outlive_the_model_and_unread_blobs_do_not(tmp_path: Path) -> None:
    path = factory.write(tmp_path, factory.layer("V2", "c", "Convolution", VALUES, VALUES))
    with open_caffemodel(path) as model:
        kept, unread = model.layers[0].blobs[0].array(), model.layers[0].blobs[1]
    np.testing.assert_array_equal(kept, VALUES)
    assert unread.array().shape == VALUES.shape  # still mapped, because of `kept`
    del kept
    model.close()
    with pytest.raises(CaffemodelError, match="closed before its weights were read"):
        unread.array()
    del model
    gc.collect()


def test_opening_reads_no_weights(tmp_path: Path) -> None:
    """A sparse file of 2 GB opens without reading its data."""
    size = 2 << 30
    name = factory.content(1, b"huge") + factory.content(2, b"InnerProduct")
    inner = factory.shape_message((1 << 14, 1 << 15)) + factory.prefix(5, size)
    head = factory.prefix(7, len(inner) + size) + inner
    path = tmp_path / "huge.caffemodel"
    with path.open("wb") as file:
        file.write(factory.prefix(100, len(name) + len(head) + size) + name + head)
        file.truncate(file.tell() + size)
    before = psutil.Process().memory_info().rss
    with open_caffemodel(path) as model:
        assert model.layers[0].blobs[0].nbytes == size
        assert psutil.Process().memory_info().rss - before < 20 << 20


def test_reading_imports_no_torch() -> None:
    code = (
        f"import sys, caffe_loader\nwith caffe_loader.open_caffemodel({str(BUNDLED)!r}) as model:\n"
        "    chain = caffe_loader.chain(model)\n    chain.modules[0].weight_array()\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_v1_layers_win_over_v2_layers(tmp_path: Path) -> None:
    path = factory.write(tmp_path, factory.layer("V2", "new", "ReLU"), factory.layer("V1", "old", "ReLU"))
    with open_caffemodel(path) as model:
        assert (model.format, [layer.name for layer in model.layers]) == ("V1", ["old"])


def test_input_dims_counts_as_loadcaffe(tmp_path: Path) -> None:
    dims = b"".join(factory.number(4, size) for size in (1, 3, 8, 8))
    shapes = factory.content(8, factory.content(1, b"\1\3")) * 2
    for version, expected in (("V1", 4), ("V2", 8)):
        path = factory.write(tmp_path, dims, shapes, factory.layer(version, "r", "ReLU"))
        with open_caffemodel(path) as model:
            assert model.input_dims == expected


@pytest.mark.parametrize("number, name", [(39, "Deconvolution"), (0, "V1:0"), (77, "V1:77")])
def test_v1_type_numbers(tmp_path: Path, number: int, name: str) -> None:
    path = factory.write(tmp_path, factory.content(2, factory.number(5, number)))
    with open_caffemodel(path) as model:
        assert (model.layers[0].type, model.layers[0].type_number) == (name, number)


def test_name_that_is_not_utf8(tmp_path: Path) -> None:
    path = factory.write(tmp_path, factory.content(100, factory.content(1, b"\xff\xfe") + b"\x12\x01R"))
    with open_caffemodel(path) as model:
        assert (model.layers[0].name, model.layers[0].type) == ("\\xff\\xfe", "R")


def test_unknown_fields_are_skipped(tmp_path: Path) -> None:
    unknown = factory.number(900, 5) + factory.content(901, b"xyz") + b"\xb5\x38abcd" + b"\xb1\x38abcdefgh"
    path = factory.write(tmp_path, unknown, factory.content(100, unknown + factory.content(1, b"r")), unknown)
    with open_caffemodel(path) as model:
        assert [layer.name for layer in model.layers] == ["r"]


def error_of(path: Path) -> str:
    """The one-line error of opening ``path`` and reading all of it; it names the file."""
    with pytest.raises(CaffemodelError) as caught, open_caffemodel(path) as model:
        for layer in model.layers:
            for blob in layer.blobs:
                blob.array()
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{path}: ")
    return message.removeprefix(f"{path}: ")


FOREIGN = {
    "an HTML page": (b"\n<!DOCTYPE html><html><body>404</body></html>", "is a web page"),
    "bare HTML": (b"\xef\xbb\xbf<HTML>moved</HTML>", "is a web page"),
    "LFS": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "is a Git LFS pointer"),
    "pickle": (pickle.dumps({"a": 1}), "is a Python pickle"),
    "gzip": (gzip.compress(b"x"), "is a compressed archive"),
    "HDF5": (b"\x89HDF\r\n\x1a\n\0\0", "is an HDF5 file"),
    "t7": (b"\4\0\0\0\1\0\0\0\3\0\0\0V 1\x0d\0\0\0nn.Sequential", "is a Torch7 .t7 file"),
    "ascii t7": (b"4\n1\n3\nV 1\n13\nnn.Sequential\n", "is a Torch7 .t7 file"),
    "prototxt": (b'# VGG\nname: "VGG"\nlayer {\n  name: "conv1_1"\n}\n', "is a prototxt"),
    "V1 prototxt": (b'layers {\n  bottom: "data"\n}\n', "is a prototxt"),
    "empty": (b"", "is empty"),
    "no layers": (factory.content(1, b"a net"), "has no layers"),
    "zeros": (bytes(100), "byte 0: field number 0 is invalid"),
    "noise": (b"\x87" * 40, "byte 0: a number has more than ten bytes"),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_foreign_files_are_named(tmp_path: Path, kind: str) -> None:
    content, message = FOREIGN[kind]
    path = tmp_path / "foreign.caffemodel"
    path.write_bytes(content)
    assert error_of(path).startswith(message)


def test_zip_is_named(tmp_path: Path) -> None:
    path = tmp_path / "vgg.caffemodel"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", json.dumps({}))
    assert error_of(path).startswith("is a zip archive")


def test_real_t7_is_named(shared: Path) -> None:
    path = shared / "golden" / "fast_neural_style" / "in_upnearest.t7"
    assert error_of(path).startswith("is a Torch7 .t7 file")


def test_paths_that_cannot_be_opened(tmp_path: Path) -> None:
    assert error_of(tmp_path / "absent").startswith("cannot be opened: No such file or directory")
    assert error_of(tmp_path).startswith("is not a file")
    os.mkfifo(tmp_path / "pipe")
    assert error_of(tmp_path / "pipe").startswith("is not a file")
    with pytest.raises(CaffemodelError, match="embedded null"):
        open_caffemodel("a\0b")


def test_v0_net_is_named(tmp_path: Path) -> None:
    connection = factory.content(1, factory.content(1, b"conv1") + factory.content(50, factory.blob(VALUES)))
    message = error_of(factory.write(tmp_path, factory.content(2, connection)))
    assert message.startswith("is in Caffe's V0 format of 2013")
    assert message.endswith("convert it with Caffe's upgrade_net_proto_binary")


def test_truncation_at_every_field(tmp_path: Path) -> None:
    """Cut anywhere, a file is an error or, at the end of a layer, a shorter network."""
    content = factory.small_net("V1")
    path = tmp_path / "cut.caffemodel"
    path.write_bytes(content)
    with open_caffemodel(path) as model:
        boundaries = {layer.offset for layer in model.layers[1:]}
    for size in range(0, len(content), 7):
        path.write_bytes(content[:size])
        if size in boundaries:
            open_caffemodel(path).close()
        else:
            assert any(word in error_of(path) for word in ("truncated", "is empty", "has no layers"))


LAYER = factory.content(1, b"conv1")


@pytest.mark.parametrize(
    "content, message",
    [
        (
            factory.prefix(100, 1 << 40) + LAYER,
            "byte 0: field 100 claims 1099511627776 bytes, but only 7 follow",
        ),
        (factory.content(100, LAYER + factory.prefix(7, 900)) + LAYER * 200, "field 7 claims 900 bytes, but"),
        (factory.content(100, LAYER + b"\x3b"), "byte 10: wire type 3 is invalid"),
        (factory.content(100, LAYER + b"\x3f"), "byte 10: wire type 7 is invalid"),
        (factory.content(100, LAYER + b"\x80" * 11), "byte 10: a number has more than ten bytes"),
        (factory.content(100, LAYER + b"\x80"), "byte 10: a number is cut off"),
        (factory.content(100, LAYER + factory.content(106, b"\xff" * 20)), "cannot be parsed"),
        (b"\xa2\x06\x00" * 20000, "too many layers and parameters for a network"),
        (factory.content(100, factory.content(1, b"n" * (5 << 20))), "too many layers and parameters"),
        (factory.content(100, LAYER + factory.content(7, factory.data([1]) * 20000)), "too many layers"),
    ],
)
def test_damaged_structure(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "damaged.caffemodel"
    path.write_bytes(content)
    assert message in error_of(path)


@pytest.mark.parametrize(
    "blob, message",
    [
        (SHAPED + factory.data(VALUES.ravel()[1:]), "shape 2 x 3 x 4 x 5 does not fit 119 stored values"),
        (SHAPED, "shape 2 x 3 x 4 x 5 does not fit 0 stored values"),
        (factory.legacy_shape((1, 1, 1, 4)) + factory.data([1, 2, 3]), "1 x 1 x 1 x 4 does not fit 3"),
        (factory.shape_message((1 << 62, 1 << 62)) + factory.data([1]), "does not fit 1 stored"),
        (factory.shape_message(((1 << 64) - 2, (1 << 64) - 2)) + factory.data([1] * 4), "shape -2 x -2"),
        (factory.shape_message((1,) * 33) + factory.data([1]), "does not fit 1 stored values"),
        (factory.content(5, b"\0" * 7), "7 data bytes are not a whole number of 4-byte values"),
        (factory.content(8, b"\0" * 12), "12 data bytes are not a whole number of 8-byte values"),
        (b"\xad\0abcd", "overlong tag"),
        (factory.data([0, np.nan]), "weight 1 of 2 is NaN or infinite"),
        (factory.data([np.inf], packed=False), "weight 0 of 1 is NaN or infinite"),
        (factory.data([1e300], double=True), "weight 0 of 1 is NaN or infinite"),
    ],
)
def test_damaged_blobs_name_layer_or_byte(tmp_path: Path, blob: bytes, message: str) -> None:
    path = factory.write(tmp_path, factory.layer("V2", "conv\n1", "Convolution", blob))
    found = error_of(path)
    assert message in found
    assert found.startswith(("layer 'conv\\n1' (byte ", "byte "))


def test_nan_far_into_a_blob_is_found(tmp_path: Path) -> None:
    values = np.zeros((1 << 20) + 3, np.float32)
    values[-1] = -np.inf
    path = factory.write(tmp_path, factory.layer("V2", "c", "Convolution", values))
    assert f"weight {values.size - 1} of {values.size} is NaN or infinite" in error_of(path)
