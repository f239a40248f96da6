"""nstyle doctor: its findings, and that every problem has a remedy."""

import shutil

import pytest
import torch
from click.testing import CliRunner

from cli.__main__ import main
from core import doctor
from core.doctor import ABSENT, FINE, PROBLEM, examine
from tests.conftest import ROOT

MODELS = ROOT / "vgg_models"


def findings(folder=MODELS, self_test=lambda: ""):
    return {item.what: item for item in examine(folder, self_test)}


def test_a_machine_that_is_fine():
    found = findings()
    for what in (
        "Python",
        "PyTorch",
        "ONNX Runtime",
        "PyAV",
        "OpenCV",
        "scikit-image",
        "Jinja",
        "tree-sitter",
        "Ray",
        "exactness",
    ):
        assert found[what].state == FINE, found[what]
    assert found["model vgg19_small"].state == FINE
    assert all(item.remedy for item in found.values() if item.state != FINE)


def test_the_command_repeats_a_reference_run():
    shown = CliRunner().invoke(main, ["doctor"])
    problems = [line for line in shown.output.splitlines() if line.startswith("problem")]
    assert shown.exit_code == (1 if problems else 0)
    assert "exactness" in shown.output
    assert "equal to a reference run of the original program in every stage" in shown.output


def test_a_self_test_that_differs():
    found = findings(self_test=lambda: "losses: 1.0 is not 2.0")["exactness"]
    assert found.state == PROBLEM
    assert found.message == "a reference run differs: losses: 1.0 is not 2.0"


def test_a_damaged_model(tmp_path):
    data = (MODELS / "vgg19_small.caffemodel").read_bytes()
    (tmp_path / "vgg19_small.caffemodel").write_bytes(data[:-1])
    found = findings(tmp_path)["model vgg19_small"]
    assert found.state == PROBLEM
    assert found.remedy == "delete it, then nstyle models fetch vgg19_small"
    assert findings(tmp_path)["model vgg19"].remedy == "nstyle models fetch vgg19"


@pytest.mark.parametrize(
    ("present", "state", "remedy"),
    [
        ({"onnxruntime", "onnxruntime-gpu"}, PROBLEM, "pip uninstall onnxruntime onnxruntime-gpu"),
        (set(), ABSENT, "pip install 'neural-style-exact[onnx]'"),
    ],
)
def test_wheels_of_onnx_runtime(monkeypatch, present, state, remedy):
    monkeypatch.setattr(doctor, "_installed", lambda name: "1.0" if name in present else "")
    found = findings()["ONNX Runtime"]
    assert found.state == state
    assert found.remedy.startswith(remedy)


def test_another_pytorch(monkeypatch):
    monkeypatch.setattr(torch, "__version__", "2.9.1+cpu")
    found = findings()["PyTorch"]
    assert (found.state, found.remedy) == (doctor.FINE, "")
    assert "measured was 2.13.0" in found.message


def test_little_room(monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: type("Usage", (), {"free": 1 << 20})())
    assert findings()["disk"].state == PROBLEM


def test_the_pinned_pytorch_is_the_one_looked_for():
    assert f"torch=={doctor.TORCH}\n" in (ROOT / "requirements-builds.lock").read_text()
