"""Reads and writes picture files, and converts pictures to and from the format of the network.

| stage       | dtype   | shape     | channels | range                              |
|-------------|---------|-----------|----------|------------------------------------|
| file        | uint8/16| H, W, C   | any      | 0..255 or 0..65535                 |
| load_image  | float64 | (3, H, W) | R, G, B  | 0..1                               |
| preprocess  | float32 | (3, H, W) | B, G, R  | 0..256 minus the channel's mean    |
| deprocess   | float64 | (3, H, W) | R, G, B  | about 0..1, not clamped            |
| save_image  | uint8   | H, W, 3   | R, G, B  | clamped, times 255, truncated      |

Matches ``image.load``, ``image.save`` (torch/image 5aa1881) and preprocess, deprocess, original_colors of
neural_style.lua (07c4b82), bit for bit.
"""

from __future__ import annotations

import hashlib
import io
import os
import warnings
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import UnidentifiedImageError

from core.atomic import replaced_when_complete
from core.errors import ImageError
from core.pictures.png_file import encode_png

Image = NDArray[np.float64]
MEANS_BGR = np.array([103.939, 116.779, 123.68]).reshape(3, 1, 1)
SAVERS = {"png": "PNG", "jpg": "JPEG", "ppm": "PPM"}
EXTENSIONS = ("jpg", "JPG", "jpeg", "JPEG", "png", "PNG", "ppm", "PPM")
_SIGNATURES = {b"\xff\xd8\xff": "JPEG", b"\x89PNG": "PNG"} | dict.fromkeys(
    (b"P2", b"P5", b"P3", b"P6"), "PPM"
)


def load_image(path: str | os.PathLike[str]) -> Image:
    """Read a JPEG, PNG, PPM or PGM file. Returns float64 (3, H, W), R,G,B, 0..1.

    The format is recognised by content, not by name. As in the original, gray becomes three equal channels,
    alpha is dropped (not composited), and EXIF orientation, gamma and colour profiles are ignored.

    Warns (UserWarning): if the original would garble the picture.
    Raises: ImageError.
    """
    file_format, depth = check_readable(path)
    try:
        pixels = _read_png16(path) if depth == 16 else _read_8bit(path, file_format)
    except (OSError, SyntaxError, ValueError, PillowImage.DecompressionBombError) as error:
        raise ImageError(f"{os.fspath(path)}: damaged or incomplete {file_format}: {error}") from None
    # As in the original, multiply by the rounded reciprocal. Dividing by 255 differs in the last bit.
    values = pixels.astype(np.float64) * (1 / (65535 if depth == 16 else 255))
    return np.ascontiguousarray(values.transpose(2, 0, 1))


def check_readable(path: str | os.PathLike[str]) -> tuple[str, int]:
    """The format of the file (JPEG, PNG or PPM) and its bits per channel, from its first bytes.

    Raises: ImageError: missing, not readable, or another kind of file.
    """
    name = os.fspath(path)
    try:
        with Path(path).open("rb") as file:
            head = file.read(32)
    except OSError as error:
        raise ImageError(f"{name}: cannot be read: {error.strerror}") from None
    for signature, file_format in _SIGNATURES.items():
        if head.startswith(signature):
            return file_format, (16 if file_format == "PNG" and head[24:25] == b"\x10" else 8)
    what = "the file is empty" if not head else "not a JPEG, PNG, PPM or PGM picture"
    raise ImageError(f"{name}: {what}; convert it to PNG or JPEG first")


def image_size(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Height and width in pixels, without decoding the picture. Raises: ImageError."""
    check_readable(path)
    with _open(path) as picture:
        return picture.height, picture.width


def _open(path: str | os.PathLike[str]) -> PillowImage.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PillowImage.DecompressionBombWarning)
            return PillowImage.open(path, formats=("JPEG", "PNG", "PPM"))
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise ImageError(f"{os.fspath(path)}: damaged picture: {error}") from None
    except PillowImage.DecompressionBombError as error:
        raise ImageError(f"{os.fspath(path)}: {error}; scale it down first") from None


def _read_8bit(path: str | os.PathLike[str], file_format: str) -> NDArray[np.uint8]:
    """uint8 (H, W, 3). Pillow decodes JPEG with libjpeg-turbo's defaults, as Torch7 does."""
    with _open(path) as picture:
        picture.load()
        if picture.mode.startswith("I"):
            raise ImageError(
                f"{os.fspath(path)}: a {file_format} with more than 8 bits per channel; convert it to PNG"
            )
        if picture.mode == "P" and "transparency" in picture.info:
            _warn_of_garbled(path, "palette picture with transparency")
        if picture.mode == "CMYK":
            return _from_cmyk(path, picture)
        if picture.mode in ("RGBA", "LA"):
            picture = _without_alpha(picture)
        return np.asarray(picture.convert("RGB"))


def _from_cmyk(path: str | os.PathLike[str], picture: PillowImage.Image) -> NDArray[np.uint8]:
    """(H, W, 3) bytes of a CMYK JPEG, also of one stored as YCCK: black included, Adobe's inversion or not.

    The original takes the first three planes as they are stored for R,G,B. That is right, and equal to this,
    for a file with Adobe's marker whose pixels hold no black.
    """
    inks = np.asarray(picture)  # Pillow takes every file for one of Adobe's, which store 255 - ink
    if "adobe" not in picture.info:
        picture = PillowImage.fromarray(255 - inks, "CMYK")
    colours = np.asarray(picture.convert("RGB"))
    if not np.array_equal(colours, 255 - inks[..., :3]):
        _warn_of_garbled(path, "CMYK picture, which has black or is not stored as Adobe does")
    return colours


def _warn_of_garbled(path: str | os.PathLike[str], what: str) -> None:
    warnings.warn(
        f"{os.fspath(path)}: the original garbles this {what}; it is loaded properly here", stacklevel=4
    )


def _without_alpha(picture: PillowImage.Image) -> PillowImage.Image:
    channels = picture.split()[:-1]
    return PillowImage.merge("RGB", channels if len(channels) == 3 else channels * 3)


def _read_png16(path: str | os.PathLike[str]) -> NDArray[np.uint16]:
    """uint16 (H, W, 3) from a 16-bit PNG. Read with pypng, because Pillow keeps only 8 bits."""
    import png

    try:
        with Path(path).open("rb") as file:
            width, height, rows, info = png.Reader(file=file).read()
            values = np.vstack([np.asarray(row, np.uint16) for row in rows])
    except (png.Error, zlib.error, EOFError) as error:
        raise ImageError(f"{os.fspath(path)}: damaged or incomplete PNG: {error}") from None
    pixels = values.reshape(height, width, info["planes"])
    return pixels[..., :3] if info["planes"] >= 3 else np.repeat(pixels[..., :1], 3, axis=2)


def check_writable(path: str | os.PathLike[str]) -> None:
    """Check that a picture can be saved under this name. Raises: ImageError."""
    extension = _extension(path)
    folder = Path(path).parent
    if extension.lower() == "pgm":
        raise ImageError(f"{os.fspath(path)}: a PGM file has no colours; use .png, .jpg or .ppm")
    if extension not in EXTENSIONS:
        known = ", ".join(f".{name}" for name in EXTENSIONS)
        raise ImageError(f"{os.fspath(path)}: unknown image type '{extension}'; the name must end in {known}")
    if not folder.is_dir():
        raise ImageError(f"{os.fspath(path)}: the folder {folder} does not exist; create it first")
    if Path(path).is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise ImageError(f"{os.fspath(path)}: cannot be written; check the name and the folder's permissions")


def _extension(path: str | os.PathLike[str]) -> str:
    return Path(path).suffix[1:]


def save_image(path: str | os.PathLike[str], image: Image, texts: Mapping[str, str] | None = None) -> str:
    """Write a float64 (3, H, W), R,G,B picture. The extension determines the format.

    As in the original, values are clamped to 0..1, multiplied by 255 and truncated, not rounded. JPEG files
    (quality 75, 4:2:0) and PNG files without texts are byte-identical to the original's. The file appears
    complete or not at all. texts: text entries for a PNG file.

    Returns the sha256 of the written bytes. (The file may be gone by the time its record is made.)
    Raises: ImageError.
    """
    check_writable(path)
    target = Path(path)
    file_format = SAVERS[_extension(path).lower().replace("jpeg", "jpg")]
    try:
        encoded = _encoded(to_bytes(image), file_format, texts or {})
        with replaced_when_complete(target) as file:
            file.write(encoded)
    except OSError as error:
        raise ImageError(f"{os.fspath(path)}: cannot be written: {error.strerror or error}") from None
    return hashlib.sha256(encoded).hexdigest()


def _encoded(pixels: NDArray[np.uint8], file_format: str, texts: Mapping[str, str]) -> bytes:
    if file_format == "PNG":
        return encode_png(pixels, texts)
    options: dict[str, Any] = {"JPEG": {"quality": 75, "subsampling": 2}}.get(file_format, {})
    encoded = io.BytesIO()
    PillowImage.fromarray(pixels).save(encoded, file_format, **options)
    return encoded.getvalue()


def to_bytes(image: Image) -> NDArray[np.uint8]:
    """Convert (3, H, W) in 0..1 to uint8 (H, W, 3): clamped, times 255, truncated. NaN becomes 0."""
    levels = np.nan_to_num(np.clip(image, 0, 1), nan=0.0) * 255
    return np.ascontiguousarray(levels.astype(np.uint8).transpose(1, 2, 0))


def preprocess(image: Image) -> NDArray[np.float32]:
    """R,G,B in 0..1 to the network's B,G,R: times 256 (as in the original, not 255), minus the mean."""
    result: NDArray[np.float32] = (image[::-1] * 256.0 - MEANS_BGR).astype(np.float32)
    return result


def deprocess(x: NDArray[np.float32]) -> Image:
    """The inverse of :func:`preprocess`. As in the original, values are not clamped to 0..1."""
    return np.ascontiguousarray((x.astype(np.float64) + MEANS_BGR)[::-1] / 256.0)


def original_colors(content: Image, generated: Image) -> Image:
    """The luminance of ``generated`` with the colours of ``content``, both (3, H, W) in 0..1.

    As in the original, ``generated`` is not clamped first and ``content`` is not rounded to bytes. Additions
    are in the order of ``image.rgb2yuv`` and ``image.yuv2rgb``.
    """
    r, g, b = generated
    y = 0.299 * r + 0.587 * g + 0.114 * b
    r, g, b = content
    u = -0.14713 * r - 0.28886 * g + 0.436 * b
    v = 0.615 * r - 0.51499 * g - 0.10001 * b
    return np.stack([y + 1.13983 * v, y - 0.39465 * u - 0.58060 * v, y + 2.03211 * u])


def create_folder(folder: Path) -> None:
    """Create ``folder`` and the folders above it. Raises: ImageError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ImageError(f"{folder}: cannot be created: {error.strerror}") from None
