"""Other programs' files of a VGG: the same convolutions out of each, or one line about what does not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from core.errors import RegistryError
from core.models.formats.caffe import read_caffe
from core.models.formats.conversion import convert, format_of, read
from core.models.formats.torchvision import CAFFE_MEAN, DEVIATION, MEAN, with_caffe_inputs
from core.models.formats.weights import Convolution
from tests.support import vgg_files as files
from tests.support.caffemodel_factory import small_net

VGG19, VGG16 = files.narrow(), files.narrow("VGG-16")
FEW = files.rounded(VGG19)
WRITERS = {
    "caffe": lambda path: files.write_caffe(path, VGG19),
    "keras": lambda path: files.write_keras(path, VGG19),
    "keras, top": lambda path: files.write_keras(path, VGG19, top=True),
    "keras, whole model": lambda path: files.write_keras(path, VGG19, nested=True, top=True),
    "matconvnet": lambda path: files.write_matlab(path, VGG19),
    "matconvnet, plain": lambda path: files.write_matlab(path, VGG19, compressed=False),
    "matconvnet, 2014": lambda path: files.write_matlab(path, VGG19, of_2014=True),
    "pytorch": lambda path: files.write_torch(path, files.numbered_tensors(VGG19)),
    "pytorch, 2017": lambda path: files.write_torch(path, files.numbered_tensors(VGG19), old=True),
    "pytorch, Gatys": lambda path: files.write_torch(path, files.named_tensors(VGG19)),
    "pytorch, in a checkpoint": lambda path: files.write_torch(
        path, {"epoch": 1, "state_dict": files.numbered_tensors(VGG19)}
    ),
}


@pytest.mark.parametrize("writer", list(WRITERS))
def test_every_format_gives_the_same_convolutions(tmp_path: Path, writer: str) -> None:
    path = WRITERS[writer](tmp_path / "file")
    kind = format_of(path)
    assert kind == writer.split(",")[0]
    assert files.equal(read(kind, path), VGG19)


@pytest.mark.parametrize(
    ("kind", "write"),
    [
        ("caffe", files.write_caffe),
        ("keras", files.write_keras),
        ("matconvnet", files.write_matlab),
        ("pytorch", lambda path, layers: files.write_torch(path, files.numbered_tensors(layers))),
    ],
)
def test_vgg16_in_every_format(tmp_path: Path, kind: str, write: Any) -> None:
    assert files.equal(read(kind, write(tmp_path / "file", VGG16)), VGG16)


def test_eight_bit_weights_are_looked_up(tmp_path: Path) -> None:
    path = files.write_torch(tmp_path / "q.bin", files.eight_bit_tensors(FEW))
    assert format_of(path) == "pytorch"
    assert files.equal(read("pytorch", path), FEW)


def test_conversion_in_its_process_gives_the_bytes_that_writing_gives(tmp_path: Path) -> None:
    wanted = files.write_caffe(tmp_path / "wanted", VGG19).read_bytes()
    convert(files.write_keras(tmp_path / "x.h5", VGG19), tmp_path / "converted")
    assert (tmp_path / "converted").read_bytes() == wanted
    assert files.equal(read_caffe(tmp_path / "converted"), VGG19)


def tensors(**changes: Any) -> dict[str, Any]:
    found = {**files.named_tensors(VGG19), **{key.replace("_b", ".b"): v for key, v in changes.items()}}
    return {name: value for name, value in found.items() if value is not None}


def pytorch(content: Any) -> Any:
    return "pytorch", lambda path: files.write_torch(path, content)


def keras(change: Any) -> Any:
    def write(path: Path) -> Path:
        files.write_keras(path, VGG19)
        with h5py.File(path, "a") as file:
            change(file)
        return path

    return "keras", write


def replace_first(file: h5py.File) -> None:
    del file["block1_conv1/block1_conv1_W_1:0"]
    file["block1_conv1/block1_conv1_W_1:0"] = np.zeros((3, 3, 3, 4))


def matlab(content: Any) -> Any:
    def write(path: Path) -> Path:
        files.savemat(path, content)
        return path

    return "matconvnet", write


FIFTEEN = {name: layer for name, layer in VGG19.items() if name != "conv5_4"}
SIXTEEN = {("conv6_1" if name == "conv5_4" else name): layer for name, layer in VGG19.items()}
WIDE = {**VGG19, "conv1_1": Convolution(np.zeros((513, 3, 3, 3), "f4"), np.zeros(513, "f4"))}
NO_BIAS = {**VGG19, "conv3_2": Convolution(VGG19["conv3_2"].weight, np.zeros(3, "f4"))}
EIGHT = files.eight_bit_tensors(FEW)


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        (pytorch(files.named_tensors(FIFTEEN)), "it has 15 convolutions; a VGG-19 has 16, a VGG-16 has 13"),
        (pytorch(files.named_tensors(SIXTEEN)), "it has no conv5_4"),
        (pytorch(files.named_tensors(WIDE)), "its conv1_1 has weights of shape (513, 3, 3, 3)"),
        (pytorch(files.named_tensors(NO_BIAS)), "its conv3_2 has biases of shape (3,), not (12,)"),
        (
            pytorch({**files.named_tensors(VGG19), "conv1_1.weight": torch.zeros(4, 3, 3, 3).double()}),
            "float32",
        ),
        (pytorch({"a": torch.zeros(2)}), "its tensors, such as 'a', are not named as a VGG's"),
        (pytorch({"a": 1}), "it holds no table of tensors"),
        (
            pytorch({k: v for k, v in files.named_tensors(VGG19).items() if k != "conv2_1.bias"}),
            "no conv2_1.bias",
        ),
        (
            pytorch({**files.named_tensors(VGG19), "conv2_1.weight": torch.zeros(1).expand(8, 4, 3, 3)}),
            "its conv2_1 is larger than its bytes in the file",
        ),
        (pytorch({k: v for k, v in EIGHT.items() if k != "block3_conv1_b"}), "no whole block3_conv1"),
        (pytorch({**EIGHT, "block3_conv1_W_table": torch.zeros(7)}), "its block3_conv1 has not one byte"),
        (keras(lambda file: file.pop("block4_conv3")), "it has 15 convolutions"),
        (keras(lambda file: file.pop("block4_conv3/block4_conv3_b_1:0")), "group block4_conv3 does not hold"),
        (keras(replace_first), "it holds float64 weights; only float32 can be the original's"),
        (keras(lambda file: [file.pop(name) for name in list(file)]), "it has no groups block1_conv1"),
        (matlab({"x": 1}), "it has no cell of layers with a conv1_1"),
        (matlab({"layers": np.zeros(3)}), "it has no cell of layers with a conv1_1"),
        (("caffe", lambda path: (path.write_bytes(small_net("V1")), path)[1]), "it has 2 convolutions"),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(tmp_path: Path, case: Any, expected: str) -> None:
    kind, write = case
    with pytest.raises(RegistryError) as raised:
        read(kind, write(tmp_path / "file"))
    assert str(raised.value).startswith("is no VGG that is known here: ")
    assert expected in str(raised.value) and "\n" not in str(raised.value)


def test_matlab_of_version_7_3_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.mat"
    path.write_bytes(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512) + b"\x89HDF\r\n\x1a\n")
    with pytest.raises(RegistryError, match=r"x\.mat: is a MATLAB file of version 7\.3; save it again with"):
        format_of(path)


def test_torchvisions_inputs_become_caffes() -> None:
    """One response of the first layer, away from the border: the same for the same pixels."""
    first = VGG19["conv1_1"]
    pixels = np.random.default_rng(1).uniform(0, 255, (3, 3, 3))  # R, G, B
    theirs = (pixels / 255 - MEAN[:, None, None]) / DEVIATION[:, None, None]
    ours = (pixels - CAFFE_MEAN[:, None, None])[::-1]
    expected = (first.weight * theirs).sum(axis=(1, 2, 3)) + first.bias
    converted = with_caffe_inputs(VGG19)
    assert list(converted) == list(VGG19) and converted["conv1_2"] is VGG19["conv1_2"]
    found = (converted["conv1_1"].weight * ours).sum(axis=(1, 2, 3)) + converted["conv1_1"].bias
    assert np.allclose(found, expected, atol=1e-5)
