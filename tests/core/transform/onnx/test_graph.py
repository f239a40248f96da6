"""Written ONNX graphs: standard operators, self-contained, any picture size, no local paths."""

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from core.errors import TransformError
from core.transform.networks.architecture import Architecture
from core.transform.onnx.file import read_onnx, write_onnx
from core.transform.onnx.graph import to_onnx
from core.transform.onnx.metadata import ModelMetadata, read_metadata, write_metadata
from core.transform.onnx.session import SessionSettings, open_session
from core.transform.pixels import FORMATS, NetworkFormat
from core.transform.runners import OnnxRunner
from tests.support.transform_models import network

METADATA = ModelMetadata("vgg", "vgg", "bgr", 150.0, 4, 41, 1.0, "candy.t7", "0" * 64, "instance")
KINDS = [
    Architecture("c5s1-4,d6,R6,C6,u4,U2,f3s1-4,c5s1-3", normalisation, padding_type)
    for normalisation in ("instance", "batch")
    for padding_type in ("reflect-start", "reflect", "replicate", "zero", "none")
]


@pytest.mark.parametrize("architecture", KINDS, ids=lambda a: f"{a.normalisation}-{a.padding_type}")
def test_every_layer_and_padding(architecture):
    module = network(architecture)
    model = to_onnx(module)
    how = NetworkFormat(FORMATS["vgg"], FORMATS["vgg"])
    runner = OnnxRunner(open_session(model.SerializeToString(), SessionSettings()), how)
    for shape in ((1, 3, 33, 46), (2, 3, 24, 40)):
        x = torch.from_numpy(np.random.default_rng(0).standard_normal(shape).astype(np.float32) * 60)
        wanted = module(x).numpy()
        assert np.abs(runner.run(x.numpy()) - wanted).max() <= 5e-6 * np.ptp(wanted)


def test_the_file_is_standard():
    model = to_onnx(network(KINDS[0]))
    assert (model.ir_version, model.opset_import[0].version) == (8, 17)
    assert {node.domain for node in model.graph.node} == {""}
    assert not any(node.doc_string for node in model.graph.node)
    shapes = [
        [size.dim_param or size.dim_value for size in item.type.tensor_type.shape.dim]
        for item in (model.graph.input[0], model.graph.output[0])
    ]
    assert shapes == [["N", 3, "H", "W"], ["N", 3, "H_out", "W_out"]]
    assert [item.name for item in (*model.graph.input, *model.graph.output)] == ["input", "output"]
    onnx.checker.check_model(model, full_check=True)


def test_batch_norm_is_part_of_the_convolution_before_it():
    operators = [node.op_type for node in to_onnx(network(KINDS[-2])).graph.node]
    assert "BatchNormalization" not in operators
    assert operators[:2] == ["Conv", "Relu"]
    assert operators.count("Mul") == 2  # the one behind U2, where no convolution is, and the tanh constant


def test_unknown_layer():
    with pytest.raises(TransformError, match="a GELU layer cannot be written"):
        to_onnx(nn.Sequential(nn.GELU()))


def test_metadata_round_trip():
    model = to_onnx(network())
    assert read_metadata(model) is None
    model.metadata_props.add(key="author", value="me")
    write_metadata(model, METADATA)
    write_metadata(model, METADATA)
    assert read_metadata(model) == METADATA
    assert [item.value for item in model.metadata_props if item.key == "author"] == ["me"]


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("neural_style.preprocessing", "hsv", "unknown pixel format 'hsv'; known: vgg, resnet"),
        ("neural_style.size_multiple", "four", "incomplete or damaged"),
    ],
)
def test_damaged_metadata(key, value, message):
    model = to_onnx(network())
    write_metadata(model, METADATA)
    for item in model.metadata_props:
        if item.key == key:
            item.value = value
    with pytest.raises(TransformError, match=message):
        read_metadata(model)


def test_incomplete_metadata():
    model = to_onnx(network())
    model.metadata_props.add(key="neural_style.preprocessing", value="vgg")
    with pytest.raises(TransformError, match="incomplete or damaged"):
        read_metadata(model)


def test_files_appear_complete_or_not_at_all(tmp_path):
    model = to_onnx(network())
    write_onnx(model, tmp_path / "net.onnx")
    assert read_onnx(tmp_path / "net.onnx") == model
    with pytest.raises(TransformError, match="cannot be written"):
        write_onnx(model, tmp_path / "absent" / "net.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["net.onnx"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not an ONNX model: it contains no network"),
        (b"<!doctype html><html>", "is a web page, not a model"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer"),
        (b"PK\x03\x04" + bytes(40), "is a zip archive, perhaps a PyTorch file"),
        (b"\x80\x02}q\x00.", "is a Python pickle"),
        (b"\x04\x00\x00\x00\x01\x00\x00\x00", "is a Torch7 file; name it .t7"),
        (b"\xff\xff\xff", "damaged or not an ONNX model"),
        (b"hello world, no model", "damaged or not an ONNX model"),
    ],
)
def test_other_files_are_named(tmp_path, content, message):
    (tmp_path / "net.onnx").write_bytes(content)
    with pytest.raises(TransformError, match=message):
        read_onnx(tmp_path / "net.onnx")


def test_truncations_and_changed_bytes_never_give_a_traceback(tmp_path):
    data = to_onnx(network()).SerializeToString()
    rng = np.random.default_rng(3)
    for _ in range(300):
        where = int(rng.integers(len(data)))
        changed = (
            data[:where]
            if rng.integers(2)
            else data[:where] + bytes([int(rng.integers(256))]) + data[where + 1 :]
        )
        (tmp_path / "net.onnx").write_bytes(changed)
        try:
            model = read_onnx(tmp_path / "net.onnx")
            open_session(model.SerializeToString(), SessionSettings())
        except TransformError as error:
            assert "\n" not in str(error)
