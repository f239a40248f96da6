"""nstyle inspect on .t7 and .onnx files."""

import hashlib

from click.testing import CliRunner

from cli.__main__ import main
from core.transform.convert import convert
from tests.support.transform_models import write_network


def inspect(*words):
    return CliRunner().invoke(main, ["inspect", *map(str, words)])


def test_checkpoint_of_train_lua(shared):
    path = shared / "golden" / "fast_neural_style" / "in_reflect_start.t7"
    shown = inspect(path)
    assert shown.exit_code == 0
    lines = shown.output.splitlines()
    assert lines[0] == f"{path}: Torch7, binary, 478,411 bytes"
    for line in (
        "  arch               c9s1-8,d16,d32,R32,R32,u16,u8,c9s1-3",
        "  preprocessing      vgg",
        "  style_layers       4,9,16,23",
        "  train_loss_history             2 values  1.5 to 1.25",
        "  style_loss_history style-4     2 values  1 to 2",
    ):
        assert line in lines
    rows = [line.split() for line in lines]
    assert ["2", "nn.SpatialConvolution", "8x3x9x9", "+", "8", "1,952", "15,616"] in rows
    assert ["11.1.1.1", "nn.SpatialConvolution", "32x32x3x3", "+", "32", "9,248", "73,984"] in rows
    assert ["22", "nn.TotalVariation", "strength=1e-06", "0", "0"] in rows
    assert ["total", "52,899", "423,192"] in rows
    assert f"sha256  {hashlib.sha256(path.read_bytes()).hexdigest()}" in lines


def test_ascii_and_other_contents(shared):
    folder = shared / "golden" / "fast_neural_style"
    assert "Torch7, ascii, 80,332 bytes" in inspect(folder / "in_zero_ascii.t7").output
    shown = inspect(folder / "t7_format" / "tensors.t7").output
    assert "  f      float32 2x3x4" in shown or "float32 2x3x4" in shown
    assert "not a network: 'abc'" in inspect(folder / "t7_format" / "str.t7").output
    cyclic = inspect(folder / "t7_format" / "table.t7")
    assert cyclic.exit_code == 0
    assert "cycle" in cyclic.output


def test_onnx_file(tmp_path):
    source = write_network(tmp_path / "net.safetensors")
    convert(source, tmp_path / "net.onnx")
    shown = inspect(tmp_path / "net.onnx")
    assert shown.exit_code == 0
    lines = shown.output.splitlines()
    assert lines[0] == f"{tmp_path / 'net.onnx'}: ONNX, opset 17, IR 8, made by neural-style-exact"
    assert "  picture size: any, at least 5 pixels on the shorter side" in lines
    assert "  input values: vgg, from the file's metadata (converted from net.safetensors)" in lines
    rows = [line.split() for line in lines]
    assert ["neural_style.tanh_constant", "150"] in rows
    assert ["conv_2", "Conv", "4x3x3x3", "+", "4", "112"] in rows


def test_old_onnx_file(shared):
    shown = inspect(shared / "onnx_models" / "winml_candy.onnx").output
    assert "ONNX, opset 7, IR 3, made by OnnxMLTools" in shown
    assert "  picture size: 720x720 only, at least 41 pixels on the shorter side" in shown
    assert "  channel order: bgr, from the file's description, which names BGR" in shown


def test_errors(tmp_path):
    (tmp_path / "candy.t7").write_text("<html>301</html>")
    (tmp_path / "candy.onnx").write_text("nothing")
    for name, message in (
        ("candy.t7", "is a web page, not a model"),
        ("candy.onnx", "damaged or not an ONNX model"),
        ("absent.t7", "no such file; check the path"),
        ("absent.onnx", "no such file; check the path"),
    ):
        shown = inspect(tmp_path / name)
        assert shown.exit_code == 1
        assert shown.output.startswith(f"nstyle inspect: {tmp_path / name}: ")
        assert message in shown.output
    shown = inspect(tmp_path / "candy.t7", "--proto", "a.prototxt")
    assert "--proto: a prototxt describes a caffemodel, not a .t7 file" in shown.output
