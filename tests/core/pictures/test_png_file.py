"""PNG files byte for byte: the real program's, and those of libpng itself."""

import io
import zlib

import numpy as np
import pytest
from PIL import Image

from core.errors import ImageError
from core.pictures import png_file
from core.pictures.images import save_image
from core.pictures.png_file import compresses_as_zlib, encode_png
from core.pictures.strip import strip_png
from tests.conftest import GOLDEN, SHARED
from tests.core.pictures import libpng

PROGRAMS = ("neural_style", "neural_style_vgg", "fast_neural_style", "artistic_videos")
RNG = np.random.default_rng(23)
LIBRARY = libpng.library()
needs_zlib = pytest.mark.skipif(not compresses_as_zlib(), reason="this Python has another zlib")
needs_libpng = pytest.mark.skipif(LIBRARY is None, reason="no libpng 1.6 on this machine")


def reference_files():
    """Every PNG that the real programs wrote: in jobs, and of the fast path."""
    folders = [GOLDEN]
    if SHARED.is_dir():
        folders = [SHARED / "golden" / name for name in PROGRAMS]
    for folder in folders:
        for pattern in ("jobs/*/*.png", "**/exact/*/*.png", "e2e/out_*.png"):
            yield from folder.glob(pattern)


def decoded(path):
    with Image.open(path) as picture:
        assert picture.mode == "RGB"
        return np.asarray(picture)


@needs_zlib
def test_every_reference_file():
    files = sorted(set(reference_files()))
    different = [path for path in files if encode_png(decoded(path)) != path.read_bytes()]
    assert different == []
    assert len(files) >= (209 if SHARED.is_dir() else 3)


def picture(height, width, kind):
    y, x = np.mgrid[0:height, 0:width]
    if kind == "noise":
        return RNG.integers(0, 256, (height, width, 3), np.uint8)
    if kind == "ramps":
        return np.stack([x * 3 + y, y * 2, x + y], 2).astype(np.uint8)
    if kind == "photo":
        smooth = np.stack([127 + 100 * np.sin(x / 9 + y / 17), 127 + 90 * np.cos(y / 5), x * y / 50], 2)
        return np.clip(smooth + RNG.normal(0, 3, smooth.shape), 0, 255).astype(np.uint8)
    return (RNG.random((height, width, 1)) < 0.02) * np.full(3, 40, np.uint8)


# Sides of 1, for which libpng tries fewer filters; sizes around its limit for a small window; 8192 bytes.
SIZES = [(1, 1), (1, 2), (2, 1), (1, 50), (50, 1), (1, 6000), (3, 3), (85, 64), (86, 64), (73, 74), (73, 75)]


@needs_zlib
@needs_libpng
@pytest.mark.parametrize("size", [*SIZES, (128, 42), (128, 43), (137, 211)])
@pytest.mark.parametrize("kind", ["noise", "ramps", "photo", "specks"])
def test_equal_to_libpng(size, kind):
    pixels = picture(*size, kind)
    assert encode_png(pixels) == libpng.encode(LIBRARY, pixels)


@pytest.mark.parametrize("size", SIZES)
def test_pillow_reads_it(size):
    pixels = picture(*size, "noise")
    with Image.open(io.BytesIO(encode_png(pixels, {"neural_style": "{}", "other": "gr\u00fcn"}))) as opened:
        assert np.array_equal(np.asarray(opened), pixels)
        assert opened.text == {"neural_style": "{}", "other": "gr\u00fcn"}


@needs_zlib
def test_texts_are_one_chunk_before_the_picture():
    pixels = picture(30, 40, "photo")
    plain, told = encode_png(pixels), encode_png(pixels, {"neural_style": "text" * 50})
    head = plain.index(b"IDAT") - 4
    size = len(told) - len(plain)
    assert told[:head] + told[head + size :] == plain


def test_another_zlib_is_recognised(monkeypatch):
    class Other:
        def __getattr__(self, name):
            return getattr(zlib, name)

        def compressobj(self, level, *others):
            return zlib.compressobj(level - 1, *others)

    monkeypatch.setattr(png_file, "zlib", Other())
    compresses_as_zlib.cache_clear()
    assert not compresses_as_zlib()
    monkeypatch.undo()
    compresses_as_zlib.cache_clear()


@needs_zlib
def test_strip(tmp_path):
    values = RNG.random((3, 20, 31))
    save_image(tmp_path / "plain.png", values)
    save_image(tmp_path / "told.png", values, {"neural_style": "{}"})
    strip_png(tmp_path / "told.png", tmp_path / "stripped.png")
    assert (tmp_path / "stripped.png").read_bytes() == (tmp_path / "plain.png").read_bytes()
    assert (tmp_path / "told.png").read_bytes() != (tmp_path / "plain.png").read_bytes()


def test_what_cannot_be_stripped(tmp_path):
    save_image(tmp_path / "a.png", RNG.random((3, 5, 6)))
    save_image(tmp_path / "a.jpg", RNG.random((3, 5, 6)))
    (tmp_path / "text.png").write_text("no picture")
    for source, target, message in (
        ("a.jpg", "b.png", "a.jpg: no PNG of 8-bit colours"),
        ("text.png", "b.png", "text.png: no picture that can be read"),
        ("absent.png", "b.png", "absent.png: no such file"),
        ("a.png", "a.png", "a.png: is the picture itself"),
        ("a.png", "b.jpg", "b.jpg: the stripped picture is a PNG file"),
    ):
        with pytest.raises(ImageError, match=message):
            strip_png(tmp_path / source, tmp_path / target)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jpg", "a.png", "text.png"]
