"""Cuts training pictures into square pieces: the whole picture scaled to a square, or square patches.

Squares match make_style_dataset.py of fast-neural-style (813c834); its scipy.misc.imresize is Pillow's
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
    """A way to cut a picture into square pieces."""

    @property
    def side(self) -> int:
        """Height and width of a piece in pixels."""
        ...

    def corners(self, height: int, width: int) -> list[tuple[int, int]]:
        """(top, left) of each piece of a picture of this size; empty if it is too small."""
        ...

    def cut(self, picture: PillowImage.Image, top: int, left: int) -> Pixels:
        """The piece at this corner, uint8 (3, side, side)."""
        ...


@dataclass(frozen=True)
class Squares:
    """The whole picture, cropped at right and bottom to multiples of ``multiple``, scaled to a square.

    The aspect ratio is not kept.
    """

    side: int = SIDE
    multiple: int = MULTIPLE

    def corners(self, height: int, width: int) -> list[tuple[int, int]]:
        """One corner, (0, 0); none if the picture is too small."""
        return [(0, 0)] if min(height, width) >= self.multiple else []

    def cut(self, picture: PillowImage.Image, top: int, left: int) -> Pixels:
        """The picture, (3, side, side)."""
        width, height = (size - size % self.multiple for size in picture.size)
        if (width, height) != picture.size:
            picture = picture.crop((0, 0, width, height))
        return to_planes(picture.resize((self.side, self.side), PillowImage.Resampling.BILINEAR))


@dataclass(frozen=True)
class Patches:
    """Square patches, row by row, ``stride`` pixels apart."""

    side: int = PATCH
    stride: int = PATCH

    def corners(self, height: int, width: int) -> list[tuple[int, int]]:
        """The corners of all whole patches."""
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
    """The usable pictures, judged by their headers. ``complain`` gets name and error of the others."""

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
    """Reduce (3, H, W) to (3, H / factor, W / factor) as in the paper: Gaussian blur (sigma 1.0), bicubic.

    The blur is SciPy's, reflected at the borders. Bicubic is Pillow's, which like MATLAB's imresize uses
    a = -0.5 and widens the filter by the factor. Values are rounded to uint8 once, at the end.
    """
    blurred = gaussian_filter(picture.astype(np.float32), (0, SIGMA, SIGMA))
    height, width = (size // factor for size in picture.shape[1:])
    return bicubic(blurred, height, width)


def bicubic(picture: np.ndarray[tuple[int, ...], np.dtype[np.float32]], height: int, width: int) -> Pixels:
    """Scale float32 (3, H, W), values 0 to 255, with Pillow's bicubic filter and round to uint8."""
    planes = [
        np.asarray(PillowImage.fromarray(plane).resize((width, height), PillowImage.Resampling.BICUBIC))
        for plane in np.ascontiguousarray(picture, np.float32)
    ]
    levels: Pixels = np.rint(np.clip(np.stack(planes), 0, 255)).astype(np.uint8)
    return levels


def is_factor(factor: float, side: int) -> bool:
    """Whether a square of this side can be reduced by ``factor``."""
    return math.isfinite(factor) and factor >= 2 and side % factor == 0
