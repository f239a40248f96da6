"""Encodes pictures as data: URIs in the sizes of the page."""

from __future__ import annotations

import base64
import io
import warnings
from dataclasses import dataclass
from pathlib import Path

from PIL import Image as PillowImage

from core.errors import ImageError
from core.pictures.images import check_readable, load_image, to_bytes

LONGEST_SIDE = 512
THUMBNAIL_SIDE = 320
JPEG_QUALITY = 85


@dataclass(frozen=True)
class PictureView:
    """A picture on the page.

    source: a data: URI, '' if the picture is missing.  note: why it is missing.  width, height: the size of
    the original file in pixels.
    """

    name: str
    source: str = ""
    width: int = 0
    height: int = 0
    note: str = ""


def as_it_is(path: Path) -> PictureView:
    """The file's own bytes; a PPM is converted to PNG, as browsers cannot show it. Raises: ImageError."""
    kind, _ = check_readable(path)
    picture = open_rgb(path)
    data = _encoded(picture, "PNG") if kind == "PPM" else _read(path)
    return _view(path, picture, data, "JPEG" if kind == "JPEG" else "PNG")


def scaled(path: Path, longest_side: int = LONGEST_SIDE) -> PictureView:
    """A JPEG of at most ``longest_side`` pixels, or the file itself if smaller. Raises: ImageError."""
    kind, _ = check_readable(path)
    picture = open_rgb(path)
    small = picture.copy()
    small.thumbnail((longest_side, longest_side))
    data, own = _encoded(small, "JPEG", quality=JPEG_QUALITY), _read(path)
    # EXIF data of a camera, such as the location, must not get into the page.
    if len(own) < len(data) and kind != "PPM" and not picture.getexif():
        return _view(path, picture, own, kind)
    return _view(path, picture, data, "JPEG")


def open_rgb(path: Path) -> PillowImage.Image:
    """Open a picture as 8-bit RGB. Raises: ImageError."""
    if check_readable(path)[1] == 16:
        return PillowImage.fromarray(to_bytes(load_image(path)))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PillowImage.DecompressionBombWarning)
            with PillowImage.open(path, formats=("JPEG", "PNG", "PPM")) as picture:
                return picture.convert("RGB")
    except (OSError, SyntaxError, ValueError, PillowImage.DecompressionBombError) as error:
        raise ImageError(f"{path}: damaged picture: {error}") from None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ImageError(f"{path}: cannot be read: {error.strerror or error}") from None


def _encoded(picture: PillowImage.Image, kind: str, **options: int) -> bytes:
    data = io.BytesIO()
    picture.save(data, kind, **options)
    return data.getvalue()


def _view(path: Path, picture: PillowImage.Image, data: bytes, kind: str) -> PictureView:
    source = f"data:image/{kind.lower()};base64,{base64.b64encode(data).decode()}"
    return PictureView(path.name, source, picture.width, picture.height)
