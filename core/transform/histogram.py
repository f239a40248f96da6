"""Histogram matching, applied by Johnson et al. 2016 to the output of super-resolution (section 4.2)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.pictures.images import Image


def match_histograms(picture: Image, reference: Image) -> Image:
    """``picture`` (3, H, W) with the histogram of ``reference`` (3, h, w), channel by channel.

    The sizes may differ. Each value is mapped to the reference value with the same cumulative share,
    with linear interpolation. Same method as skimage.exposure.match_histograms.
    """
    return np.stack([_matched(*planes) for planes in zip(picture, reference, strict=True)])


def _matched(plane: NDArray[np.float64], reference: NDArray[np.float64]) -> NDArray[np.float64]:
    _, places, counts = np.unique(plane, return_inverse=True, return_counts=True)
    values, reference_counts = np.unique(reference, return_counts=True)
    shares = np.cumsum(counts) / plane.size
    reference_shares = np.cumsum(reference_counts) / reference.size
    return np.interp(shares, reference_shares, values)[places].reshape(plane.shape)
