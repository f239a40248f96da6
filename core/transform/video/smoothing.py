"""Less flicker between the frames of a stylised film: each is mixed with the one shown before."""

from __future__ import annotations

import numpy as np

from core.errors import VideoError
from core.pictures.images import Image


class Smoother:
    """Pictures to show: (1 - alpha) * styled + alpha * the one shown before; the first as it is.

    Values are float64, not clamped. ``alpha`` is 0 (off) or more and less than 1. Raises: VideoError.
    """

    def __init__(self, alpha: float, shown: Image | None = None) -> None:
        if not 0 <= alpha < 1:
            raise VideoError(f"-temporal_alpha {alpha:.14g}: must be at least 0 and less than 1")
        self.alpha, self.shown = alpha, shown

    def show(self, styled: Image) -> Image:
        """The next picture. Raises: VideoError: its size differs from the one before."""
        picture = np.asarray(styled, np.float64)
        if self.alpha and self.shown is not None:
            if picture.shape != self.shown.shape:
                raise VideoError(size_changed(picture, self.shown.shape[1:]))
            picture = (1 - self.alpha) * picture + self.alpha * self.shown
        self.shown = picture
        return picture


def size_changed(picture: Image, expected: tuple[int, ...]) -> str:
    """The message for a (3, H, W) picture after others of (height, width) ``expected``."""
    height, width = picture.shape[1:]
    return (
        f"a frame of {width}x{height} pixels follows others of {expected[1]}x{expected[0]}: "
        "all must have one size; scale them first"
    )
