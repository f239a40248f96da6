"""What is used where no model is named and the original VGG-19 is missing: its copy in 8 bits, or less."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from core.errors import RegistryError
from core.models import registry
from core.models.formats.eight_bit import installed_file

ORIGINAL, STAND_IN, SMALL = "vgg19", "vgg19_8bit", "vgg19_small"
SENTENCE = (
    "{missing} not found; {file} is used, the same network in 8 bits per weight. It gives the same look, but "
    "not the original's picture (28 dB). To get the original network: make models"
)


def stand_in_for(path: str) -> str | None:
    """The file to use if ``path`` is not found. None if it is found, or if there is no copy either."""
    try:
        registry.find_model_file(path)
    except RegistryError:
        entry = registry.load_registry().get(STAND_IN)
        if entry and ((registry.MODELS_DIR / entry.file).is_file() or installed_file()):
            return str(Path(path).with_name(entry.file))
    return None


def best_weights() -> Path:
    """The original VGG-19 if it is here; else its copy in eight bits; else the small network of the clone.

    The copy is made now where its package is installed. Raises: RegistryError, OSError.
    """
    for name in (ORIGINAL, STAND_IN):
        with suppress(RegistryError):
            return registry.find_model_file(name)
    return registry.find_model_file(SMALL)
