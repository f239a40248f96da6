"""Reads the pictures of a folder as uint8 pixels for training.

Nothing here warns: these functions run in threads, and Python's warning filters belong to the whole process.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import UnidentifiedImageError

from core.errors import DatasetError, ImageError
from core.pictures.images import check_readable, load_image

EXTENSIONS = (".jpg", ".jpeg", ".png")  # lower-cased, as in make_style_dataset.py
Pixels = NDArray[np.uint8]


def picture_names(folder: Path) -> list[str]:
    """The names of the pictures in a folder, sorted. (The original uses the order of the directory.)

    Raises: DatasetError: the folder cannot be read or has no pictures.
    """
    try:
        names = sorted(path.name for path in folder.iterdir() if path.suffix.lower() in EXTENSIONS)
    except OSError as error:
        raise DatasetError(f"{folder}: cannot be read: {error.strerror}; name a folder of pictures") from None
    if not names:
        raise DatasetError(f"{folder}: contains no picture; names must end in {', '.join(EXTENSIONS)}")
    return names


def picture_size(path: Path) -> tuple[int, int]:
    """(height, width) in pixels, without decoding. Raises: ImageError."""
    file_format, _ = check_readable(path)
    with _opened(path, file_format) as picture:
        return picture.height, picture.width


def load_rgb(path: Path) -> PillowImage.Image:
    """Load a picture as RGB with 8 bits: gray becomes three equal channels, alpha is dropped.

    Raises: ImageError.
    """
    file_format, depth = check_readable(path)
    if depth == 16:
        return PillowImage.fromarray(np.rint(load_image(path) * 255).astype(np.uint8).transpose(1, 2, 0))
    with _opened(path, file_format) as picture:
        if picture.mode.startswith("I"):
            raise ImageError(f"{path}: more than 8 bits a channel in {file_format}; convert it to PNG")
        if picture.mode == "P" and "transparency" in picture.info:
            return picture.convert("RGBA").convert("RGB")  # Pillow warns when converting directly to RGB
        if picture.mode != "RGB":
            return picture.convert("RGB")
        picture.load()  # convert() would copy the picture while other threads wait
        return picture


@contextmanager
def _opened(path: Path, file_format: str) -> Iterator[PillowImage.Image]:
    """Open a picture. Raises: ImageError, also for errors of the picture inside the block."""
    try:
        with PillowImage.open(path, formats=(file_format,)) as picture:
            yield picture
    except (
        UnidentifiedImageError,
        OSError,
        SyntaxError,
        ValueError,
        PillowImage.DecompressionBombError,
    ) as error:
        raise ImageError(f"{path}: damaged or incomplete {file_format}: {error}") from None


def to_planes(picture: PillowImage.Image) -> Pixels:
    """The pixels of a picture as uint8 (3, H, W)."""
    return np.ascontiguousarray(np.asarray(picture).transpose(2, 0, 1))
