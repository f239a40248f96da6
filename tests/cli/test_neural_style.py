"""The command neural_style: its files, notices and exit statuses."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cli.neural_style import main
from core.events import Evaluation
from core.settings.neural_style import Settings
from core.settings.yaml_files import read_yaml
from tests.conftest import GOLDEN, ROOT

MODEL = str(GOLDEN / "models" / "vgg19_mini_v1.caffemodel")
PICTURES = GOLDEN / "images"
PHOTO, PAINTING = str(PICTURES / "photo.jpg"), str(PICTURES / "painting.png")


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def words(*more, content=PHOTO, style=PAINTING, model=MODEL):
    return [
        "-content_image", content, "-style_image", style, "-model_file", model, "-gpu", "-1",
        "-image_size", "48", "-seed", "42", "-num_iterations", "3", *more,
    ]  # fmt: skip


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def pixels(path):
    with Image.open(path) as picture:
        return np.asarray(picture).copy()


def test_a_run_writes_pictures_trace_plot_and_config(tmp_path, capsys):
    status = main(
        words("-save_iter", "2", "-print_iter", "1", "-trace_file", "t.csv", "-plot_losses", "p.png",
              "-save_config", "run.yml")
    )  # fmt: skip
    out, err = capsys.readouterr()
    assert status == 0
    assert files(tmp_path) == [
        *("out.png", "out.png.json", "out_2.png", "out_2.png.json", "p.png", "run.yml", "t.csv")
    ]
    rows = list(csv.reader((tmp_path / "t.csv").read_text().splitlines()))
    assert rows[0] == [
        "evaluation", "content_1", "style_1", "style_2", "style_3", "style_4", "style_5", "total", "seconds",
    ]  # fmt: skip
    assert [row[0] for row in rows[1:]] == ["1", "2", "3"]
    assert f"  Total loss: {float(rows[3][7]):.6f}" in out
    assert out.startswith(f"Successfully loaded {MODEL}\nMODULE data UNDEFINED\n")
    assert out.endswith("<optim.lbfgs> \treached max number of iterations\n")
    assert all(line.startswith("neural_style: ") for line in err.splitlines())
    assert "kernel" in err
    assert pixels("p.png").shape[0] > 400


def test_a_saved_config_repeats_the_picture(tmp_path, capsys):
    assert main(words("-save_config", "run.yml", "-optimizer", "adam")) == 0
    first = (tmp_path / "out.png").read_bytes()
    (tmp_path / "out.png").unlink()
    assert main(["-config", "run.yml"]) == 0
    assert (tmp_path / "out.png").read_bytes() == first
    assert main(["-config", "run.yml", "-seed", "43", "-output_image", "other.png"]) == 0
    assert (tmp_path / "other.png").read_bytes() != first
    assert read_yaml("run.yml", Settings()).optimizer == "adam"


def test_threads_and_arithmetic(tmp_path, capsys):
    for name, *flags in (
        ("1.png", "-threads", "1"),
        ("2.png", "-threads", "3"),
        ("n.png", "-arithmetic", "native"),
    ):
        assert main(words(*flags, "-init", "image", "-output_image", name)) == 0
    assert (tmp_path / "1.png").read_bytes() == (tmp_path / "2.png").read_bytes()
    assert np.array_equal(pixels("1.png"), pixels("n.png"))


def test_without_a_gpu_it_says_so_and_runs_on_the_cpu(tmp_path, capsys, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert main(words("-gpu", "0")) == 0
    err = capsys.readouterr().err
    assert "-gpu 0: PyTorch finds no GPU; running on the CPU" in err
    assert "-arithmetic native is a little faster" in err


def test_dry_run_tells_sizes_and_memory_and_writes_nothing(tmp_path, capsys):
    assert main(words("-dry_run")) == 0
    out = capsys.readouterr().out
    assert out.startswith(
        "result 48x36, style 36x48, computed on cpu in torch7 arithmetic\npeak memory about "
    )
    assert files(tmp_path) == []


def test_original_colors_and_jpeg(tmp_path, capsys):
    assert main(words("-original_colors", "1", "-output_image", "out.jpg")) == 0
    assert pixels("out.jpg").shape == (36, 48, 3)


def test_prototxt_differences_are_said_and_change_nothing(tmp_path, capsys):
    (tmp_path / "odd.prototxt").write_text('layers { name: "conv1_1" type: POOLING }')
    assert main(words("-proto_file", "odd.prototxt")) == 0
    assert "(the caffemodel is used)" in capsys.readouterr().err
    assert main(words("-proto_file", "absent.prototxt")) == 0
    assert "-proto_file absent.prototxt: not found; it is not needed" in capsys.readouterr().err


def test_a_garbled_picture_is_mentioned_once(tmp_path, capsys):
    name = str(PICTURES / "palette_transparent.png")
    assert main(words("-original_colors", "1", "-save_iter", "1", content=name)) == 0
    assert capsys.readouterr().err.count("the original garbles") == 1


def test_what_the_cpu_does_not_use_is_said(tmp_path, capsys):
    assert main(words("-backend", "cudnn", "-cudnn_autotune", "-dry_run")) == 0
    err = capsys.readouterr().err
    assert "-backend cudnn: treated as nn on the CPU" in err
    assert "-cudnn_autotune has no effect on the CPU" in err


@pytest.mark.parametrize("flag", ["-save_config", "-plot_losses"])
def test_a_device_is_never_replaced_by_a_file(tmp_path, capsys, flag):
    os.mkfifo("pipe")
    assert main(words(flag, "pipe")) == 1
    assert f"{flag} pipe: not an ordinary file" in capsys.readouterr().err
    assert files(tmp_path) == ["pipe"]


@pytest.mark.parametrize(
    "flags",
    [
        ("-num_iterations", "1"),
        ("-content_weight", "-5", "-style_weight", "-100"),
        ("-init", "image", "-style_layers", "", "-tv_weight", "0"),
    ],
    ids=["one evaluation", "negative losses", "all losses 0"],
)
def test_every_run_can_be_drawn(tmp_path, capsys, flags):
    assert main(words("-plot_losses", "p.png", *flags)) == 0
    assert len(np.unique(pixels("p.png"))) > 10


def test_file_names_of_any_letters(tmp_path, capsys):
    name = os.fsdecode("a$b_$_{\u7167".encode() + b"\xff.jpg")
    Path(name).write_bytes(Path(PHOTO).read_bytes())
    model = os.fsdecode(b"m\xff.caffemodel")
    Path(model).write_bytes(Path(MODEL).read_bytes())
    assert main(words("-plot_losses", "p.png", "-save_config", "c.yml", content=name, model=model)) == 0
    assert read_yaml("c.yml", Settings()).content_image == name
    assert "Successfully loaded m\\udcff.caffemodel\n" in capsys.readouterr().out


def test_zero_iterations_write_no_picture_as_in_the_original(tmp_path, capsys):
    assert main(words("-num_iterations", "0")) == 0
    assert files(tmp_path) == []
    assert "no final image is written" in capsys.readouterr().err


WRONG = [
    (words("-style_wieght", "3"), "unknown flag -style_wieght; did you mean -style_weight?"),
    (words(content="absent.jpg"), "absent.jpg: cannot be read: No such file or directory"),
    (words(content=str(PICTURES / "not_an_image.png")), "not a JPEG, PNG, PPM or PGM picture"),
    (words(style=str(PICTURES / "truncated.jpg")), "truncated.jpg: damaged or incomplete JPEG"),
    (words(model="absent.caffemodel"), "absent.caffemodel: no such model file"),
    (words(model=PHOTO), "photo.jpg"),
    (words("-output_image", "out.gif"), "out.gif: unknown image type 'gif'"),
    (words("-output_image", "nowhere/out.png"), "the folder nowhere does not exist"),
    (words("-trace_file", "nowhere/t.csv"), "-trace_file nowhere/t.csv: cannot be written"),
    (words("-plot_losses", "nowhere/p.png"), "-plot_losses nowhere/p.png: cannot be written"),
    (words("-save_config", "nowhere/c.yml"), "-save_config nowhere/c.yml: cannot be written"),
    (words("-config", "absent.yml"), "absent.yml: cannot be read"),
    (words("-style_blend_weights", "1,2"), "2 weights, 1 images"),
    (words("-style_layers", "relu2_1,relu1_1"), "out of network order"),
    (words("-content_layers", "relu9_9"), "-content_layers: no layer 'relu9_9'"),
    (words("-content_layers", "fc6"), "fully connected layer"),
    (words("-gpu", "abc"), "-gpu abc: should be a number"),
    (words("-gpu", "0,1,2"), "3 GPUs need -multigpu_strategy"),
    (words("-image_size", "0"), "-image_size 0: must be greater than 0"),
    (words("-init", "noise"), "-init noise: must be one of random, image"),
    (words("-init", "image", "-init_image", "absent.png"), "absent.png: cannot be read"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG, ids=[message[:40] for _, message in WRONG])
def test_wrong_input_is_one_line_before_any_file(tmp_path, capsys, arguments, message):
    assert main(arguments) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("neural_style: ")
    assert message in last
    assert files(tmp_path) == []


def test_too_little_memory_is_said_before_the_work(tmp_path, capsys, monkeypatch):
    import psutil

    class Little:
        available = 1000

    monkeypatch.setattr(psutil, "virtual_memory", lambda: Little)
    assert main(words()) == 1
    assert "not enough memory: the run needs about" in capsys.readouterr().err
    assert files(tmp_path) == []


def test_a_start_that_is_not_finite_is_said_once(tmp_path, capsys, monkeypatch):
    def broken(*_):
        yield Evaluation(1, np.zeros((3, 2, 2), np.float32), (), (), float("nan"))

    monkeypatch.setattr("cli.runs.neural_style.stylize", broken)
    assert main(words("-print_iter", "1")) == 1
    assert (
        capsys.readouterr()
        .err.splitlines()[-1]
        .startswith("neural_style: stopped at evaluation 1: the loss is no longer finite. L-BFGS")
    )
    assert files(tmp_path) == []


def test_a_diverging_run_keeps_the_last_good_picture(tmp_path, capsys):
    arguments = words(
        "-optimizer", "adam", "-learning_rate", "1e30", "-init", "image", "-trace_file", "t.csv"
    )
    assert main(arguments) == 1
    err = capsys.readouterr().err.splitlines()
    assert "evaluation 1 is saved as out.png" in err[-2]
    assert err[-1].startswith("neural_style: stopped at evaluation 2: the loss is no longer finite")
    kept = pixels("out.png")
    assert main(words("-init", "image", "-num_iterations", "1")) == 0
    assert np.array_equal(pixels("out.png"), kept)


def start(*more):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "cli.neural_style",
            *words("-num_iterations", "100000", "-print_iter", "1", *more),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_runs_write_the_current_picture(tmp_path, number, status):
    process = start("-trace_file", "t.csv")
    for line in process.stdout:
        if line.startswith("Iteration 3 "):
            break
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == status
    assert f"interrupted ({number.name}); evaluation" in err
    assert "Traceback" not in err
    assert files(tmp_path) == ["out.png", "out.png.json", "t.csv"]
    assert pixels("out.png").shape == (36, 48, 3)


def test_a_reader_that_goes_away_is_no_traceback():
    process = start()
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=60) == 1
    assert "Traceback" not in process.stderr.read()
    process.stderr.close()


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="needs /dev/full")
def test_a_full_disk_is_one_line(tmp_path, capsys):
    assert main(words("-trace_file", "/dev/full")) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == "neural_style: -trace_file /dev/full: cannot be written: No space left on device"
    help_text = shell("-help > /dev/full")
    assert (help_text.returncode, help_text.stdout) == (1, "")
    assert help_text.stderr == (
        "neural_style: the log cannot be written to stdout: No space left on device\n"
    )


@pytest.mark.parametrize(("closed", "lines"), [(">&-", 0), ("2>&-", 36), (">&- 2>&-", 0)])
def test_a_closed_stream_is_no_error(closed, lines):
    shown = shell(f"-help {closed}")
    assert shown.returncode == 0
    assert shown.stderr == ""
    assert len(shown.stdout.splitlines()) >= lines


def shell(rest):
    return subprocess.run(
        ["sh", "-c", f'"$0" -m cli.neural_style {rest}', sys.executable],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )


def test_the_output_folder_may_vanish(tmp_path):
    (tmp_path / "gone").mkdir()
    process = start("-save_iter", "1", "-output_image", "gone/out.png")
    for line in process.stdout:
        if line.startswith("Iteration 2 "):
            break
    for path in (tmp_path / "gone").iterdir():
        path.unlink(missing_ok=True)
    deadline = time.monotonic() + 30
    while (tmp_path / "gone").exists() and time.monotonic() < deadline:
        for path in (tmp_path / "gone").iterdir():
            path.unlink(missing_ok=True)
        try:
            (tmp_path / "gone").rmdir()
        except OSError:
            continue
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert err.splitlines()[-1].startswith("neural_style: gone/")


def test_help_imports_nothing_heavy():
    code = "import sys; from cli.neural_style import main; main(['-help']); print(sorted(sys.modules))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    modules = shown.stdout.splitlines()[-1]
    assert not any(f"'{name}'" in modules for name in ("torch", "numpy", "scipy", "matplotlib", "PIL"))
