"""The command train_fast_neural_style: files, log, interruptions, resuming after a kill."""

import csv
import json
import random
import signal
import subprocess
import sys
import types
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from cli.nstyle.run_config import run_command
from cli.runs import training_log as train_log
from cli.terminal.lua_flags import parse
from cli.train_fast_neural_style import GRAMMAR, main
from core.pictures.images import image_size
from core.settings.training import TrainSettings
from core.training.checkpoints import load_state, state_file
from core.transform.networks.load import load_network
from core.transform.onnx.session import INSTALL
from tests.cli.test_neural_style import PHOTO
from tests.conftest import ROOT
from tests.support.training_data import SMALL, batches_for

WORDS = {
    "arch": "c3s1-4,d6,R6,R6,u4,c3s1-3",
    "loss_network": SMALL.loss_network,
    "content_layers": "relu1_2",
    "style_layers": "relu1_1,relu2_1",
    "style_image": SMALL.style_image,
    "style_image_size": "48",
    "batch_size": "2",
    "num_iterations": "7",
    "checkpoint_every": "3",
    "num_val_batches": "2",
    "gpu": "-1",
    "seed": "1",
    "threads": "1",
    "export_onnx": "0",
    "checkpoint_name": "ck/net",
}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    serve(monkeypatch, batches_for)
    threads = torch.get_num_threads()
    yield tmp_path
    torch.set_num_threads(threads)


def serve(monkeypatch, open_batches):
    data = types.ModuleType("core.training.data.open_batches")
    data.open_batches = open_batches
    monkeypatch.setitem(sys.modules, "core.training.data.open_batches", data)


def words(*switches, **changes):
    flags = {**WORDS, **{name: str(value) for name, value in changes.items()}}
    return [word for name, value in flags.items() for word in (f"-{name}", value)] + list(switches)


def files(name="ck/net"):
    return {
        suffix: Path(f"{name}.{suffix}").read_bytes()
        for suffix in ("safetensors", "json", "state.safetensors")
    }


def numbers(name="ck/net"):
    """The losses so far, and the weights, of a JSON file and a checkpoint."""
    return json.loads(Path(f"{name}.json").read_text())


def test_a_training_with_all_its_files(here, capsys):
    status = main(
        words(
            export_onnx=1,
            log_file="losses.csv",
            tensorboard="curves",
            sample_image=SMALL.style_image,
            sample_every=5,
            pixel_loss_weight=0.001,
        )
    )
    out, err = capsys.readouterr()
    assert status == 0
    lines = out.splitlines()
    assert lines[:2] == ["Initializing model from scratch", "nn.Sequential {"]
    assert lines[3] == "  (1): nn.SpatialConvolution(3 -> 4, 3x3, 1,1, 1,1)"
    log = lines[lines.index("}") + 1 :]
    assert [line.split(", loss")[0] for line in log] == [
        "Epoch 0.333333, Iteration 1 / 7",
        "Epoch 0.666667, Iteration 2 / 7",
        "Epoch 1.000000, Iteration 3 / 7",
        "Running on validation set ... ",
        log[4],
        "Epoch 1.333333, Iteration 4 / 7",
        "Epoch 1.666667, Iteration 5 / 7",
        "Epoch 2.000000, Iteration 6 / 7",
        "Running on validation set ... ",
        log[9],
        "Epoch 2.333333, Iteration 7 / 7",
    ]
    assert "% of the time waiting for pictures" in err
    history = numbers()
    assert history["val_loss_history_ts"] == [3, 6]
    assert log[0] == f"Epoch 0.333333, Iteration 1 / 7, loss = {history['train_loss_history'][0]:f}\t0.001"
    assert log[9] == f"val loss = {history['val_loss_history'][1]:f}"
    assert set(history["style_loss_history"]) == {"content-relu1_2", "style-relu1_1", "style-relu2_1"}
    assert history["opt"]["style_weights"] == [5]
    assert history["opt"]["content_layers"] == ["relu1_2"]
    rows = list(csv.DictReader(Path("losses.csv").read_text().splitlines()))
    assert [float(row["loss"]) for row in rows] == history["train_loss_history"]
    assert float(rows[6]["style-relu2_1"]) == history["style_loss_history"]["style-relu2_1"][6]
    parts = [float(rows[0][name]) for name in ("pixel", "content-relu1_2", "style-relu1_1", "style-relu2_1")]
    assert sum(parts) == pytest.approx(float(rows[0]["loss"]), rel=1e-12)
    assert list((here / "curves").iterdir())
    assert (here / "ck" / "net_sample_5.png").exists()
    height, width = image_size(SMALL.style_image)
    assert image_size(here / "ck" / "net_sample_5.png") == (height - 2, width - 2)  # the median filter's
    assert (here / "ck" / "net.onnx").stat().st_size > 5000
    assert sorted(path.name for path in (here / "ck").iterdir()) == [
        *("net.json", "net.onnx", "net.safetensors", "net.state.safetensors", "net_sample_5.png"),
    ]


def test_the_network_is_one_that_fast_neural_style_takes(here):
    assert main(words(checkpoint_name="net")) == 0
    found = load_network(here / "net.safetensors")
    state = load_state(state_file("net"), settings_of_words())
    x = torch.rand(1, 3, 40, 44)
    assert torch.equal(found.module(x), state.start.network.eval()(x))
    assert (found.preprocessing, found.options) == ("vgg", {"arch": WORDS["arch"]})
    assert state.history.iterations == 7


def settings_of_words(**changes):
    line = parse(GRAMMAR, words(checkpoint_name="net", **changes))
    return TrainSettings().replace(**line.settings)


BATCH_NORM = {"use_instance_norm": 0, "padding_type": "zero", "lr_decay_every": 4, "accumulate": 2}


@pytest.mark.parametrize("changes", [{}, BATCH_NORM])
def test_killed_and_resumed_is_equal_to_the_last_bit(here, changes):
    flags = {"num_iterations": 24, "log_file": "losses.csv", **changes}
    assert main(words(checkpoint_name="whole/net", **flags)) == 0
    wanted = files("whole/net")
    (here / "ck").mkdir()
    choose = random.Random(len(changes))
    for switches in ((), ("-resume",)):
        killed_at(choose.randint(4, 10), words(*switches, **flags))
    assert main(words("-resume", **flags)) == 0
    found = files()
    for suffix in ("safetensors", "state.safetensors"):
        assert same(found, wanted, suffix)
    mine, other = numbers(), numbers("whole/net")
    assert mine.pop("opt")["checkpoint_name"] != other.pop("opt")["checkpoint_name"]
    assert mine == other
    rows = list(csv.DictReader(Path("losses.csv").read_text().splitlines()))
    assert [int(row["iteration"]) for row in rows] == list(range(1, 25))


def same(found, wanted, suffix):
    """Whether two files are equal apart from the file name at the start of the description."""
    one, other = found[suffix], wanted[suffix]
    begin = [8 + int.from_bytes(content[:8], "little") for content in (one, other)]
    return one[begin[0] :] == other[begin[1] :]


def killed_at(iteration, arguments):
    """Run the command in its own process; SIGKILL ends it after the given number of printed iterations."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.support.training_data", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        text=True,
    ) as process:
        seen = 0
        for line in process.stdout:
            seen += line.startswith("Epoch")
            if seen == iteration:
                process.kill()
                break
    assert process.returncode == -signal.SIGKILL


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted(number, status, monkeypatch, capsys):
    def interrupting(settings):
        batches = batches_for(settings)
        take, taken = batches.training, []

        def training():
            taken.append(1)
            if len(taken) == 5:
                signal.raise_signal(number)
            return take()

        batches.training = training
        return batches

    serve(monkeypatch, interrupting)
    assert main(words()) == status
    assert len(numbers()["train_loss_history"]) == 5
    assert "stopping after this iteration, with a checkpoint" in capsys.readouterr().err
    serve(monkeypatch, batches_for)
    assert main(words("-resume")) == 0
    assert "continuing after iteration 5" in capsys.readouterr().err
    assert main(words(checkpoint_name="whole")) == 0
    assert numbers()["train_loss_history"] == numbers("whole")["train_loss_history"]


def test_diverging(here, capsys, monkeypatch):
    flags = {"learning_rate": "1e30", "checkpoint_every": 1}
    assert main(words(**flags)) == 1
    assert "stopped at iteration 1: the validation loss is nan. Try a lower" in capsys.readouterr().err
    assert not list(here.glob("ck/*"))
    assert main(words(num_val_batches=0, **flags)) == 1
    assert "stopped at iteration 2: the loss is nan" in capsys.readouterr().err
    assert len(numbers()["train_loss_history"]) == 1
    monkeypatch.setattr("core.training.learner.Learner.largest_weight", lambda self: float("inf"))
    assert main(words()) == 1
    assert "stopped at iteration 3: the largest weight is inf" in capsys.readouterr().err


def test_resuming_something_else(capsys):
    assert main(words(num_iterations=2)) == 0
    assert main(words("-resume", num_iterations=2, learning_rate=0.01)) == 1
    assert "from another training: -learning_rate was 0.001, is 0.01" in capsys.readouterr().err
    assert main(words("-resume", num_iterations=4)) == 0
    out = capsys.readouterr().out
    assert out.startswith("Loading checkpoint from ck/net.state.safetensors\n")
    assert len(numbers()["train_loss_history"]) == 4
    path = state_file("ck/net")
    path.write_bytes(path.read_bytes()[:-9])
    assert main(words("-resume")) == 1
    assert "damaged, or not the state of a training" in capsys.readouterr().err


def test_nothing_to_resume(capsys):
    assert main(words("-resume", num_iterations=1)) == 0
    assert "there is no ck/net.state.safetensors; the training starts from the beginning" in (
        capsys.readouterr().err
    )
    assert main(words(num_iterations=1)) == 0
    assert "is the state of an earlier training and will be replaced" in capsys.readouterr().err


def test_nstyle_run(here):
    """A training as a stage: a finished one is up to date; with more iterations it is continued."""
    flags = {**WORDS, "content_layers": ["relu1_2"], "style_layers": ["relu1_1", "relu2_1"]}
    text = "program: train_fast_neural_style\n" + "".join(f"{k}: {v}\n" for k, v in flags.items())
    (here / "a.yml").write_text(text)
    outputs = [nstyle_run(*words) for words in ((), ("--dry-run",), ("--set", "num_iterations=9"))]
    assert "up to date" in outputs[1]
    assert "Loading checkpoint from ck/net.state.safetensors" in outputs[2]
    assert len(numbers()["train_loss_history"]) == 9
    Path("ck/net.safetensors").unlink()
    assert "there is no ck/net.safetensors" in nstyle_run("--dry-run", "--why", "--set", "num_iterations=9")


def nstyle_run(*arguments):
    result = CliRunner().invoke(run_command, ["a.yml", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_config_and_flags_given(here, capsys):
    (here / "a.yml").write_text("tv_strength: 1e-6\nnum_iterations: 1\nseed: 3\n")
    flags = {name: value for name, value in WORDS.items() if name not in ("num_iterations", "seed")}
    line = [word for name, value in flags.items() for word in (f"-{name}", value)]
    assert main([*line, "-config", "a.yml", "-tv_strength", "0.5", "-save_config", "b.yml"]) == 0
    assert (
        main(words(num_iterations=1, checkpoint_name="kept", resume_from_checkpoint="ck/net.safetensors"))
        == 0
    )
    arguments = words(num_iterations=1, checkpoint_name="given", resume_from_checkpoint="ck/net.safetensors")
    assert main([*arguments, "-config", "a.yml"]) == 0  # the default, but written down
    strengths = [load_network(here / f"{name}.safetensors").module[-1].strength for name in ("kept", "given")]
    assert strengths == [0.5, 1e-6]
    assert "seed: 3" in (here / "b.yml").read_text()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"checkpoint_name": "a.png/net"}, "-checkpoint_name: a.png: cannot be created"),
        ({"checkpoint_name": "taken"}, "-checkpoint_name taken.onnx: is a folder; name a file"),
        ({"log_file": "."}, "-log_file .: is a folder; name a file"),
        ({"tensorboard": "a.png"}, "-tensorboard a.png: is a file; name a folder"),
        ({"arch": ""}, "-arch: there are no layers"),
        ({"arch": "U2"}, "-arch U2: has no layer with weights to train"),
        ({"learning_rate": "1e308"}, "-learning_rate 1e+308: must be at most 3e+38"),
        ({"weight_decay": "-1e308"}, "-weight_decay -1e+308: must be at most 3e+38"),
        ({"accumulate": "1e308"}, "-accumulate 1e+308: must be at most 16777216"),
        ({"style_image_size": "1e308"}, "-style_image_size 1e+308: must be at most 16777216"),
        ({"workers": "1e9"}, "-workers 1000000000: must be at most 256"),
        ({"content_layers": "4,relu1_2"}, "'4' and 'relu1_2' are the same layer; leave one out"),
        ({"sample_image": "cut.jpg"}, "cut.jpg: damaged or incomplete JPEG"),
        ({"sample_image": "one.png"}, "-sample_image one.png: 1x1 pixels are too few"),
        ({"log_file": "absent/l.csv"}, "-log_file absent/l.csv: cannot be written"),
        ({"sample_image": "absent.png"}, "absent.png: cannot be read"),
        ({"content_layers": "relu9_9"}, "no layer 'relu9_9' in the loss network"),
        ({"arch": "c3s1-4,x"}, "-arch: 'x' is not a layer"),
        ({"pixel_loss_type": "L3"}, "-pixel_loss_type L3: must be one of"),
    ],
)
def test_refused_before_the_work(here, changes, message, capsys):
    (here / "a.png").write_bytes(b"")
    (here / "taken.onnx").mkdir()
    (here / "cut.jpg").write_bytes(Path(PHOTO).read_bytes()[:2000])
    Image.new("RGB", (1, 1)).save(here / "one.png")
    assert main(words(**{"export_onnx": 1, **changes})) == 1
    err = capsys.readouterr().err
    assert message in err.splitlines()[-1]
    assert not list(here.rglob("*.safetensors"))


def test_tensorboard_is_missing(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    assert main(words(tensorboard="curves")) == 1
    assert "-tensorboard needs the package tensorboard" in capsys.readouterr().err


def test_no_runtime_for_the_export(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert main(words(num_iterations=1, export_onnx=1)) == 0
    assert f"no ONNX file is written: {INSTALL}" in capsys.readouterr().err


def test_rows_of_a_foreign_csv_are_not_kept(here):
    (here / "l.csv").write_text("a,b\nx,y\n")
    curves = train_log.LossFile("l.csv", ["pixel"], done=3)
    curves.close()
    assert (here / "l.csv").read_text() == "iteration,epoch,learning_rate,loss,pixel,seconds,waiting_share\n"
