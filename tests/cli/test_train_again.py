"""A training that is started again: with other data, from a saved config, by nstyle run."""

import json
import os
import shutil
from pathlib import Path

import pytest
import torch
import yaml
from click.testing import CliRunner

from cli.nstyle.run_config import run_command
from cli.train_fast_neural_style import main
from core.settings.training import TrainSettings
from core.training.data.fingerprint import PIECE_BYTES, training_pictures
from core.transform.networks.load import load_network
from tests.support.picture_folders import write_pictures
from tests.support.training_data import SMALL

FLAGS = {
    "arch": "c3s1-4,d6,R6,u4,c3s1-3",
    "loss_network": SMALL.loss_network,
    "content_layers": "relu1_2",
    "style_layers": "relu1_1,relu2_1",
    "style_image": SMALL.style_image,
    "style_image_size": 48,
    "train_dir": "pictures",
    "train_size": 32,
    "batch_size": 2,
    "num_iterations": 2,
    "num_val_batches": 0,
    "gpu": -1,
    "seed": 1,
    "threads": 1,
    "export_onnx": 0,
    "checkpoint_name": "net",
}
UPSAMPLE = {"task": "upsample", "arch": "c3s1-4,U2,c3s1-3", "upsample_factor": 2, "padding_type": "zero"}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_pictures(tmp_path / "pictures", 5)
    threads = torch.get_num_threads()
    yield tmp_path
    torch.set_num_threads(threads)


def train(*more, left_out=(), **changes):
    flags = {name: value for name, value in {**FLAGS, **changes}.items() if name not in left_out}
    return main([*(word for name, value in flags.items() for word in (f"-{name}", str(value))), *more])


def config(name, **changes):
    text = yaml.safe_dump({"program": "train_fast_neural_style", **FLAGS, **changes})
    Path(name).write_text(text)


def nstyle_run(*arguments):
    shown = CliRunner().invoke(run_command, list(arguments))
    assert shown.exit_code == 0, shown.output
    return shown.output


def losses(name):
    return json.loads(Path(f"{name}.json").read_text())["train_loss_history"]


def strength(name):
    return load_network(Path(f"{name}.safetensors")).module[-1].strength


def test_other_pictures_are_another_training(here, capsys):
    config("a.yml")
    nstyle_run("a.yml")
    assert "up to date" in nstyle_run("a.yml")
    shutil.copytree("pictures", "copy")
    assert "up to date" in nstyle_run("a.yml", "--set", "train_dir=copy")
    write_pictures(here / "pictures", 6)
    assert "-train_dir: the content of pictures has changed" in nstyle_run("a.yml", "--why", "--dry-run")
    assert train("-resume", num_iterations=3) == 1
    assert (
        "net.state.safetensors: from another training: -train_dir: the content of" in capsys.readouterr().err
    )
    nstyle_run("a.yml")
    (here / "net.json").unlink()
    assert "there is no net.json" in nstyle_run("a.yml", "--why", "--dry-run")


def test_an_hdf5_file_is_looked_at_all_over(here):
    content = bytearray(os.urandom(40 * PIECE_BYTES + 17))
    settings = TrainSettings(h5_file="a.h5")

    def fingerprint():
        Path("a.h5").write_bytes(content)
        return training_pictures(settings)["h5_file"][0]["sha256"]

    seen = {fingerprint()}
    for place in (0, 20 * PIECE_BYTES, len(content) - 1):
        content[place] ^= 1
        seen.add(fingerprint())
    content.append(0)
    seen.add(fingerprint())
    assert len(seen) == 5
    assert fingerprint() in seen
    assert training_pictures(TrainSettings(h5_file="absent.h5"))["h5_file"][0]["sha256"] == "unknown"
    Path("b.h5").write_bytes(b"small")
    assert len(training_pictures(TrainSettings(h5_file="b.h5"))["h5_file"][0]["sha256"]) == 64


def test_a_saved_config_of_super_resolution_can_be_used():
    style = ("style_layers", "style_image", "style_image_size")
    assert train("-save_config", "b.yml", left_out=style, checkpoint_name="a", **UPSAMPLE) == 0
    assert main(["-config", "b.yml", "-checkpoint_name", "b"]) == 0
    assert losses("a") == losses("b")


def test_the_strength_of_a_checkpoint_by_every_way(capsys):
    assert train(checkpoint_name="first", tv_strength=0.5) == 0
    begun = {"resume_from_checkpoint": "first.safetensors"}
    assert train("-save_config", "kept.yml", checkpoint_name="kept", **begun) == 0
    assert "-tv_strength come from the checkpoint" in capsys.readouterr().err
    assert main(["-config", "kept.yml", "-checkpoint_name", "again"]) == 0
    config("a.yml", checkpoint_name="run", **begun)
    nstyle_run("a.yml")
    assert [strength(name) for name in ("kept", "again", "run")] == [0.5] * 3
    assert losses("kept") == losses("again") == losses("run")
    assert "up to date" in nstyle_run("a.yml")
    # the default, but written down
    config("b.yml", checkpoint_name="given", tv_strength=1e-6, **begun)
    assert main(["-config", "b.yml", "-checkpoint_name", "command"]) == 0
    nstyle_run("b.yml")
    nstyle_run("a.yml", "--set", "tv_strength=1e-6", "--set", "checkpoint_name=set")
    assert [strength(name) for name in ("given", "command", "set")] == [1e-6] * 3
    assert losses("given") == losses("command") == losses("set") != losses("kept")


def test_going_on_says_what_is_so(capsys):
    assert train(checkpoint_name="first") == 0
    begun = {"resume_from_checkpoint": "first.safetensors", "checkpoint_name": "second"}
    assert train(**begun) == 0
    capsys.readouterr()
    assert train("-resume", **{**begun, "num_iterations": 3}) == 0
    told = capsys.readouterr().err
    assert "continuing after iteration 2" in told
    assert "come from the checkpoint" not in told
    assert train("-resume", **begun) == 0
    assert "nothing to train: 3 iterations are done, and -num_iterations is 2" in capsys.readouterr().err
    assert train("-resume", checkpoint_name="second") == 1  # begun with other weights than these
    assert "-resume_from_checkpoint had 1 files, has 0" in capsys.readouterr().err


def test_gradients_beyond_single_precision_are_no_success(capsys):
    assert train(content_weights="1e30") == 1
    told = capsys.readouterr().err.splitlines()[-1]
    assert "stopped at iteration 2: the largest squared gradient is inf" in told
    assert not Path("net.safetensors").exists()


def test_a_sample_that_cannot_be_written_ends_nothing(here, capsys):
    (here / "net_sample_1.png").mkdir()
    assert train(sample_image=SMALL.style_image, sample_every=1) == 0
    assert "net_sample_1.png: cannot be written" in capsys.readouterr().err
    assert (here / "net_sample_2.png").is_file()


def test_negative_weights_are_remarked_on(capsys):
    assert train(pixel_loss_weight=-1) == 0
    assert "-pixel_loss_weight is negative, so that loss is off" in capsys.readouterr().err


def test_too_large_is_one_line(monkeypatch, capsys):
    def too_large(*_):
        raise MemoryError("Unable to allocate 1.09 TiB")

    monkeypatch.setattr("core.training.loss.scale", too_large)
    assert train() == 1
    told = capsys.readouterr().err.splitlines()[-1]
    assert told.endswith("not enough memory; choose smaller sizes or batches: Unable to allocate 1.09 TiB")
