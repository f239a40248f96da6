"""What of a picture is trained with: the whole, scaled to a square, or square patches of it.

Squares match make_style_dataset.py of fast-neural-style (813c834), whose scipy.misc.imresize was Pillow's
bilinear filter.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from PIL import Image as PillowImage
from scipy.ndimage import gaussian_filter

from core.errors import ImageError
from core.training.data.picture_files import Pixels, picture_size, to_planes
from core.training.data.readahead import in_order

SIDE, MULTIPLE, PATCH = 256, 16, 288
SIGMA = 1.0
Complain = Callable[[str, ImageError], None]
HEADERS_AHEAD = 64


class Cut(Protocol):
    """How to make square pieces of a picture."""

    @property
    def side(self) -> int:
        """Height and width of a piece."""
        ...

    def corners(self, height: int, width: int) -> list[tuple[int, int]]:
        """Top and left of the pieces of a picture of this size; none where it is too small."""
        ...

    def cut(self, picture: PillowImage.Image, top: int, left: int) -> Pixels:
        """One of them, (3, side, side)."""
        ...


@dataclass(frozen=True)
class Squares:
    """Right and bottom cropped to multiples of ``multiple``, then scaled; the aspect ratio is not kept."""

    side: int = SIDE
    multiple: int = MULTIPLE

    def corners(self, height: int, width: int) -> list[tuple[int, int]]:
        """One piece."""
        return [(0, 0)] if min(height, width) >= self.multiple else []

    def cut(self, picture: PillowImage.Image, top: int, left: int) -> Pixels:
        """The picture, (3, side, side)."""
        width, height = (size - size % self.multiple for size in picture.size)
        if (width, height) != picture.size:
            picture = picture.crop((0, 0, width, height))
        return to_planes(picture.resize((self.side, self.side), PillowImage.Resampling.BILINEAR))


@dataclass(frozen=True)
class Patches:
    """Patches from left to right, then down, ``stride`` pixels apart."""

    side: int = PATCH
    stride: int = PATCH

    def corners(self, height: int, width: int) -> list[tuple[int, int]]:
        """Only whole patches."""
        tops, lefts = (range(0, size - self.side + 1, self.stride) for size in (height, width))
        return [(top, left) for top in tops for left in lefts]

    def cut(self, picture: PillowImage.Image, top: int, left: int) -> Pixels:
        """One patch, (3, side, side)."""
        return to_planes(picture.crop((left, top, left + self.side, top + self.side)))


class Planned(NamedTuple):
    """A picture of a folder and the corners of its pieces."""

    name: str
    corners: list[tuple[int, int]]


def planned(
    folder: Path, names: Iterable[str], cut: Cut, pool: Executor, complain: Complain
) -> Iterator[Planned]:
    """The pictures that can be used, by what their first bytes say; ``complain`` hears of the others."""

    def examined(name: str) -> tuple[str, list[tuple[int, int]] | ImageError]:
        try:
            height, width = picture_size(folder / name)
        except ImageError as error:
            return name, error
        corners = cut.corners(height, width)
        return name, corners or ImageError(f"{folder / name}: {width}x{height} pixels are too few")

    for name, found in in_order(pool, examined, names, HEADERS_AHEAD):
        if isinstance(found, ImageError):
            complain(name, found)
        else:
            yield Planned(name, found)


def low_resolution(picture: Pixels, factor: int) -> Pixels:
    """(3, H, W) to (3, H / factor, W / factor): Gaussian blur of sigma 1.0, then bicubic, as in the paper.

    The blur is SciPy's, reflected at the borders. Bicubic is Pillow's, which like MATLAB's imresize takes
    a = -0.5 and widens the filter by the factor. Rounded to bytes once, at the end.
    """
    blurred = gaussian_filter(picture.astype(np.float32), (0, SIGMA, SIGMA))
    height, width = (size // factor for size in picture.shape[1:])
    return bicubic(blurred, height, width)


def bicubic(picture: np.ndarray[tuple[int, ...], np.dtype[np.float32]], height: int, width: int) -> Pixels:
    """float32 (3, H, W) in levels of 0..255, scaled by Pillow and rounded to bytes."""
    planes = [
        np.asarray(PillowImage.fromarray(plane).resize((width, height), PillowImage.Resampling.BICUBIC))
        for plane in np.ascontiguousarray(picture, np.float32)
    ]
    levels: Pixels = np.rint(np.clip(np.stack(planes), 0, 255)).astype(np.uint8)
    return levels


def is_factor(factor: float, side: int) -> bool:
    """Whether a square of this side can be shrunk by a factor."""
    return math.isfinite(factor) and factor >= 2 and side % factor == 0
