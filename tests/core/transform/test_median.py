"""The median filter of fast_neural_style.lua: no padding, the lower of two middle values."""

import numpy as np
import pytest

from core.errors import TransformError
from core.transform.median import median_filter


def slow(picture, r):
    channels, height, width = picture.shape
    result = np.empty((channels, height - r + 1, width - r + 1), picture.dtype)
    for c, y, x in np.ndindex(result.shape):
        result[c, y, x] = np.sort(picture[c, y : y + r, x : x + r], axis=None)[(r * r - 1) // 2]
    return result


@pytest.mark.parametrize("size", [0, -1, 0.5, 1, 1.9])
def test_nothing_is_done(size):
    picture = np.random.default_rng(0).random((3, 5, 6), np.float32)
    assert median_filter(picture, size) is picture


@pytest.mark.parametrize("size", [2, 3, 3.7, 4, 5, 7])
@pytest.mark.parametrize("shape", [(3, 11, 9), (3, 140, 8)])
def test_every_window(size, shape):
    picture = np.random.default_rng(1).random(shape, np.float32)
    assert np.array_equal(median_filter(picture, size), slow(picture, int(size)))


def test_one_pixel_is_left():
    picture = np.arange(9, dtype=np.float32).reshape(1, 3, 3)
    assert median_filter(picture, 3).tolist() == [[[4]]]
    assert median_filter(picture[:, :2, :2], 2).tolist() == [[[1]]]


def test_too_small_a_picture():
    with pytest.raises(TransformError, match="-median_filter 5: the result has only 6x4 pixels"):
        median_filter(np.zeros((3, 4, 6), np.float32), 5)
