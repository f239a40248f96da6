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
from core.pictures.png_file import compresses_as_zlib
from core.settings.fast_neural_style import TransformSettings
from core.transform.convert import convert
from core.transform.open_model import open_model
from core.transform.runners import Runner
from core.transform.stylize import Stylizer, stylize_file

SHARED = Path(__file__).resolve().parents[3] / "shared"
GOLDEN = SHARED / "golden" / "fast_neural_style"
HEADER = (
    *("picture", "runtime", "size", "floats unequal", "largest difference", "pixels unequal"),
    *("by levels", "dB", "file"),
)
MODELS = (
    *("bn_f_C", "bn_reflect_start", "bn_sr_x4", "bn_zero"),
    *("in_frozen_nnhead", "in_reflect_start", "in_upnearest", "in_zero_ascii"),
)
TWO_THREADS = ("in_frozen_nnhead",)  # outputs made with two BLAS threads, which no one-thread run can equal
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

    floats: how many float32 are not equal, and of how many; None if the original's are not recorded.
    difference: the largest before rounding to bytes, as a share of the range.  differing: share of samples
    that differ.  pixels: share of pixels with such a sample.  level: the largest difference of a sample, in
    levels of 255.  file: whether the file is the original's, byte for byte.  details: where it differs.
    """

    name: str
    runtime: str
    size: tuple[int, ...]
    floats: tuple[int, int] | None = None
    difference: float | None = None
    differing: float = 0.0
    pixels: float = 0.0
    level: int = 0
    decibels: float | None = None
    file: bool | None = None
    passed: bool = True
    details: tuple[str, ...] = ()

    def row(self) -> list[str]:
        """Under :data:`HEADER`."""
        total = self.size[-1] * self.size[-2]
        return [
            self.name,
            self.runtime,
            "x".join(map(str, self.size[::-1])),
            "" if self.floats is None else f"{self.floats[0]} of {self.floats[1]}",
            "" if self.difference is None else f"{self.difference:.1e}",
            "" if self.decibels is None else f"{round(self.pixels * total)} of {total}",
            "" if self.decibels is None else str(self.level),
            "" if self.decibels is None else "equal" if np.isinf(self.decibels) else f"{self.decibels:.1f}",
            {None: "", True: "=", False: "differs"}[self.file],
        ]

    def judged(self) -> Distance:
        """With the verdict: everything equal in torch7 arithmetic, close elsewhere."""
        if self.runtime == "torch7":
            equal = not self.floats or self.floats[0] == 0
            return replace(self, passed=equal and self.pixels == 0 and self.file is not False)
        close = (self.difference or 0) <= LARGEST_DIFFERENCE
        few = self.level <= LARGEST_LEVEL and self.differing <= LARGEST_SHARE
        return replace(self, passed=close and few)


def distances(runtime: str) -> Iterator[Distance]:
    """The distances of every network and every run; with ONNX Runtime also of the published pictures.

    Yields nothing if ../shared is absent.
    """
    if not GOLDEN.is_dir():
        return
    for model in MODELS:
        if runtime != "torch7" or model not in TWO_THREADS:
            for batch in ("", "2"):
                yield network_distance(model, batch, runtime)
    for name in PROGRAM_RUNS:
        yield program_distance(name, runtime)
    if runtime == "onnx":
        yield from map(published_distance, PUBLISHED)


def network_distance(model: str, batch: str, runtime: str) -> Distance:
    """The distance of a network's output for one of its two recorded batches ('' or '2')."""
    wanted = np.load(GOLDEN / f"{model}_output{batch}.npy")
    found = runner_of(GOLDEN / f"{model}.t7", runtime).run(np.load(GOLDEN / f"{model}_input{batch}.npy"))
    return with_floats(
        Distance(f"{model}, batch of {len(wanted)}", runtime, wanted.shape[2:]), found, wanted, np.ptp(wanted)
    ).judged()


def with_floats(
    distance: Distance, found: NDArray[np.float32], wanted: NDArray[np.float32], extent: float
) -> Distance:
    """The same with what became of the floats. extent: of the values, by which differences are divided."""
    if found.shape != wanted.shape:
        return replace(distance, floats=(wanted.size, wanted.size), difference=np.inf)
    unequal = int(np.count_nonzero(found != wanted))
    largest = float(np.abs(found - wanted).max() / extent)
    return replace(distance, floats=(unequal, wanted.size), difference=largest)


def runner_of(model: Path, runtime: str) -> Runner:
    """A network in one of the runtimes 'onnx', 'torch' and 'torch7'."""
    settings = TransformSettings(model=str(model))
    if runtime == "torch7":
        return open_model(settings.replace(arithmetic=runtime)).runner
    return open_model(settings.replace(runtime=runtime)).runner


def program_distance(name: str, runtime: str) -> Distance:
    """A run of the whole program: the float picture, the samples that are saved, and the file."""
    model, image_size, median = PROGRAM_RUNS[name]
    source, folder = GOLDEN / "e2e" / "img_a.png", GOLDEN / "e2e"
    stylizer = Stylizer(runner_of(GOLDEN / f"{model}.t7", runtime), image_size, median)
    return picture_distance(
        name, runtime, stylizer(load_image(source)), folder / f"out_{name}", folder / f"float_{name}.npy"
    )


def picture_distance(name: str, runtime: str, found: Image, original: Path, floats: Path) -> Distance:
    """A picture before it is saved against the original's file, and its floats where they are kept.

    Of a JPEG the samples before the encoder count, where one does not yet spread over a block; that the
    encoder gives the original's file for the original's samples is part of the verdict.
    """
    encodes = True
    if floats.exists():
        wanted = np.load(floats)
        distance = _compared(name, runtime, to_bytes(found), to_bytes(wanted.astype(np.float64)))
        distance = with_floats(distance, found.astype(np.float32), wanted, 1)
        encodes = _saves_as(wanted.astype(np.float64), original)
    else:
        distance = _compared(name, runtime, to_bytes(found), _pixels(original))
    judged = replace(distance, file=_saves_as(found, original)).judged()
    return replace(judged, passed=judged.passed and encodes)


def _saves_as(picture: Image, original: Path) -> bool:
    """Whether saving without our text gives the original's file; a PNG's pixels where zlib is another one."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / original.name
        save_image(target, picture)
        if original.suffix == ".png" and not compresses_as_zlib():
            return bool(np.array_equal(_pixels(target), _pixels(original)))
        return target.read_bytes() == original.read_bytes()


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
        return Distance(name, runtime, size, differing=1.0, pixels=1.0, level=255, decibels=0.0, passed=False)
    off = np.abs(ours.astype(int) - theirs)
    differing, pixels = float(np.mean(off > 0)), float(np.mean(off.max(axis=2) > 0))
    return Distance(
        name,
        runtime,
        size,
        differing=differing,
        pixels=pixels,
        level=int(off.max()),
        decibels=psnr(ours, theirs),
    )


def _pixels(path: Path) -> NDArray[np.uint8]:
    with PillowImage.open(path) as picture:
        return np.asarray(picture.convert("RGB"))
