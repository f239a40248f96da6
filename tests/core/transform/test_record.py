"""Records of fast_neural_style's pictures: nstyle show and nstyle reproduce."""

import hashlib
import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from cli.__main__ import main as nstyle_main
from cli.fast_neural_style import main
from core.records.records import read_record
from tests.support.transform_models import write_network


def nstyle(*arguments):
    return CliRunner().invoke(nstyle_main, list(map(str, arguments)))


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with a network and photos, as working directory, and a picture made in it."""
    monkeypatch.chdir(tmp_path)
    write_network(tmp_path / "net.safetensors")
    (tmp_path / "photos").mkdir()
    for name in ("a.png", "b.jpg"):
        values = np.random.default_rng(len(name)).integers(0, 256, (30, 40, 3), np.uint8)
        Image.fromarray(values).save(tmp_path / "photos" / name)
    run("-input_image", "photos/a.png", "-output_image", "out.png")
    return tmp_path


def run(*words):
    assert main(["-model", "net.safetensors", "-image_size", "0", *words]) == 0


def test_the_record(here):
    record = read_record(here / "out.png")
    assert record["program"] == "fast_neural_style"
    assert record["settings"]["input_image"] == "photos/a.png"
    assert record["inputs"]["model"] == [
        {
            "file": "net.safetensors",
            "sha256": hashlib.sha256((here / "net.safetensors").read_bytes()).hexdigest(),
        }
    ]
    assert record["sha256"] == hashlib.sha256((here / "out.png").read_bytes()).hexdigest()
    assert record["runtime"].startswith("ONNX Runtime ")
    assert str(here) not in (here / "out.png.json").read_text()


def test_the_same_picture_is_the_same_file(here):
    first = (here / "out.png").read_bytes()
    run("-input_image", "photos/a.png", "-output_image", "again.png", "-threads", "1", "-timing", "1")
    assert (here / "again.png").read_bytes() == first


def test_pictures_of_a_folder_are_recorded_one_by_one(here):
    run("-input_dir", "photos", "-output_dir", "styled", "-jobs", "2")
    record = read_record(here / "styled" / "b.jpg")
    assert record["settings"]["input_image"] == "photos/b.jpg"
    assert record["settings"]["input_dir"] == record["settings"]["output_dir"] == ""
    assert nstyle("reproduce", "styled/b.jpg").output == "identical: every pixel\n"
    with Image.open(here / "styled" / "b.jpg") as picture:
        assert "comment" not in picture.info
    assert (here / "styled" / "a.png").read_bytes() == (here / "out.png").read_bytes()


def test_show(here):
    shown = nstyle("show", "out.png").output
    assert shown.startswith(
        "out.png: the recorded file, byte for byte\n\n"
        "fast_neural_style -model net.safetensors -image_size 0 -input_image photos/a.png\n"
    )
    assert "runtime          ONNX Runtime " in shown


def test_reproduce(here):
    assert nstyle("reproduce", "out.png").output == "identical: every pixel\n"
    (here / "out.png.json").unlink()
    shutil.move("photos", "elsewhere")
    missing = nstyle("reproduce", "out.png")
    assert (missing.exit_code, "photos/a.png (sha256" in missing.output) == (1, True)
    assert nstyle("reproduce", "out.png", "--inputs", "elsewhere").output == "identical: every pixel\n"


def test_a_picture_that_is_another(here):
    record = json.loads((here / "out.png.json").read_text())
    record["pixels_sha256"] = "0" * 64
    record["runtime"] = "ONNX Runtime 1.0, CUDA"
    (here / "out.png.json").write_text(json.dumps(record))
    shown = nstyle("reproduce", "out.png")
    assert shown.exit_code == 1
    assert "made with ONNX Runtime 1.0, CUDA; this machine uses ONNX Runtime " in shown.output
    assert shown.output.endswith("not identical\n")
