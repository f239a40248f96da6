"""Measure how far ``fast_neural_style`` is from fast_neural_style.lua and from its author's pictures."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from core.pictures.compare import psnr
from core.pictures.images import Image, load_image, save_image, to_bytes
from core.settings.fast_neural_style import TransformSettings
from core.transform.convert import convert
from core.transform.open_model import open_model
from core.transform.runners import Runner
from core.transform.stylize import Stylizer, stylize_file

SHARED = Path(__file__).resolve().parents[3] / "shared"
GOLDEN = SHARED / "golden" / "fast_neural_style"
HEADER = ("picture", "runtime", "size", "float difference", "samples that differ", "by levels", "dB")
MODELS = (
    *("bn_f_C", "bn_reflect_start", "bn_sr_x4", "bn_zero"),
    *("in_frozen_nnhead", "in_reflect_start", "in_upnearest", "in_zero_ascii"),
)
PROGRAM_RUNS = {  # name of the result: model, image_size, median_filter; all from img_a.png
    "a_s0_m0.png": ("in_reflect_start", 0, 0),
    "a_s64_m1.png": ("in_reflect_start", 64, 1),
    "a_s64_m2.png": ("in_reflect_start", 64, 2),
    "a_s64_m3.png": ("in_reflect_start", 64, 3),
    "a_s64_m5.png": ("in_reflect_start", 64, 5),
    "a_s150.jpg": ("in_reflect_start", 150, 0),
    "a_sr.png": ("bn_sr_x4", 0, 0),
}
PUBLISHED = {"chicago_candy.jpg": "winml_candy.onnx", "chicago_mosaic.jpg": "winml_mosaic.onnx"}
PUBLISHED_SIZE = 1024.0
LARGEST_DIFFERENCE = 1e-5  # of a network's output range; of the picture's 0..1
LARGEST_LEVEL, LARGEST_SHARE = 1, 0.001
LEAST_DECIBELS, LARGEST_PIXEL_SHARE = 60.0, 0.01


@dataclass(frozen=True)
class Distance:
    """Distance of one result from the original's.

    difference: the largest before rounding to bytes, as a share of the range; None if not recorded.
    differing: share of samples that differ.  pixels: share of pixels with such a sample.  level: the largest
    difference of a sample, in levels of 255.
    """

    name: str
    runtime: str
    size: tuple[int, ...]
    difference: float | None
    differing: float = 0.0
    pixels: float = 0.0
    level: int = 0
    decibels: float | None = None
    passed: bool = True

    def row(self) -> list[str]:
        """A row under :data:`HEADER`."""
        count = round(self.pixels * self.size[-1] * self.size[-2])
        return [
            self.name,
            self.runtime,
            "x".join(map(str, self.size[::-1])),
            "" if self.difference is None else f"{self.difference:.1e}",
            "" if self.decibels is None else f"{100 * self.differing:.3f} % ({count} pixels)",
            "" if self.decibels is None else str(self.level),
            "" if self.decibels is None else "equal" if np.isinf(self.decibels) else f"{self.decibels:.1f}",
        ]


def distances(runtime: str) -> Iterator[Distance]:
    """The distances of every network and every run; with ONNX Runtime also of the published pictures.

    Yields nothing if ../shared is absent.
    """
    if not GOLDEN.is_dir():
        return
    for model in MODELS:
        for batch in ("", "2"):
            yield network_distance(model, batch, runtime)
    for name in PROGRAM_RUNS:
        yield program_distance(name, runtime)
    if runtime == "onnx":
        yield from map(published_distance, PUBLISHED)


def network_distance(model: str, batch: str, runtime: str) -> Distance:
    """The distance of a network's output for one of its two recorded batches ('' or '2')."""
    wanted = np.load(GOLDEN / f"{model}_output{batch}.npy")
    found = _runner(model, runtime).run(np.load(GOLDEN / f"{model}_input{batch}.npy"))
    difference = (
        float(np.abs(found - wanted).max() / np.ptp(wanted)) if found.shape == wanted.shape else np.inf
    )
    return Distance(
        f"{model}, batch of {len(wanted)}",
        runtime,
        wanted.shape[2:],
        difference,
        passed=difference <= LARGEST_DIFFERENCE,
    )


def _runner(model: str, runtime: str) -> Runner:
    return open_model(TransformSettings(model=str(GOLDEN / f"{model}.t7"), runtime=runtime)).runner


def program_distance(name: str, runtime: str) -> Distance:
    """The distance of a run of the whole program: its float picture and its 8-bit samples.

    For a JPEG the samples before the encoder are compared, since the encoder spreads one sample over a
    block. To pass, the encoder must also give the original's file for the original's samples.
    """
    model, image_size, median = PROGRAM_RUNS[name]
    source, original = GOLDEN / "e2e" / "img_a.png", GOLDEN / "e2e" / f"out_{name}"
    stylizer = Stylizer(_runner(model, runtime), image_size, median)
    found, kept = stylizer(load_image(source)), GOLDEN / "e2e" / f"float_{name}.npy"
    if not kept.exists():
        return _judged(_compared(name, runtime, to_bytes(found), _pixels(original)))
    wanted = np.load(kept).astype(np.float64)
    if found.shape != wanted.shape:
        return Distance(name, runtime, found.shape[1:], np.inf, passed=False)
    distance = _compared(name, runtime, to_bytes(found), to_bytes(wanted))
    difference = float(np.abs(found - wanted).max())
    return _judged(replace(distance, difference=difference), _saves_as(wanted, original))


def _judged(found: Distance, saves_equal: bool = True) -> Distance:
    close = (found.difference or 0) <= LARGEST_DIFFERENCE
    few = found.level <= LARGEST_LEVEL and found.differing <= LARGEST_SHARE
    return replace(found, passed=close and few and saves_equal)


def _saves_as(picture: Image, original: Path) -> bool:
    """Whether saving gives the original's file. For a PNG the pixels are compared: compressors differ."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / original.name
        save_image(target, picture)
        if original.suffix == ".jpg":
            return target.read_bytes() == original.read_bytes()
        return bool(np.array_equal(_pixels(target), _pixels(original)))


def published_distance(name: str) -> Distance:
    """The distance from a JPEG of the author's repository, decoded; his weights come from the WinML model."""
    with tempfile.TemporaryDirectory() as folder:
        model, target = Path(folder) / "any_size.onnx", Path(folder) / name
        convert(SHARED / "onnx_models" / PUBLISHED[name], model)
        stylizer = Stylizer(open_model(TransformSettings(model=str(model))).runner, PUBLISHED_SIZE)
        stylize_file(SHARED / "published" / "chicago.jpg", target, stylizer)
        found = _compared(f"published {name}", "onnx", _pixels(target), _pixels(SHARED / "published" / name))
    close = (found.decibels or 0) >= LEAST_DECIBELS and found.pixels <= LARGEST_PIXEL_SHARE
    return replace(found, passed=close)


def _compared(name: str, runtime: str, ours: NDArray[np.uint8], theirs: NDArray[np.uint8]) -> Distance:
    """Two (H, W, 3) pictures of bytes."""
    size = ours.shape[:2]
    if ours.shape != theirs.shape:
        return Distance(name, runtime, size, None, 1.0, 1.0, 255, 0.0, passed=False)
    off = np.abs(ours.astype(int) - theirs)
    differing, pixels = float(np.mean(off > 0)), float(np.mean(off.max(axis=2) > 0))
    return Distance(name, runtime, size, None, differing, pixels, int(off.max()), psnr(ours, theirs))


def _pixels(path: Path) -> NDArray[np.uint8]:
    with PillowImage.open(path) as picture:
        return np.asarray(picture.convert("RGB"))
