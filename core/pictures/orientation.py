"""The orientation that a camera writes into a JPEG file, which the original ignores."""

from __future__ import annotations

import os

from PIL import ExifTags
from PIL import Image as PillowImage

UPRIGHT = 1


def is_turned(path: str | os.PathLike[str]) -> bool:
    """Whether the file asks viewers to turn or mirror it: a phone held upright does so.

    False for what cannot be read; the loader says what is wrong with it.
    """
    try:
        with PillowImage.open(path) as picture:
            return bool(picture.getexif().get(ExifTags.Base.Orientation, UPRIGHT) != UPRIGHT)
    except (OSError, SyntaxError, ValueError, PillowImage.DecompressionBombError):
        return False
