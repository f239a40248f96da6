"""A folder of model files with a registry of narrow networks."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.models import registry
from tests.support.vgg_registry import make_registry


@pytest.fixture
def small_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "vgg_models"
    folder.mkdir()
    make_registry(folder)
    monkeypatch.setattr(registry, "MODELS_DIR", folder)
    return folder
