"""Measures the difference between two pictures: PSNR, SSIM and pixel differences."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.atomic import replaced_when_complete
from core.errors import ImageError
from core.pictures.images import load_image

Levels = NDArray[np.float64]
WINDOW = 7  # pixels, of SSIM
INSTALL = "SSIM needs scikit-image: pip install 'neural-style-exact[report]'"


@dataclass(frozen=True)
class Comparison:
    """The differences of two pictures of the same size, in levels of 0..255.

    psnr: peak signal-to-noise ratio in dB; infinite if the pictures are equal.
    ssim: structural similarity (Wang et al. 2004); 1 if they are equal.
    largest, mean: absolute differences of all samples.  differing: share of pixels that differ, 0..1.
    difference: float64 (H, W), the largest absolute difference of the three channels.
    """

    width: int
    height: int
    psnr: float
    ssim: float
    largest: float
    mean: float
    differing: float
    difference: Levels


def compare_files(ours: Path, theirs: Path) -> Comparison:
    """Compare two picture files. Raises: ImageError: unreadable, of different sizes, too small for SSIM."""
    a, b = (load_image(path) * 255 for path in (ours, theirs))
    if a.shape != b.shape:
        raise ImageError(
            f"{ours} has {a.shape[2]}x{a.shape[1]} pixels, {theirs} {b.shape[2]}x{b.shape[1]}; "
            "give two pictures of the same size"
        )
    if min(a.shape[1:]) < WINDOW:
        raise ImageError(f"{ours}: SSIM needs at least {WINDOW}x{WINDOW} pixels")
    difference = np.abs(a - b)
    of_pixels = difference.max(axis=0)
    return Comparison(
        width=a.shape[2],
        height=a.shape[1],
        psnr=psnr(a, b),
        ssim=_ssim(a, b),
        largest=float(difference.max()),
        mean=float(difference.mean()),
        differing=float(np.mean(of_pixels > 0)),
        difference=of_pixels,
    )


def psnr(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Peak signal-to-noise ratio in dB of two pictures in levels of 0..255. Infinite if they are equal."""
    error = float(np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2))
    return 10 * math.log10(255**2 / error) if error else math.inf


def _ssim(a: Levels, b: Levels) -> float:
    try:
        from skimage.metrics import structural_similarity
    except ImportError:
        raise ImageError(INSTALL) from None
    similarity = structural_similarity(  # type: ignore[no-untyped-call]
        a, b, win_size=WINDOW, channel_axis=0, data_range=255
    )
    return float(similarity)


def save_heat_map(path: Path, comparison: Comparison) -> None:
    """Write a PNG of the pixel differences: black where the pictures are equal, brightest at the largest.

    Raises: ImageError: wrong file name, or the file cannot be written.
    """
    from matplotlib import colormaps
    from PIL import Image as PillowImage

    if path.suffix.lower() != ".png":
        raise ImageError(f"{path}: the heat map is a PNG file, so its name must end in .png")
    scaled = comparison.difference / (comparison.largest or 1)
    colours = np.asarray(colormaps["inferno"](scaled)[..., :3] * 255, np.uint8)
    try:
        with replaced_when_complete(path) as file:
            PillowImage.fromarray(colours).save(file, "PNG")
    except OSError as error:
        raise ImageError(f"{path}: cannot be written: {error.strerror or error}") from None
