"""Pictures: decoding, scaling and saving have the original's values and bytes."""

import io
import json
import warnings

import numpy as np
import pytest
from PIL import Image

from core.errors import ImageError
from core.pictures import images
from core.pictures.images import (
    deprocess,
    image_size,
    load_image,
    original_colors,
    preprocess,
    save_image,
    to_bytes,
)
from core.pictures.resize import scale, scale_to
from tests.conftest import GOLDEN, SHARED_GOLDEN
from tests.support.compare import assert_identical

GARBLED = ("palette_transparent.png",)  # by the original; loaded properly here
RNG = np.random.default_rng(3)


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def cases():
    folder = SHARED_GOLDEN if SHARED_GOLDEN.is_dir() else GOLDEN
    with np.load(folder / "images_torch7.npz") as archive:
        for key in archive.files:
            operation, name = key.split("_", 1)
            if name not in (*GARBLED, "truncated.jpg"):
                yield pytest.param(folder / "images" / name, operation, archive[key], id=key)


@pytest.mark.filterwarnings("ignore:.*garbles")
@pytest.mark.parametrize(("path", "operation", "expected"), list(cases()))
def test_loads_and_scales_as_torch7(path, operation, expected):
    picture = load_image(path)
    if operation == "scale77x91":
        picture = scale_to(picture, 91, 77)
    elif operation != "load":
        picture = scale(picture, float(operation.removeprefix("scale")))
    assert_identical(picture.astype(np.float32), expected)


def test_truncated_jpeg_is_an_error():
    with pytest.raises(ImageError, match=r"truncated\.jpg: damaged or incomplete JPEG"):
        load_image(GOLDEN / "images" / "truncated.jpg")


def test_other_files_are_named(tmp_path):
    with pytest.raises(ImageError, match="not a JPEG, PNG, PPM or PGM picture"):
        load_image(GOLDEN / "images" / "not_an_image.png")
    with pytest.raises(ImageError, match=r"absent\.png: cannot be read: No such file"):
        load_image(tmp_path / "absent.png")
    (tmp_path / "empty.png").touch()
    with pytest.raises(ImageError, match=r"empty\.png: the file is empty"):
        load_image(tmp_path / "empty.png")


@pytest.mark.parametrize("cut", [0.002, 0.02, 0.3, 0.9])
@pytest.mark.parametrize("name", ["rgb16.png", "rgba.png", "photo.jpg", "painting.png"])
def test_cut_files_are_errors(tmp_path, name, cut):
    data = (GOLDEN / "images" / name).read_bytes()
    (tmp_path / name).write_bytes(data[: 16 + int(cut * len(data))])
    with pytest.raises(ImageError, match=name):
        load_image(tmp_path / name)


def test_pictures_the_original_garbles_are_loaded_with_a_warning():
    path = GOLDEN / "images" / "palette_transparent.png"
    with pytest.warns(UserWarning, match="the original garbles this palette picture with transp"):
        picture = load_image(path)
    with Image.open(path) as opened:
        palette, indices = opened.getpalette(), np.asarray(opened)
    expected = np.asarray(palette, np.uint8).reshape(-1, 3)[indices]
    assert_identical(picture, np.ascontiguousarray((expected * (1 / 255)).transpose(2, 0, 1)))


def cmyk_jpeg(path, black, adobe=True, ycck=False):
    """A JPEG whose black plane goes up to ``black``; as Adobe stores it, without its marker, or as YCCK."""
    inks = RNG.integers(0, 256, (4, 5, 4)).repeat(8, axis=0).repeat(8, axis=1)
    inks[..., 3] = black
    file = io.BytesIO()
    Image.fromarray(inks.astype(np.uint8), "CMYK").save(file, "JPEG", quality=95, subsampling=0)
    data = file.getvalue()
    marker = data.index(b"\xff\xee")
    assert data[marker + 4 : marker + 9] == b"Adobe"
    if ycck:
        data = data[: marker + 15] + b"\x02" + data[marker + 16 :]
    if not adobe:
        data = data[:marker] + data[marker + 2 + int.from_bytes(data[marker + 2 : marker + 4], "big") :]
    path.write_bytes(data)
    with Image.open(path) as opened:
        return 255 - np.asarray(opened).astype(int)  # the planes as they are stored


def by_the_original(stored):
    """What image.load makes of it: the first three planes as they are stored (shared/spec/parity.md)."""
    return np.ascontiguousarray((stored[..., :3] * (1 / 255)).transpose(2, 0, 1))


@pytest.mark.parametrize("ycck", [False, True])
def test_a_cmyk_jpeg_without_black_is_equal_and_says_nothing(tmp_path, ycck):
    stored = cmyk_jpeg(tmp_path / "a.jpg", black=0, ycck=ycck)
    assert_identical(load_image(tmp_path / "a.jpg"), by_the_original(stored))


@pytest.mark.parametrize("ycck", [False, True])
def test_black_of_a_cmyk_jpeg_counts(tmp_path, ycck):
    stored = cmyk_jpeg(tmp_path / "a.jpg", black=100, ycck=ycck)
    with pytest.warns(UserWarning, match="the original garbles this CMYK picture, which has black"):
        picture = load_image(tmp_path / "a.jpg")
    darker = by_the_original(stored) * (stored[..., 3] / 255)
    assert np.abs(picture - darker).max() < 1 / 255
    assert (picture <= by_the_original(stored)).all()


def test_a_cmyk_jpeg_without_adobes_marker_is_not_inverted(tmp_path):
    stored = cmyk_jpeg(tmp_path / "a.jpg", black=155, adobe=False)
    with pytest.warns(UserWarning, match="or is not stored as Adobe does"):
        picture = load_image(tmp_path / "a.jpg")
    expected = (255 - stored[..., :3]) / 255 * (255 - stored[..., 3:]) / 255
    assert np.abs(picture - expected.transpose(2, 0, 1)).max() < 1 / 255


def test_alpha_of_gray_is_dropped():
    path = GOLDEN / "images" / "gray_alpha.png"
    with Image.open(path) as opened:
        gray = np.asarray(opened)[..., 0]
    assert_identical(load_image(path), np.repeat(gray[None] * (1 / 255), 3, axis=0))


@pytest.mark.parametrize("planes", [1, 2, 3, 4])
def test_16_bit_png_keeps_every_level(tmp_path, planes):
    import png

    levels = RNG.integers(0, 65536, (5, 7, planes), dtype=np.uint16)
    mode = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[planes] + ";16"
    png.from_array(levels.reshape(5, -1).tolist(), mode).save(tmp_path / "p.png")
    colours = levels[..., :3] if planes >= 3 else np.repeat(levels[..., :1], 3, axis=2)
    assert_identical(
        load_image(tmp_path / "p.png"), np.ascontiguousarray(colours.transpose(2, 0, 1) * (1 / 65535))
    )


@pytest.mark.parametrize(("header", "planes"), [(b"P6", 3), (b"P5", 1)])
def test_netpbm_under_any_name(tmp_path, header, planes):
    levels = RNG.integers(0, 256, (4, 6, planes), dtype=np.uint8)
    (tmp_path / "p.jpg").write_bytes(header + b"\n6 4\n255\n" + levels.tobytes())
    expected = np.broadcast_to(levels, (4, 6, 3)).transpose(2, 0, 1) * (1 / 255)
    assert_identical(load_image(tmp_path / "p.jpg"), np.ascontiguousarray(expected))
    assert image_size(tmp_path / "p.jpg") == (4, 6)


def test_wide_netpbm_is_refused(tmp_path):
    (tmp_path / "p.pgm").write_bytes(b"P5\n2 1\n65535\n\0\1\0\2")
    with pytest.raises(ImageError, match="more than 8 bits"):
        load_image(tmp_path / "p.pgm")


def test_bytes_are_truncated_not_rounded():
    values = np.array([-0.5, 0.0, 254.999 / 255, 1.0, 7.0, np.nan, 128.5 / 255]).reshape(1, 1, 7)
    assert to_bytes(np.repeat(values, 3, 0))[0, :, 0].tolist() == [0, 0, 254, 255, 255, 0, 128]


def test_preprocess_multiplies_by_256_and_back():
    picture = np.stack([np.full((2, 3), value) for value in (0.25, 0.5, 1.0)])
    x = preprocess(picture)
    assert x[:, 0, 0].tolist() == [
        np.float32(256 - 103.939),
        np.float32(128 - 116.779),
        np.float32(64 - 123.68),
    ]
    assert np.abs(deprocess(x) - picture).max() < 1e-7


def test_original_colors_takes_luminance_unclamped():
    content, generated = RNG.random((3, 4, 5)), RNG.random((3, 4, 5)) * 3 - 1
    luma = np.array([0.299, 0.587, 0.114])
    back = np.array([[1, 0, 1.13983], [1, -0.39465, -0.5806], [1, 2.03211, 0]])
    chroma = np.array([[-0.14713, -0.28886, 0.436], [0.615, -0.51499, -0.10001]])
    yuv = np.concatenate([[np.tensordot(luma, generated, 1)], np.tensordot(chroma, content, 1)])
    assert np.abs(original_colors(content, generated) - np.tensordot(back, yuv, 1)).max() < 1e-14


def test_jpeg_bytes_equal_the_original_s(tmp_path):
    job = GOLDEN / "jobs" / "original_colors_jpg"
    x = np.load(job / "tensors.npz")["init"]
    assert json.loads((job / "job.json").read_text())["flags"]["output_image"] == "out.jpg"
    save_image(tmp_path / "out.jpg", deprocess(x))
    ours = (tmp_path / "out.jpg").read_bytes()
    # quantisation tables and every marker up to the entropy-coded data; the data itself is parity's business
    assert ours[: ours.index(b"\xff\xda")][:160] == (job / "out.jpg").read_bytes()[:160]


@pytest.mark.parametrize("name", ["a.png", "a.PNG", "a.jpg", "a.JPEG", "a.ppm"])
def test_saves_by_extension(tmp_path, name):
    picture = RNG.random((3, 5, 4))
    save_image(tmp_path / name, picture)
    assert image_size(tmp_path / name) == (5, 4)
    if "j" not in name.lower():
        with Image.open(tmp_path / name) as saved:
            assert_identical(np.asarray(saved), to_bytes(picture))
    assert files(tmp_path) == [name]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.gif", "unknown image type 'gif'"),
        ("a", "unknown image type ''"),
        ("a.Png", "unknown image type 'Png'"),
        ("a.pgm", "a PGM file has no colours"),
        ("absent/a.png", "does not exist; create it first"),
    ],
)
def test_names_that_cannot_be_saved(tmp_path, name, message):
    with pytest.raises(ImageError, match=message):
        save_image(tmp_path / name, np.zeros((3, 2, 2)))
    assert files(tmp_path) == []


def test_a_failed_save_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    (tmp_path / "a.png").write_bytes(b"before")

    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(images, "_encoded", full)
    with pytest.raises(ImageError, match=r"a\.png: cannot be written: No space left on device"):
        save_image(tmp_path / "a.png", np.zeros((3, 2, 2)))
    assert files(tmp_path) == ["a.png"]
    assert (tmp_path / "a.png").read_bytes() == b"before"


def test_no_warning_for_ordinary_pictures():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_image(GOLDEN / "images" / "photo.jpg")
