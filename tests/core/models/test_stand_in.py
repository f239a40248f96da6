"""Which weights a picture gets where none are named."""

import shutil

import pytest

from core.models import registry, stand_in
from tests.conftest import ROOT


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """vgg_models/ with the registry and the small network, on a machine without the package."""
    for name in ("registry.yaml", "vgg19_small.caffemodel"):
        shutil.copy(ROOT / "vgg_models" / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(registry, "MODELS_DIR", tmp_path)
    monkeypatch.setattr(registry, "installed_file", lambda: None)
    return tmp_path


def test_the_best_that_is_here(folder):
    assert stand_in.best_weights().name == "vgg19_small.caffemodel"
    (folder / "vgg19_8bit.caffemodel").touch()
    assert stand_in.best_weights().name == "vgg19_8bit.caffemodel"
    (folder / "VGG_ILSVRC_19_layers.caffemodel").touch()
    assert stand_in.best_weights().name == "VGG_ILSVRC_19_layers.caffemodel"
