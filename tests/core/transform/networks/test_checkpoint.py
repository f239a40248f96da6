"""Our own checkpoints, and the .pth files of pytorch/examples."""

import os
import pickle

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from core.errors import TransformError
from core.transform.networks.checkpoint import save_checkpoint
from core.transform.networks.load import load_network
from tests.support.pytorch_examples_factory import reference_network, state_dict
from tests.support.transform_models import BATCH, SMALL, network, write_network


@pytest.mark.parametrize("architecture", [SMALL, BATCH])
def test_round_trip_keeps_every_bit(tmp_path, architecture):
    module = network(architecture)
    save_checkpoint(tmp_path / "net.safetensors", architecture, module, "resnet")
    found = load_network(tmp_path / "net.safetensors")
    assert found.preprocessing == "resnet"
    assert found.options == {"arch": architecture.description}
    x = torch.randn(1, 3, 30, 41)
    assert torch.equal(found.module(x), module(x))
    assert [path.name for path in tmp_path.iterdir()] == ["net.safetensors"]


def test_damaged_checkpoints(tmp_path):
    path = write_network(tmp_path / "net.safetensors")
    whole = path.read_bytes()
    for content, message in (
        (whole[:100], "damaged or not a safetensors file"),
        (b"", "damaged or not a safetensors file"),
        (whole.replace(b"c3s1-4,d6", b"c3s1-4,d7"), "damaged checkpoint: "),
    ):
        path.write_bytes(content)
        with pytest.raises(TransformError, match=message) as error:
            load_network(path)
        assert str(error.value).startswith(f"{path}: ")
        assert "\n" not in str(error.value)
    save_file({"a": torch.zeros(3)}, path)
    with pytest.raises(TransformError, match="not a checkpoint of a transform network"):
        load_network(path)
    with pytest.raises(TransformError, match="no such file"):
        load_network(tmp_path / "absent.safetensors")


def test_a_folder_that_cannot_be_written(tmp_path):
    with pytest.raises(TransformError, match="cannot be written"):
        save_checkpoint(tmp_path / "absent" / "net.safetensors", SMALL, network(), "vgg")


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("deprecated", [True, False])
def test_pytorch_examples(tmp_path, prefix, deprecated):
    torch.save(state_dict(prefix, deprecated), tmp_path / "mosaic.pth")
    found = load_network(tmp_path / "mosaic.pth")
    assert found.preprocessing == "0-255"
    assert (found.geometry.multiple, found.tanh_constant, found.normalisation) == (4, 0, "instance")
    picture = torch.rand(2, 3, 37, 50) * 255
    wanted = reference_network(state_dict("", deprecated))(picture).numpy()
    assert np.abs(found.module(picture).numpy() - wanted).max() <= 1e-6 * np.ptp(wanted)


def test_state_dict_inside_a_checkpoint(tmp_path):
    torch.save({"state_dict": state_dict(), "epoch": 2}, tmp_path / "mosaic.pth")
    assert load_network(tmp_path / "mosaic.pth").preprocessing == "0-255"


class Harmful:
    def __reduce__(self):
        return os.mkdir, ("harm",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"fc.weight": torch.zeros(3, 3)}, "'conv1.conv2d.weight' is missing or has the wrong shape"),
        ({**state_dict(), "extra": torch.zeros(1)}, "unknown weights 'extra'"),
        ([1, 2], "contains no state_dict"),
    ],
)
def test_other_pth_files(tmp_path, content, message):
    torch.save(content, tmp_path / "net.pth")
    with pytest.raises(TransformError) as error:
        load_network(tmp_path / "net.pth")
    assert str(error.value).startswith(f"{tmp_path / 'net.pth'}: ")
    assert message in str(error.value)


def test_code_in_a_pth_is_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.pth").write_bytes(pickle.dumps(Harmful(), protocol=2))
    torch.save({"a": Harmful()}, tmp_path / "zip.pth")
    for name in ("net.pth", "zip.pth"):
        with pytest.raises(TransformError, match="not a file of weights that PyTorch reads safely"):
            load_network(tmp_path / name)
    assert not (tmp_path / "harm").exists()
