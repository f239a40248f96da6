"""The public names of core: the list is exact, each exists, and importing core loads nothing heavy."""

import subprocess
import sys

import core
from tests.conftest import ROOT

NAMES = [
    *("CheckpointDue", "Evaluation", "NetworkBuilt", "NeuralStyleError", "Settings", "Stylizer"),
    *("TrainSettings", "TransformSettings", "compare", "convert", "load_image", "load_transform_network"),
    *("open_batches", "open_transform_network", "output_image", "read_yaml", "save_image", "scale"),
    *("stylize", "train"),
]


def test_the_names_are_these():
    assert core.__all__ == NAMES


def test_every_name_is_there_and_documented():
    for name in NAMES:
        assert getattr(core, name).__doc__
        assert name in dir(core)


def test_the_names_hide_no_module():
    modules = {name for name in sys.modules if name.startswith("core.")}
    assert not modules & {f"core.{name}" for name in NAMES}


def test_another_name_is_an_attribute_error():
    assert not hasattr(core, "nonsense")


def test_importing_core_imports_nothing_else():
    code = "import sys; before = set(sys.modules); import core; print(sorted(set(sys.modules) - before))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    heavy = ("numpy", "torch", "yaml", "onnx", "scipy")
    assert not [name for name in heavy if f"'{name}" in out.stdout]
    assert "core.settings" not in out.stdout
