"""Measures super-resolution: PSNR and SSIM of the luma, for a network and the bicubic filter.

As in the paper: the original is cropped to a multiple of the factor, blurred and reduced. The network
enlarges it; the result gets the histogram of the small input and is compared with the original on the Y
channel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.errors import ImageError, TransformError
from core.pictures.compare import INSTALL, psnr
from core.training.data.picture_files import Pixels, load_rgb, to_planes
from core.training.data.pieces import bicubic, low_resolution
from core.transform.histogram import match_histograms
from core.transform.runners import Runner
from core.transform.stylize import encoded

LUMA = np.array([65.481, 128.553, 24.966]).reshape(3, 1, 1)  # of R,G,B in 0..1: ITU-R BT.601, 16..235
WINDOW = 11  # pixels, of SSIM's Gaussian


def luma(pixels: Pixels) -> NDArray[np.float64]:
    """The Y channel of uint8 (3, H, W), RGB: float64 (H, W), values 16 to 235, not rounded."""
    weighted: NDArray[np.float64] = (LUMA * pixels / 255).sum(axis=0) + 16
    return weighted


class Quality(NamedTuple):
    """psnr: in dB.  ssim: as in Wang et al. 2004, with their Gaussian window."""

    psnr: float
    ssim: float


class Measured(NamedTuple):
    """The quality of a picture enlarged by the network and by Pillow's bicubic filter."""

    name: str
    network: Quality
    bicubic: Quality


@dataclass(frozen=True)
class Evaluation:
    """How a network is measured.

    border: rows and columns at each side that are not compared, as is usual; by default the factor.
    histogram: give the network's output the histogram of its input.
    """

    runner: Runner
    factor: int
    border: int
    histogram: bool = True

    def measure(self, path: Path) -> Measured:
        """Measure one picture. Raises: ImageError, TransformError, both naming the file."""
        original = self._cropped(path)
        low = low_resolution(original, self.factor)
        try:
            enlarged = self.enlarged(low)
        except TransformError as error:
            raise TransformError(f"{path}: {error}") from None
        height, width = original.shape[1:]
        filtered = bicubic(low.astype(np.float32), height, width)
        return Measured(path.name, self._quality(original, enlarged), self._quality(original, filtered))

    def enlarged(self, low: Pixels) -> Pixels:
        """Enlarge uint8 (3, h, w) to (3, h * factor, w * factor) with the network. Raises: TransformError."""
        content, how = low / 255, self.runner.format
        height, width = low.shape[1:]
        if how.size not in (None, (height, width)):
            raise TransformError(f"the network takes {_by(how.size or ())} pixels only, not {width}x{height}")
        result = how.output.decode(self.runner.run(encoded(content, how))[0]).astype(np.float64)
        if result.shape[1:] != (height * self.factor, width * self.factor):
            raise TransformError(
                f"the network enlarges {width}x{height} pixels to {_by(result.shape[1:])}, "
                f"not by the factor {self.factor}"
            )
        if self.histogram:
            result = match_histograms(result, content)
        levels: Pixels = np.rint(np.clip(result, 0, 1) * 255).astype(np.uint8)
        return levels

    def _cropped(self, path: Path) -> Pixels:
        original = to_planes(load_rgb(path))
        height, width = (size - size % self.factor for size in original.shape[1:])
        if min(height, width) - 2 * self.border < WINDOW:
            raise ImageError(f"{path}: {width}x{height} pixels are too few to measure")
        return original[:, :height, :width]

    def _quality(self, original: Pixels, made: Pixels) -> Quality:
        inner = slice(self.border, -self.border or None)
        a, b = (luma(picture)[inner, inner] for picture in (original, made))
        return Quality(psnr(a, b), similarity()(a, b))


def similarity() -> Callable[[NDArray[np.float64], NDArray[np.float64]], float]:
    """A function that computes the SSIM of two luma planes. Raises: ImageError: scikit-image is missing."""
    try:
        from skimage.metrics import structural_similarity
    except ImportError:
        raise ImageError(INSTALL) from None

    def ssim(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
        return float(
            structural_similarity(  # type: ignore[no-untyped-call]
                a, b, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
            )
        )

    return ssim


def _by(sides: tuple[int, ...]) -> str:
    return "x".join(map(str, reversed(sides)))


def mean(measured: list[Measured]) -> Measured:
    """The mean over all pictures, equally weighted."""
    network, filtered = (
        Quality(*np.mean([getattr(one, which) for one in measured], axis=0).tolist())
        for which in ("network", "bicubic")
    )
    return Measured("mean", network, filtered)
