"""The command webcam_demo, with a video in place of the camera."""

import av
import pytest

from cli.webcam_demo import GRAMMAR, main
from tests.support.film_factory import make_film
from tests.support.transform_models import BATCH, write_network


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_network(tmp_path / "a.safetensors")
    write_network(tmp_path / "b.safetensors", BATCH)
    write_network(tmp_path / "resnet.safetensors", preprocessing="resnet")
    make_film(tmp_path / "in.mp4", range(4))
    return tmp_path


def test_flags_and_defaults_of_the_original():
    original = {name: item.default for name, item in GRAMMAR.flags.items() if not item.metadata["ours"]}
    assert original == {
        "models": ("models/instance_norm/candy.t7",),
        "height": 480,
        "width": 640,
        "gpu": -1,
        "backend": "cuda",
        "use_cudnn": 1,
        "webcam_idx": 0,
        "webcam_fps": 60,
    }


def test_two_networks_below_one_another(here, capsys):
    """As in the original, a row has floor(sqrt(n)) pictures, so two pictures make one column."""
    words = ["-models", "a.safetensors,b.safetensors", "-video", "in.mp4", "-show", "0"]
    assert main([*words, "-output_video", "out.mp4"]) == 0
    with av.open("out.mp4") as film:
        sizes = {(frame.width, frame.height) for frame in film.decode(video=0)}
    assert sizes == {(48, 64)}
    assert "webcam_demo: 4 frames in" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("-models", "a.safetensors,resnet.safetensors"), "-models: all must have the same preprocessing"),
        (("-models", "a.safetensors,,b.safetensors"), "-models: lists no file, or has an empty name"),
        (("-models", "absent.t7"), "absent.t7: no such file; check the path"),
        (("-gpu", "0", "-backend", "opencl"), "-backend opencl: ONNX Runtime"),
        (("-fps", "3"), "unknown flag -fps"),
        (("-video", "absent.mp4"), "absent.mp4: "),
    ],
)
def test_errors_are_one_line(here, capsys, words, message):
    assert main(["-models", "a.safetensors", "-video", "in.mp4", "-show", "0", "-frames", "1", *words]) == 1
    told = capsys.readouterr().err
    assert told.startswith("webcam_demo: ")
    assert message in told
    assert told.count("\n") == 1


def test_help(capsys):
    assert main(["-help"]) == 0
    assert capsys.readouterr().out.startswith("Usage: webcam_demo [options]\n  -models ")
