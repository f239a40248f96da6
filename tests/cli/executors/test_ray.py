"""Stages on a local Ray cluster of two workers; one worker is killed during a stage."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest
from PIL import Image

from tests.cli.test_neural_style import MODEL, PAINTING, PHOTO
from tests.conftest import ROOT

pytest.importorskip("ray", reason="needs the extra [ray]")

CONFIG = f"""
defaults:
  content_image: in/photo.jpg
  style_image: in/painting.png
  model_file: {MODEL}
  gpu: "-1"
  image_size: 48
  num_iterations: 4
  seed: 3
stages:
  long: {{num_iterations: 400, image_size: 64, checkpoint_iter: 5, output_image: long.png}}
  first: {{output_image: first.png}}
  second: {{init: image, init_image: first.png, save_iter: 2, output_image: second.png}}
"""


@pytest.fixture
def nodes(monkeypatch):
    """The temporary folder of Ray and its workers; its path is short because of the limit of socket names."""
    folder = Path(tempfile.mkdtemp(prefix="ray", dir="/tmp"))
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    yield folder / f"neural-style-exact-{os.getuid()}"
    shutil.rmtree(folder)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    shutil.copy(PHOTO, "in/photo.jpg")
    shutil.copy(PAINTING, "in/painting.png")
    Path("many.yml").write_text(CONFIG)
    return tmp_path


def nstyle(*arguments):
    return [sys.executable, "-m", "cli", "run", "many.yml", *arguments]


def start():
    command = nstyle("--executor", "ray", "--results", "far")
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def worker_of(process, stage):
    """The Ray worker that runs the stage; its process title is the task's name."""
    for child in psutil.Process(process.pid).children(recursive=True):
        try:
            if f"ray::{stage}" in " ".join(child.cmdline()):
                return child
        except psutil.Error:
            continue
    return None


def wait_until(condition, process, seconds=120):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def test_a_killed_worker_loses_nothing_and_nothing_is_done_twice(here, nodes):
    process = start()
    wait_until(lambda: (here / "far" / "second.png").exists(), process)
    wait_until(lambda: list(nodes.glob("runs/*/far/long.png.checkpoint")), process)
    whole = [path for path in (here / "far").iterdir() if path.suffix != ".part"]
    made = {path: path.stat().st_mtime_ns for path in whole}
    worker_of(process, "long").send_signal(signal.SIGKILL)
    said = process.communicate(timeout=180)[1]
    assert process.returncode == 0, said
    told = [line.removeprefix("nstyle run: ") for line in said.splitlines() if line.startswith("nstyle run:")]
    assert sorted(told) == sorted(
        f"{name}: {what}" for name in ("long", "first", "second") for what in ("running", "done")
    )
    assert {path: path.stat().st_mtime_ns for path in made} == made  # what was done is not done again
    assert "continuing after evaluation" in Path("far/long.png.log").read_text()
    assert not list((nodes / "runs").iterdir())
    assert len(list((nodes / "contents").iterdir())) == 5  # model, prototxt, photo, painting, first.png

    subprocess.run(nstyle("--results", "near"), check=True, capture_output=True)
    for name in ("long", "first", "second", "second_2"):
        with Image.open(f"far/{name}.png") as ours, Image.open(f"near/{name}.png") as expected:
            assert ours.tobytes() == expected.tobytes()
    assert Path("far/first.png").read_bytes() == Path("near/first.png").read_bytes()
    again = subprocess.run(
        nstyle("--results", "far", "--dry-run"), capture_output=True, text=True, check=True
    )
    assert again.stdout.splitlines() == ["long: up to date", "first: up to date", "second: up to date"]


def test_a_failed_stage_is_reported_with_its_log(here, nodes):
    text = CONFIG.replace("first: {", "first: {style_layers: [relu9_9], ")
    Path("many.yml").write_text(text.replace("num_iterations: 400", "num_iterations: 2"))
    process = start()
    said = process.communicate(timeout=180)[1]
    assert process.returncode == 1
    assert "first: ended with status 1" in said
    assert "second: skipped, first failed" in said
    assert "long: done" in said
    assert "no layer 'relu9_9' in this model" in Path("far/first.png.log").read_text()
