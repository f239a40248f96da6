"""``nstyle inspect`` and the comparison of a prototxt with a caffemodel."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from caffe_loader import compare_prototxt, open_caffemodel
from cli.nstyle.inspect import inspect_command
from tests.conftest import ROOT
from tests.support import caffemodel_factory as factory

BUNDLED = ROOT / "vgg_models" / "vgg19_small.caffemodel"


def inspect(*arguments: str | Path) -> Result:
    return CliRunner().invoke(inspect_command, [str(argument) for argument in arguments])


def cells(line: str) -> list[str]:
    return re.split(r"\s{2,}", line)


def test_bundled_model_is_described_and_recognised() -> None:
    result = inspect(BUNDLED)
    content = BUNDLED.read_bytes()
    lines = result.stdout.splitlines()
    assert (result.exit_code, result.stderr) == (0, "")
    assert lines[0] == f"{BUNDLED}: network 'vgg19_small', format V1 (layers)"
    assert cells(lines[2]) == ["layer", "type", "shapes", "parameters", "offset", "bytes"]
    first = cells(lines[3])
    assert first[:4] == ["conv1_1", "Convolution", "16x3x3x3 + 1x1x1x16", "448"]
    assert first[5] == "1,792"
    with open_caffemodel(BUNDLED) as model:
        weight = model.layers[0].blobs[0].array().tobytes()
    assert content[int(first[4].replace(",", "")) :].startswith(weight)
    assert cells(lines[4]) == ["relu1_1", "ReLU", "0", f"{model.layers[1].offset:,}", "0"]
    total = next(cells(line) for line in lines if line.startswith("total"))
    net = factory.usual_schema()()
    net.ParseFromString(content)
    count = sum(len(blob.data) for layer in net.layers for blob in layer.blobs)
    assert total == ["total", "37 layers", f"{count:,}", f"{4 * count:,}"]
    assert f"size    {len(content):,} bytes" in lines
    assert f"md5     {hashlib.md5(content).hexdigest()}" in lines
    assert f"sha256  {hashlib.sha256(content).hexdigest()}" in lines
    assert lines[-1].startswith("known   vgg19_small: ")


def test_unknown_model(tmp_path: Path) -> None:
    path = factory.write(tmp_path, factory.convolution("V2", "c\x1b[31m", 2, 3))
    result = inspect(path)
    assert result.exit_code == 0
    assert "format V2 (layer)" in result.stdout
    assert "c\\x1b[31m  Convolution  2x3x3x3 + 2" in result.stdout
    assert result.stdout.endswith("known   no: no model in the registry has these checksums\n")


def test_name_of_a_known_model_with_another_content(tmp_path: Path) -> None:
    path = tmp_path / "VGG_ILSVRC_19_layers.caffemodel"
    path.write_bytes(factory.small_net("V1"))
    last = inspect(path).stdout.splitlines()[-1].strip()
    assert last.startswith(
        "the registry's vgg19, with the same file name, has size 574671192, md5 b5c644beab"
    )


@pytest.mark.parametrize(
    "content, message",
    [(b"", "is empty"), (b"<html>404</html>", "is a web page"), (b"\x12\xff\x01", "byte 0: field 2 claims")],
)
def test_errors_are_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "bad.caffemodel"
    path.write_bytes(content)
    result = inspect(path)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (1, "", 1)
    assert result.stderr.startswith(f"nstyle inspect: {path}: {message}")
    assert inspect(tmp_path / "absent").stderr.startswith(f"nstyle inspect: {tmp_path / 'absent'}: cannot be")


def test_inspect_needs_no_torch() -> None:
    code = (
        "import sys\nfrom cli.nstyle.inspect import inspect_command\n"
        f"inspect_command([{str(BUNDLED)!r}], standalone_mode=False)\nprint('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.endswith("\nFalse\n")


PROTOTXT = """
name: "small"  # ours
input: "data" input_dim: 1 input_dim: 3 input_dim: 10 input_dim: 12
layer {
  name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  param { lr_mult: 1 } convolution_param { num_output: 6 pad: 1 kernel_size: 3 weight_filler { type: "x" } }
}
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "norm1" type: "LRN" lrn_param { local_size: 3 alpha: 0.01 } }
layer { name: "pool1" type: "Pooling" pooling_param { pool: MAX kernel_h: 3 kernel_w: 3 stride: 2 } }
layer { name: "conv2" type: "Convolution" convolution_param { num_output: 4 kernel_size: 1 } }
layer { name: "tanh2" type: "Tanh" }
layer { name: "pool2" type: "Pooling" pooling_param { pool: AVE kernel_size: 2 stride: 2 } }
layer { name: "sigmoid2" type: "Sigmoid" }
layer { name: "fc3" type: "InnerProduct" inner_product_param { num_output: 7 } }
layer { name: "drop3" type: "Dropout" dropout_param { dropout_ratio: 0.25 } }
layer { name: "fc4" type: "InnerProduct" inner_product_param { num_output: 5 } }
layer { name: "prob" type: "Softmax" }
"""


def compare(folder: Path, text: str | bytes, version: str = "V2") -> list[str]:
    """The differences between a prototxt and the small net, without the path."""
    proto, path = folder / "net.prototxt", folder / "small.caffemodel"
    proto.write_bytes(text.encode() if isinstance(text, str) else text)
    path.write_bytes(factory.small_net(version))
    with open_caffemodel(path) as model:
        lines = compare_prototxt(proto, model)
    assert all(line.startswith(f"{proto}: ") and line.isprintable() for line in lines)
    return [line.removeprefix(f"{proto}: ") for line in lines]


def test_prototxt_that_agrees(tmp_path: Path) -> None:
    assert compare(tmp_path, PROTOTXT) == []


def test_v1_prototxt_that_agrees(tmp_path: Path) -> None:
    text = re.sub(r"\blayer \{", "layers {", PROTOTXT)
    for current, older in (("Convolution", "CONVOLUTION"), ("InnerProduct", "INNER_PRODUCT")):
        text = text.replace(f'"{current}"', older)
    text = re.sub(r'type: "(ReLU|LRN|Pooling|Tanh|Sigmoid|Dropout|Softmax)"', lambda m: m[0].upper(), text)
    text = re.sub(r'TYPE: "(\w+)"', r"type: \1", text)
    assert compare(tmp_path, text, "V1") == []


@pytest.mark.parametrize(
    "old, new, line",
    [
        (
            "num_output: 6 pad: 1",
            "num_output: 8 pad: 1",
            "layer 'conv1': num_output is 8, in the caffemodel 6",
        ),
        ("kernel_size: 1", "kernel_size: 5", "layer 'conv2': kernel is (5, 5), in the caffemodel (1, 1)"),
        ("pad: 1", "pad: 2", "layer 'conv1': padding is (2, 2), in the caffemodel (1, 1)"),
        ("pool: AVE", "pool: MAX", "layer 'pool2': pool is MAX, in the caffemodel AVE"),
        ("num_output: 5", "num_output: 9", "layer 'fc4': num_output is 9, in the caffemodel 5"),
        ("0.25", "0.5", "layer 'drop3': dropout_ratio is 0.5, in the caffemodel 0.25"),
        ("local_size: 3", "local_size: 5", "layer 'norm1': local_size is 5, in the caffemodel 3"),
        ('"ReLU"', '"Sigmoid"', "layer 'relu1': type is Sigmoid, in the caffemodel ReLU"),
    ],
)
def test_prototxt_that_differs(tmp_path: Path, old: str, new: str, line: str) -> None:
    assert compare(tmp_path, PROTOTXT.replace(old, new, 1)) == [line]


def test_prototxt_with_other_layers(tmp_path: Path) -> None:
    assert compare(tmp_path, PROTOTXT.replace('"relu1"', '"relu1_1"')) == [
        "layer 'relu1_1' is only in the prototxt, not in the caffemodel",
        "layer 'relu1' is only in the caffemodel, not in the prototxt",
    ]
    swapped = PROTOTXT.replace('"tanh2" type: "Tanh"', '"sigmoid2" type: "Sigmoid"', 1)
    swapped = swapped.replace(
        '"sigmoid2" type: "Sigmoid" }\nlayer { name: "fc3"', '"tanh2" type: "Tanh" }\nlayer { name: "fc3"'
    )
    assert compare(tmp_path, swapped) == ["the layers are in a different order than in the caffemodel"]


@pytest.mark.parametrize(
    "text, cause",
    [
        (b"layer { name: ", "cannot be parsed as a prototxt"),
        (b"\xff\xfe\x00", "is not a prototxt"),
        (b"a {" * 5000, ""),
        (b"<html>", "cannot be parsed as a prototxt"),
        (b" " * (4 << 20) + b" ", "is larger than 4 MiB"),
    ],
)
def test_prototxt_that_cannot_be_parsed_is_ignored(tmp_path: Path, text: bytes, cause: str) -> None:
    (line,) = compare(tmp_path, text)
    assert line.startswith(cause)
    assert line.endswith("; it is ignored, as by the original program")


def test_prototxt_that_cannot_be_opened(tmp_path: Path) -> None:
    with open_caffemodel(BUNDLED) as model:
        (absent,) = compare_prototxt(tmp_path / "absent", model)
        (folder,) = compare_prototxt(tmp_path, model)
    assert "cannot be opened: No such file" in absent
    assert "is not a file" in folder


def test_inspect_with_a_prototxt(tmp_path: Path) -> None:
    proto = tmp_path / "net.prototxt"
    proto.write_text('layers { name: "conv1_1" type: CONVOLUTION convolution_param { num_output: 64 } }')
    lines = inspect(BUNDLED, "--proto", proto).stdout.splitlines()
    assert f"{proto}: layer 'conv1_1': num_output is 64, in the caffemodel 16" in lines
    assert "(the caffemodel is used, as in the original program)" in lines
    agreeing = ROOT / "vgg_models" / "vgg19_small_deploy.prototxt"
    assert f"{agreeing}: agrees with the caffemodel" in inspect(BUNDLED, "--proto", agreeing).stdout
