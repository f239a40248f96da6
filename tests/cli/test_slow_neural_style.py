"""The command slow_neural_style: its log, pictures, records, errors and exit statuses."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from click.testing import CliRunner
from PIL import Image

from cli.__main__ import main as nstyle_main
from cli.runs.log import fixed_point
from cli.slow_neural_style import main
from core.devices import choose_native
from core.events import Evaluation
from core.pictures.images import to_bytes
from core.report.runs import find_runs
from core.settings.slow_neural_style import SlowSettings
from core.settings.yaml_files import read_yaml
from core.training.slow import optimise, output_image
from tests.conftest import GOLDEN, ROOT

MODEL = str(GOLDEN / "models" / "vgg19_mini_v1.caffemodel")
PICTURES = GOLDEN / "images"
PHOTO, PAINTING = str(PICTURES / "photo.jpg"), str(PICTURES / "painting.png")
MAXIMUM = "<optim.lbfgs> \treached max number of iterations\n"
BUFFERS = "<optim.lbfgs> \tcreating recyclable direction/step/history buffers\n"
VANISHED = "<optim.lbfgs> \toptimality condition below tolFun\n"


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def words(*more, content=PHOTO, style=PAINTING, model=MODEL):
    return [
        "-content_image", content, "-style_image", style, "-loss_network", model, "-gpu", "-1",
        "-image_size", "40", "-style_image_size", "36", "-seed", "42", "-num_iterations", "4",
        "-content_layers", "relu2_2", "-style_layers", "4,relu2_2", "-save_every", "2", *more,
    ]  # fmt: skip


def files(folder):
    return sorted(path.name for path in Path(folder).iterdir())


def pixels(path):
    with Image.open(path) as picture:
        return np.asarray(picture).copy()


def record_of(path):
    return json.loads(Path(f"{path}.json").read_text())


def test_log_and_pictures(tmp_path, capsys):
    assert main(words("-output_image", "a.b.png")) == 0
    out, err = capsys.readouterr()
    assert err == ""
    names = ["a.b.png", "a_2.png", "a_4.png"]  # up to the first dot
    assert files(tmp_path) == sorted([*names, *(f"{name}.json" for name in names)])
    trace = [float(loss) for loss in record_of("a.b.png")["trace"]]
    lines = [f"Iteration {i}, loss = {fixed_point(loss)}\n" for i, loss in enumerate(trace, 1)]
    assert out == lines[0] + BUFFERS + "".join(lines[1:]) + MAXIMUM
    assert re.match(r"Iteration 1, loss = \d+\.\d{6}\n", out)
    flags = SlowSettings(
        content_image=PHOTO, style_image=PAINTING, loss_network=MODEL, image_size=40.0, style_image_size=36.0,
        content_layers=("relu2_2",), style_layers=("4", "relu2_2"), seed=42.0, num_iterations=4.0,
    )  # fmt: skip
    events = [event for event in optimise(flags) if isinstance(event, Evaluation)]
    assert [event.total for event in events] == trace
    for number, name in ((2, "a_2.png"), (4, "a_4.png"), (4, "a.b.png")):
        assert np.array_equal(pixels(name), to_bytes(output_image(flags, events[number - 1])))
        assert record_of(name)["evaluation"] == number


def test_a_seed_repeats_every_byte(tmp_path, capsys):
    for name, *more in (("1.png",), ("2.png",), ("3.png", "-seed", "43"), ("4.png", "-optimizer", "adam")):
        assert main(words("-save_every", "0", "-output_image", name, *more)) == 0
    assert Path("1.png").read_bytes() == Path("2.png").read_bytes()
    assert record_of("1.png")["trace"] == record_of("2.png")["trace"]
    for name in ("3.png", "4.png"):
        assert not np.array_equal(pixels(name), pixels("1.png"))
    assert len(files(tmp_path)) == 8


def test_adam_prints_nothing_of_its_own_and_print_every_counts(capsys):
    assert main(words("-optimizer", "adam", "-print_every", "3", "-learning_rate", "10")) == 0
    assert re.fullmatch(r"Iteration 3, loss = \d+\.\d{6}\n", capsys.readouterr().out)
    assert main(words("-print_every", "0")) == 0
    assert capsys.readouterr().out == BUFFERS + MAXIMUM


def test_an_optimum_ends_at_once_and_is_written(tmp_path, capsys):
    assert main(words("-content_weights", "0", "-style_weights", "0", "-tv_strength", "0")) == 0
    assert capsys.readouterr().out == "Iteration 1, loss = 0.000000\n" + VANISHED
    assert files(tmp_path) == ["out.png", "out.png.json"]
    assert record_of("out.png")["evaluation"] == 1


def test_lists_may_be_empty(capsys):
    no_style = ("-style_layers", "", "-style_weights", "")
    no_content = ("-content_layers", "", "-content_weights", "")
    dream = ("-deepdream_layers", "relu2_1", "-deepdream_weights", "0.001")
    for more, count in ((no_style, (1, 0)), (no_content, (0, 2)), ((*no_style, *no_content, *dream), (0, 0))):
        assert main(words(*more)) == 0
        losses = record_of("out.png")["losses"]
        assert (len(losses["content"]), len(losses["style"])) == count
    assert losses["total"] == 0
    assert main(words(*no_style, *no_content)) == 1
    assert capsys.readouterr().err == (
        "slow_neural_style: -content_layers, -style_layers and -deepdream_layers are all empty: there is "
        "nothing to optimise\n"
    )


def test_a_torch_network_by_number_and_by_name(shared, capsys):
    model = str(shared / "golden" / "fast_neural_style" / "train" / "loss.t7")
    more = ("-content_layers", "16", "-style_layers", "4,9,16,23")
    assert main(words(*more, model=model)) == 0
    numbers = capsys.readouterr().out
    names = ("-content_layers", "relu3_3", "-style_layers", "relu1_2,relu2_2,relu3_3,relu4_3")
    assert main(words(*names, model=model)) == 0
    assert capsys.readouterr().out == numbers
    assert main(words(*more, "-image_size", "4", model=model)) == 1
    assert re.fullmatch(
        r"slow_neural_style: .*photo.jpg: the loss network cannot run on 4x3 pixels; try another -image_size "
        r"\(.*too small.*\)\n",
        capsys.readouterr().err,
    )


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("-loss_network", "absent.t7"), "absent.t7: no such model file"),
        (("-content_layers", "relu9_9"), f"{MODEL}: no layer 'relu9_9' in the loss network; it has 1 to 46"),
        (("-style_layers", "47"), "no layer '47' in the loss network"),
        (("-style_layers", "4,4"), "-style_layers: '4' is named twice"),
        (("-style_weights", "1,2,3"), "must have the same number of elements, or one weight"),
        (("-optimizer", "sgd"), "-optimizer sgd: must be one of lbfgs, adam"),
        (("-loss_type", "L1"), "-loss_type L1: must be one of L2, SmoothL1"),
        (("-preprocessing", "none"), "-preprocessing none: must be one of vgg, resnet"),
        (("-num_iterations", "2.5"), "-num_iterations 2.5: must be a whole number"),
        (("-gpu", "0", "-backend", "opencl"), "-backend opencl: PyTorch has no OpenCL"),
        (("-content_image", "absent.png"), "absent.png: cannot be read: No such file or directory"),
        (("-output_image", "out.webp"), "out.webp: unknown image type 'webp'"),
        (("-output_image", "no/out.png"), "the folder no does not exist"),
    ],
)
def test_errors_are_one_line(tmp_path, capsys, more, message):
    assert main(words(*more)) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("slow_neural_style: ")
    assert message in err
    assert files(tmp_path) == []


def test_without_a_gpu_it_says_so_and_runs_on_the_cpu(capsys, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert main(words("-gpu", "0")) == 0
    assert capsys.readouterr().err == "slow_neural_style: -gpu 0: PyTorch finds no GPU; running on the CPU\n"
    assert choose_native(-1, 0).notices == ()


def test_a_diverging_run_keeps_the_last_good_picture(tmp_path, capsys):
    assert main(words("-optimizer", "adam", "-learning_rate", "1e30", "-save_every", "0")) == 1
    err = capsys.readouterr().err.splitlines()
    assert "; evaluation 1 is saved as out.png" in err[-2]
    assert err[-1].startswith("slow_neural_style: stopped at evaluation 2: the loss is no longer finite")
    kept = pixels("out.png")
    assert main(words("-num_iterations", "1")) == 0
    assert np.array_equal(pixels("out.png"), kept)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_runs_write_the_current_picture(tmp_path, number, status):
    command = [sys.executable, "-m", "cli.slow_neural_style", *words("-num_iterations", "100000")]
    process = subprocess.Popen(
        [*command, "-save_every", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    for line in process.stdout:
        if line.startswith("Iteration 3,"):
            break
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == status
    assert err.startswith(f"slow_neural_style: interrupted ({number.name}); evaluation ")
    assert err.count("\n") == 1
    assert files(tmp_path) == ["out.png", "out.png.json"]
    assert pixels("out.png").shape == (30, 40, 3)
    assert "complete" not in record_of("out.png")


# Records, and what is made of them


def nstyle(*arguments):
    return CliRunner().invoke(nstyle_main, list(map(str, arguments)))


def test_show_and_reproduce(capsys):
    assert main(words("-output_image", "a.b.png", "-threads", "1")) == 0
    record = record_of("a.b.png")
    assert record["program"] == "slow_neural_style"
    assert (record["arithmetic"], record["devices"]) == ("native", ["cpu"])
    assert record["inputs"].keys() == {"content_image", "style_image", "loss_network"}
    shown = nstyle("show", "a.b.png").output
    assert shown.startswith("a.b.png: the recorded file, byte for byte\n\nslow_neural_style -content_image ")
    assert "-seed 42" in shown
    assert f"total loss       {record['losses']['total']!r}" in shown
    folders = ("--inputs", PICTURES, "--inputs", Path(MODEL).parent)
    for name, count in (("a_2.png", 2), ("a.b.png", 4)):
        found = nstyle("reproduce", name, *folders)
        assert found.output == f"identical: every pixel, and the losses of all {count} evaluations\n"
        assert found.exit_code == 0
    assert main(words("-seed", "-1", "-output_image", "other.png")) == 0
    assert "made without -seed" in nstyle("reproduce", "other.png", *folders).output


def test_report(capsys):
    assert main(words("-output_image", "a.b.png")) == 0
    (run,), warnings = find_runs(Path())
    assert warnings == []
    assert (run.result.path.name, [picture.path.name for picture in run.intermediates]) == (
        "a.b.png",
        ["a_2.png"],  # a_4.png is the result once more
    )
    found = nstyle("report", ".", "-o", "page", "--inputs", PICTURES)
    assert found.output == "page/index.html: 1 run\n"
    page = Path("page/index.html").read_text()
    assert "photo.jpg in the style of painting.png · evaluation 4 of 4" in page
    assert "th slow_neural_style.lua" in page


def test_a_stage_of_a_config(capsys):
    flags = {
        "content_image": PHOTO, "style_image": PAINTING, "loss_network": MODEL, "image_size": 40,
        "style_image_size": 36, "num_iterations": 4, "save_every": 2, "seed": 1,
        "content_layers": ["relu2_2"], "style_layers": ["4"], "output_image": "out.png",
    }  # fmt: skip
    stages = {"all": {}, "early": {"content_weights": 0, "style_weights": 0, "tv_strength": 0}}
    stages["early"]["output_image"] = "early.png"
    text = yaml.safe_dump({"program": "slow_neural_style", "defaults": flags, "stages": stages})
    Path("run.yml").write_text(text)
    assert nstyle("run", "run.yml").exit_code == 0
    assert [name for name in files(".") if name.endswith(".png")] == [
        *("early.png", "out.png", "out_2.png", "out_4.png")
    ]
    assert nstyle("run", "run.yml", "--dry-run").output == "all: up to date\nearly: up to date\n"
    assert nstyle("run", "run.yml", "--dry-run", "--set", "print_every=2").output == (
        "all: up to date\nearly: up to date\n"
    )
    shown = nstyle("run", "run.yml", "--stage", "all", "--dry-run", "--why", "--set", "seed=2").output
    assert shown == "all: would run\n  -seed was 1, is 2\n"
    Path("out_4.png").unlink()
    shown = nstyle("run", "run.yml", "--dry-run", "--why").output
    assert shown == "all: would run\n  there is no ./out_4.png\nearly: up to date\n"


def test_the_example_holds_every_default():
    path = ROOT / "configs" / "fast" / "slow_neural_style.yml"
    read, defaults = read_yaml(path, SlowSettings()), SlowSettings()
    names = ("content_image", "style_image", "output_image")
    assert {Path(getattr(read, name)).name for name in names} == {
        "chicago.jpg",
        "starry_night.jpg",
        "out.png",
    }
    same = {name: getattr(defaults, name) for name in names}
    assert read.replace(**same) == defaults
    assert set(yaml.safe_load(path.read_text())) == {"program", *defaults.__dataclass_fields__}
