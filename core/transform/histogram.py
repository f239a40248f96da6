"""Histogram matching: what Johnson et al. 2016 do behind a network of super-resolution (section 4.2)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.pictures.images import Image


def match_histograms(picture: Image, reference: Image) -> Image:
    """``picture`` (3, H, W) with the distribution of values that each channel of ``reference`` (3, h, w) has.

    The sizes may differ. Of each value the share of the channel up to it is looked up in the reference,
    between whose values is interpolated: skimage.exposure.match_histograms.
    """
    return np.stack([_matched(*planes) for planes in zip(picture, reference, strict=True)])


def _matched(plane: NDArray[np.float64], reference: NDArray[np.float64]) -> NDArray[np.float64]:
    _, places, counts = np.unique(plane, return_inverse=True, return_counts=True)
    values, reference_counts = np.unique(reference, return_counts=True)
    shares = np.cumsum(counts) / plane.size
    reference_shares = np.cumsum(reference_counts) / reference.size
    return np.interp(shares, reference_shares, values)[places].reshape(plane.shape)
