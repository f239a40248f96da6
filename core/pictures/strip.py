"""The picture of a PNG without the text that says how it was made: the original's file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from core.atomic import replaced_when_complete
from core.errors import ImageError
from core.pictures.images import check_writable
from core.pictures.png_file import encode_png


def strip_png(source: Path, target: Path) -> None:
    """Write the pixels of an 8-bit RGB PNG as the original would have. Raises: ImageError."""
    check_writable(target)
    if target.suffix.lower() != ".png":
        raise ImageError(f"{target}: the stripped picture is a PNG file; its name must end in .png")
    if target.exists() and source.exists() and target.samefile(source):
        raise ImageError(f"{target}: is the picture itself; choose another name")
    encoded = encode_png(_pixels(source))
    try:
        with replaced_when_complete(target) as file:
            file.write(encoded)
    except OSError as error:
        raise ImageError(f"{target}: cannot be written: {error.strerror or error}") from None


def _pixels(source: Path) -> NDArray[np.uint8]:
    try:
        with PillowImage.open(source) as picture:
            if picture.format != "PNG" or picture.mode != "RGB":
                raise ImageError(
                    f"{source}: no PNG of 8-bit colours; only those hold a text that can be stripped"
                )
            return np.asarray(picture)
    except FileNotFoundError:
        raise ImageError(f"{source}: no such file; check the path") from None
    except (OSError, ValueError, SyntaxError) as error:
        raise ImageError(f"{source}: no picture that can be read: {error}") from None
