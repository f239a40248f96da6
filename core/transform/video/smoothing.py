"""Reduces flicker in a stylised video: each frame is mixed with the frame shown before it."""

from __future__ import annotations

import numpy as np

from core.errors import VideoError
from core.pictures.images import Image


class Smoother:
    """Shows (1 - alpha) * styled + alpha * the picture shown before; the first picture is not changed.

    Values are float64, not clamped. ``alpha`` is at least 0 (off) and less than 1. Raises: VideoError.
    """

    def __init__(self, alpha: float, shown: Image | None = None) -> None:
        if not 0 <= alpha < 1:
            raise VideoError(f"-temporal_alpha {alpha:.14g}: must be at least 0 and less than 1")
        self.alpha, self.shown = alpha, shown

    def show(self, styled: Image) -> Image:
        """The next picture to show. Raises: VideoError: its size differs from the previous one."""
        picture = np.asarray(styled, np.float64)
        if self.alpha and self.shown is not None:
            if picture.shape != self.shown.shape:
                raise VideoError(size_changed(picture, self.shown.shape[1:]))
            picture = (1 - self.alpha) * picture + self.alpha * self.shown
        self.shown = picture
        return picture


def size_changed(picture: Image, expected: tuple[int, ...]) -> str:
    """The error message for a (3, H, W) picture that follows pictures of (height, width) ``expected``."""
    height, width = picture.shape[1:]
    return (
        f"a frame of {width}x{height} pixels follows frames of {expected[1]}x{expected[0]}: "
        "all must have one size; scale them first"
    )
