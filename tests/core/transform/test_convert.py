"""nstyle convert: every kind of network gives an ONNX file that is compared with it before it is kept."""

import hashlib

import numpy as np
import onnx
import pytest
import torch
from click.testing import CliRunner

from cli.__main__ import main
from cli.fast_neural_style import main as fast_neural_style
from core.pictures.images import save_image
from core.transform import convert as convert_module
from core.transform.convert import convert
from core.transform.onnx.file import read_onnx
from core.transform.onnx.metadata import read_metadata
from core.transform.onnx.session import SessionSettings
from core.transform.open_model import onnx_runner, probe_picture
from tests.support.transform_models import BATCH, network, write_network

GOLDEN_NETWORKS = ("bn_f_C", "bn_sr_x4", "in_frozen_nnhead", "in_upnearest", "in_zero_ascii")


def nstyle(*words):
    return CliRunner().invoke(main, list(map(str, words)))


def test_the_command_prints_the_largest_difference(tmp_path):
    write_network(tmp_path / "net.safetensors")
    done = nstyle("convert", tmp_path / "net.safetensors", tmp_path / "net.onnx")
    assert done.exit_code == 0, done.output
    size, difference = done.output.splitlines()
    assert size == f"{tmp_path / 'net.onnx'}: {(tmp_path / 'net.onnx').stat().st_size:,} bytes"
    assert difference.startswith("largest difference to net.safetensors: ")
    assert difference.endswith(" of the output's range (1 of 122x77 and 2 of 89x64 pixels)")


def test_the_file_tells_all_and_holds_no_local_path(tmp_path):
    source = write_network(tmp_path / "net.safetensors")
    convert(source, tmp_path / "net.onnx")
    model = read_onnx(tmp_path / "net.onnx")
    onnx.checker.check_model(model, full_check=True)
    metadata = read_metadata(model)
    assert metadata is not None
    assert (metadata.preprocessing, metadata.channel_order, metadata.tanh_constant) == ("vgg", "bgr", 150)
    assert (metadata.size_multiple, metadata.smallest_size, metadata.enlargement) == (2, 5, 1)
    assert metadata.source_file == "net.safetensors"
    assert metadata.source_sha256 == hashlib.sha256(source.read_bytes()).hexdigest()
    assert str(tmp_path).encode() not in (tmp_path / "net.onnx").read_bytes()
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["net.onnx", "net.safetensors"]


@pytest.mark.parametrize("name", GOLDEN_NETWORKS)
def test_torch7_networks(shared, tmp_path, name):
    folder = shared / "golden" / "fast_neural_style"
    done = convert(folder / f"{name}.t7", tmp_path / "net.onnx")
    assert done.difference <= 1e-5
    runner = onnx_runner(read_onnx(tmp_path / "net.onnx"), SessionSettings())
    for batch in ("", "2"):
        wanted = np.load(folder / f"{name}_output{batch}.npy")
        found = runner.run(np.load(folder / f"{name}_input{batch}.npy"))
        assert np.abs(found - wanted).max() <= 1e-5 * np.ptp(wanted)


def test_a_converted_file_makes_the_same_picture(tmp_path):
    source = write_network(tmp_path / "net.safetensors")
    convert(source, tmp_path / "net.onnx")
    save_image(tmp_path / "photo.png", probe_picture(50, 70))
    for model in ("net.safetensors", "net.onnx"):
        words = ["-model", tmp_path / model, "-input_image", tmp_path / "photo.png"]
        words += ["-output_image", tmp_path / f"{model}.ppm"]
        assert fast_neural_style(list(map(str, words))) == 0
    assert (tmp_path / "net.safetensors.ppm").read_bytes() == (tmp_path / "net.onnx.ppm").read_bytes()


def test_pytorch_examples(tmp_path):
    from tests.support.pytorch_examples_factory import reference_network, state_dict

    torch.save(state_dict(), tmp_path / "mosaic.pth")
    done = convert(tmp_path / "mosaic.pth", tmp_path / "mosaic.onnx")
    assert done.difference <= 1e-5
    model = read_onnx(tmp_path / "mosaic.onnx")
    metadata = read_metadata(model)
    assert metadata is not None
    assert (metadata.preprocessing, metadata.channel_order, metadata.tanh_constant) == ("0-255", "rgb", 0)
    picture = torch.rand(1, 3, 40, 48) * 255
    wanted = reference_network()(picture).detach().numpy()
    found = onnx_runner(model, SessionSettings()).run(picture.numpy())
    assert np.abs(found - wanted).max() <= 1e-5 * np.ptp(wanted)


def test_half_precision_keeps_instance_norm_in_single(tmp_path):
    source = write_network(tmp_path / "net.safetensors")
    single, half = convert(source, tmp_path / "net.onnx"), convert(source, tmp_path / "half.onnx", half=True)
    model = read_onnx(tmp_path / "half.onnx")
    kinds = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    float16, float32 = onnx.TensorProto.FLOAT16, onnx.TensorProto.FLOAT
    convolutions = [node for node in model.graph.node if node.op_type in ("Conv", "ConvTranspose")]
    norms = [node for node in model.graph.node if node.op_type == "InstanceNormalization"]
    assert {kinds[name] for node in convolutions for name in node.input[1:]} == {float16}
    assert {kinds[name] for node in norms for name in node.input[1:]} == {float32}
    assert model.graph.input[0].type.tensor_type.elem_type == float32
    assert single.difference < 1e-5 < half.difference < 1e-2


def test_a_result_that_differs_is_not_kept(tmp_path, monkeypatch):
    source = write_network(tmp_path / "net.safetensors")
    wrong = network(seed=1)
    written = convert_module.to_onnx
    monkeypatch.setattr(convert_module, "to_onnx", lambda module: written(wrong))
    done = nstyle("convert", source, tmp_path / "net.onnx")
    assert done.exit_code == 1
    assert "differs from the source by" in done.output
    assert "of the output's range; allowed are 1e-05; the file was not written" in done.output
    assert [path.name for path in tmp_path.iterdir()] == ["net.safetensors"]


def test_batch_norm_network_at_its_smallest_size(tmp_path):
    source = write_network(tmp_path / "batch.safetensors", BATCH)
    assert convert(source, tmp_path / "net.onnx").difference <= 1e-6
    metadata = read_metadata(read_onnx(tmp_path / "net.onnx"))
    assert metadata is not None
    assert (metadata.normalisation, metadata.smallest_size) == ("batch", 1)


@pytest.mark.parametrize(
    ("name", "preprocessing"),
    [
        ("winml_candy", "vgg"),
        ("winml_mosaic", "vgg"),
        ("winml_fns_candy", "vgg"),
        ("gnsmrky_mosaic_nc8_256x256", "0-255"),
        ("joshbrew_mobile", "0-255"),
    ],
)
def test_old_files_become_standard_and_take_any_size(shared, tmp_path, name, preprocessing):
    done = convert(shared / "onnx_models" / f"{name}.onnx", tmp_path / "new.onnx")
    assert done.difference <= 1e-5
    model = read_onnx(tmp_path / "new.onnx")
    metadata = read_metadata(model)
    assert metadata is not None
    assert metadata.preprocessing == preprocessing
    runner = onnx_runner(model, SessionSettings())
    assert runner.format.size is None
    batch = np.stack([runner.format.input.encode(probe_picture(101, 150))] * 2)
    result = runner.run(batch)
    assert result.shape[0] == 2
    assert abs(result.shape[2] - 101) <= 4
    assert abs(result.shape[3] - 150) <= 4


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        ("net.safetensors", "net.pt", "net.pt: the result is an ONNX file; its name must end in .onnx"),
        ("net.safetensors", "absent/net.onnx", "does not exist; create it first"),
        ("absent.t7", "net.onnx", "absent.t7: no such file; check the path"),
        ("absent.onnx", "net.onnx", "absent.onnx: no such file; check the path"),
        ("text.onnx", "net.onnx", "text.onnx: damaged or not an ONNX model"),
        ("code.pth", "net.onnx", "code.pth: not a file of weights that PyTorch reads safely"),
        ("other.pth", "net.onnx", "other.pth: "),
        ("net.h5", "net.onnx", "unknown kind of network '.h5'"),
    ],
)
def test_errors_leave_no_file(tmp_path, source, target, message):
    write_network(tmp_path / "net.safetensors")
    (tmp_path / "text.onnx").write_text("not a model")
    torch.save({"a": pytest.approx}, tmp_path / "code.pth")
    torch.save({"fc.weight": torch.zeros(3, 3)}, tmp_path / "other.pth")
    before = sorted(tmp_path.iterdir())
    done = nstyle("convert", tmp_path / source, tmp_path / target)
    assert done.exit_code == 1
    assert done.output.startswith("nstyle convert: ")
    assert message in done.output
    assert done.output.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before
