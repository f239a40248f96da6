"""A killed run continues from its checkpoint and ends with the same bytes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file, save_file

from cli.neural_style import main
from core.arithmetic.torch7_random import Torch7Random
from core.devices import choose
from core.events import CheckpointDue, Evaluation
from core.records.checkpoint import checkpoint_file
from core.settings.neural_style import Settings
from core.stylization import stylize
from tests.cli.test_neural_style import MODEL, PAINTING, PHOTO, words
from tests.conftest import GOLDEN, ROOT
from tests.support.compare import assert_identical

SETTINGS = Settings(
    content_image=str(PHOTO),
    style_image=(str(PAINTING),),
    model_file=str(MODEL),
    image_size=40.0,
    num_iterations=9.0,
    gpu="-1",
    seed=5.0,
)


def run(settings, resumed=None):
    steps = list(stylize(settings, choose(settings), resumed))
    evaluations = [step for step in steps if isinstance(step, Evaluation)]
    return evaluations, [step for step in steps if isinstance(step, CheckpointDue)]


@pytest.mark.parametrize("arithmetic", ["torch7", "native"])
@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_every_evaluation_can_be_gone_on_from(arithmetic, optimizer):
    settings = SETTINGS.replace(arithmetic=arithmetic, optimizer=optimizer, checkpoint_iter=1.0, threads=1.0)
    whole, checkpoints = run(settings)
    assert [due.number for due in checkpoints] == list(range(1, 9))  # nothing is left behind the last
    for due in checkpoints:
        rest, _ = run(settings, due)
        assert [step.number for step in rest] == list(range(due.number + 1, 10))
        for ours, expected in zip(rest, whole[due.number :], strict=True):
            assert_identical(ours.x, expected.x)
            assert ours.total == expected.total
            assert ours.style_losses == expected.style_losses


def test_the_history_that_was_kept_is_the_history_that_is_used():
    settings = SETTINGS.replace(lbfgs_num_correction=2.0, checkpoint_iter=6.0)
    whole, (due,) = run(settings)
    assert {name for name in due.solver.arrays if name[0] in "sy"} == {"s_0", "s_1", "y_0", "y_1"}
    assert_identical(run(settings, due)[0][-1].x, whole[-1].x)


def test_the_generator_goes_on():
    generator = Torch7Random(3)
    generator.normal((7,))  # one normal number waits
    other = Torch7Random(state=generator.state())
    assert_identical(other.normal((700,)), generator.normal((700,)))
    assert_identical(other.uniform(3), generator.uniform(3))


@pytest.mark.parametrize("seed", [5.0, -1.0])
def test_dropout_and_targets_go_on_with_their_numbers(seed):
    settings = SETTINGS.replace(
        image_size=96.0,
        content_image=str(GOLDEN / "images" / "photo.jpg"),
        content_layers=("relu7",),  # behind dropout: target and loss depend on the generator
        style_layers=("relu1_1",),
        num_iterations=4.0,
        checkpoint_iter=2.0,
        seed=seed,
    )
    whole, (due,) = run(settings)
    assert not np.array_equal(due.random.key, due.random_start.key) or due.random != due.random_start
    rest, _ = run(settings, due)
    assert [step.content_losses for step in rest] == [step.content_losses for step in whole[2:]]
    assert_identical(rest[-1].x, whole[-1].x)


def command(target, *more):
    return [*words(*more), "-output_image", str(target)]


LONG = ("-num_iterations", "40", "-image_size", "64", "-init", "random", "-checkpoint_iter", "1")


def start(folder, *more):
    return subprocess.Popen(
        [sys.executable, "-m", "cli.neural_style", *command("out.png", *LONG, *more)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def kill_when_checkpointed(process, checkpoint):
    """Kill the run as soon as a newer checkpoint exists; returns whether it was still running."""
    before = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
    while process.poll() is None and (not checkpoint.exists() or checkpoint.stat().st_mtime_ns == before):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.mark.parametrize("arithmetic", ["torch7", "native"])
@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_killed_and_resumed_it_is_the_same_picture_and_trace(tmp_path, monkeypatch, arithmetic, optimizer):
    monkeypatch.chdir(tmp_path)
    flags = ("-arithmetic", arithmetic, "-optimizer", optimizer, "-threads", "1")
    assert (
        main(command(tmp_path / "whole.png", *LONG, *flags, "-trace_file", str(tmp_path / "whole.csv"))) == 0
    )
    checkpoint = checkpoint_file(str(tmp_path / "out.png"))
    for _ in range(3):
        kill_when_checkpointed(start(tmp_path, *flags, "-resume"), checkpoint)
    assert not Path("out.png").exists()
    assert checkpoint.exists()
    assert main(command("out.png", *LONG, *flags, "-resume", "-trace_file", "out.csv")) == 0
    assert Path("out.png").read_bytes() == Path("whole.png").read_bytes()
    records = [json.loads(Path(f"{name}.png.json").read_text()) for name in ("out", "whole")]
    for entry in ("trace", "layer_losses", "trace_sha256", "losses"):
        assert records[0][entry] == records[1][entry]
    rows = [Path(f"{name}.csv").read_text().splitlines() for name in ("out", "whole")]
    rows = [[line.rpartition(",")[0] for line in lines] for lines in rows]  # without the seconds
    assert rows[0] == rows[1]
    assert len(rows[0]) == 41
    assert list(tmp_path.glob("*checkpoint*")) == list(tmp_path.glob(".*part")) == []


@pytest.fixture
def checkpoint(tmp_path, monkeypatch):
    """The checkpoint of a run that was interrupted after its second evaluation."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("cli.runs.neural_style.checkpoint_file", lambda output: Path("not.there"))  # it stays
    assert main(command("out.png", "-checkpoint_iter", "2")) == 0
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    return Path("out.png.checkpoint")


@pytest.mark.parametrize(
    "flags, said",
    [
        (("-style_weight", "7"), "-style_weight was 100, is 7"),
        (("-seed", "43"), "-seed was 42, is 43"),
        (("-optimizer", "adam"), "-optimizer was lbfgs, is adam"),
        (("-arithmetic", "native"), "arithmetic was torch7, is native"),
        (("-style_image", PHOTO), "-style_image: the content of photo.jpg has changed"),
        (("-style_image", f"{PHOTO},{PAINTING}"), "-style_image had 1 files, has 2"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(checkpoint, capsys, flags, said):
    before = Path("out.png").read_bytes()
    assert main(command("out.png", *flags, "-resume")) == 1
    assert said in capsys.readouterr().err
    assert Path("out.png").read_bytes() == before
    assert checkpoint.exists()


def test_more_iterations_other_threads_and_saving_may_differ(checkpoint):
    assert main(command("whole.png", "-num_iterations", "5")) == 0
    flags = ("-num_iterations", "5", "-threads", "1", "-save_iter", "4", "-print_iter", "1")
    assert main(command("out.png", *flags, "-resume")) == 0
    assert Path("out_4.png").exists()
    assert not Path("out_2.png").exists()
    with Image.open("out.png") as ours, Image.open("whole.png") as expected:
        assert ours.tobytes() == expected.tobytes()
    assert not checkpoint.exists()


def test_damaged_checkpoints_are_one_line(checkpoint, capsys):
    data = checkpoint.read_bytes()
    arrays = load_file(checkpoint)
    header = data[8 : 8 + int.from_bytes(data[:8], "little")]
    variants = [data[:100], data[: len(data) // 2], b"", b"no safetensors at all"]
    variants.append(data[:8] + header.replace(b"lbfgs", b"adamm") + data[8 + len(header) :])
    for damaged in variants:
        checkpoint.write_bytes(damaged)
        assert main(command("out.png", "-resume")) == 1
        error = capsys.readouterr().err
        assert error.splitlines()[-1].startswith(
            "neural_style: out.png.checkpoint: not a checkpoint, or damaged"
        )
    for name in arrays:
        save_file({key: value for key, value in arrays.items() if key != name}, checkpoint)
        assert main(command("out.png", "-resume")) == 1
        assert "not a checkpoint, or damaged" in capsys.readouterr().err


def test_nothing_to_go_on_from_is_said(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(command("out.png", "-resume")) == 0
    assert (
        "-resume: there is no out.png.checkpoint; the run starts from the beginning"
        in capsys.readouterr().err
    )


def test_a_checkpoint_beyond_the_wanted_end_is_kept(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    checkpoint = checkpoint_file("out.png")
    kill_when_checkpointed(start(tmp_path), checkpoint)
    kept = checkpoint.read_bytes()
    assert main(command("out.png", *LONG, "-num_iterations", "1", "-resume")) == 1
    told = capsys.readouterr().err.splitlines()[-1]
    assert "out.png.checkpoint: was written after evaluation " in told
    assert told.endswith("and -num_iterations is 1; raise -num_iterations or leave out -resume")
    assert checkpoint.read_bytes() == kept


def test_a_full_disk_does_not_end_the_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("safetensors.numpy.save_file", full)
    assert main(command("out.png", "-checkpoint_iter", "2")) == 0
    assert "no checkpoint of evaluation 2: out.png.checkpoint: cannot be written" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.png", "out.png.json"]


def test_what_a_killed_run_left_is_removed(tmp_path, monkeypatch):
    """safetensors writes to its own temporary file beside the target."""
    monkeypatch.chdir(tmp_path)
    left = tmp_path / ".out.png.checkpoint.abc.part"
    left.mkdir()
    (left / ".tmpXYZ").write_bytes(b"half")
    Path(".out.png.checkpoint.def.part").write_bytes(b"")
    folders = []

    def save(arrays, path, metadata):
        folders.append(path.parent)
        save_file(arrays, path, metadata)

    monkeypatch.setattr("safetensors.numpy.save_file", save)
    assert main(command("out.png", "-checkpoint_iter", "2")) == 0
    assert all(folder.absolute().parent == tmp_path and folder.suffix == ".part" for folder in folders)
    assert folders
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.png", "out.png.json"]
