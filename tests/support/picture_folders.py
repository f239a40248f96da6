"""Folders of small pictures for the tests of training data."""

from pathlib import Path

import numpy as np
from PIL import Image


def pixels(seed: int, height: int = 40, width: int = 52) -> np.ndarray:
    """A smooth picture, different for every seed; (height, width, 3) uint8."""
    random = np.random.default_rng(seed)
    small = Image.fromarray(random.integers(0, 256, (5, 6, 3), np.uint8))
    return np.asarray(small.resize((width, height), Image.Resampling.BICUBIC))


def write_pictures(folder: Path, count: int, seed: int = 0, height: int = 40, width: int = 52) -> Path:
    """Write 00.png, 01.png, ...; number i shows ``pixels(seed + i)``."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        Image.fromarray(pixels(seed + i, height, width)).save(folder / f"{i:02}.png")
    return folder
