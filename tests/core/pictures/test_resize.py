"""image.scale: sizes, enlargement and area average."""

import numpy as np
import pytest
import torch

from core.pictures.resize import scale_to, scaled_size
from tests.support.compare import assert_identical

RNG = np.random.default_rng(5)


def test_sizes_are_truncated_and_multiplied_first():
    assert scaled_size(683, 1024, 512) == (341, 512)
    assert scaled_size(1, 4000, 300) == (1, 300)  # never less than one pixel
    assert scaled_size(100, 77, 157.9) == (157, 121)  # a fractional -image_size
    for height, width, n in RNG.integers(1, 6000, (2000, 3)).tolist():
        longest = max(height, width)
        assert scaled_size(height, width, n) == (max(1, height * n // longest), max(1, width * n // longest))


def test_enlarging_is_aligned_linear():
    picture = RNG.random((3, 7, 11))
    expected = torch.nn.functional.interpolate(
        torch.tensor(picture)[None], (23, 40), mode="bilinear", align_corners=True
    )[0].numpy()
    # positions are float32 in Torch7: 3e-5 of a level at most here
    assert np.abs(scale_to(picture, 23, 40) - expected).max() < 1e-5


def test_shrinking_by_an_integer_is_the_block_mean():
    picture = RNG.integers(0, 256, (3, 12, 20)) / 256  # exact in float32
    blocks = picture.reshape(3, 6, 2, 5, 4).mean((2, 4))
    assert np.abs(scale_to(picture, 6, 5) - blocks).max() < 1e-7


def test_the_sums_of_an_area_average_are_float32():
    row = np.array([[[1.0, 2**-30, 2**-30, 2**-30]]])
    assert scale_to(row, 1, 1)[0, 0, 0] == 0.25  # float64 would keep the small terms


def test_one_pixel_and_no_change():
    dot = np.full((3, 1, 1), 0.3)
    assert_identical(scale_to(dot, 4, 5), np.full((3, 4, 5), 0.3))
    picture = RNG.random((3, 4, 5))
    same = scale_to(picture, 4, 5)
    assert_identical(same, picture)
    assert same is not picture


@pytest.mark.parametrize("size", [(5, 30), (30, 5)])
def test_axes_are_not_confused(size):
    picture = np.repeat(np.linspace(0, 1, 10)[None, None, :], 8, axis=1).repeat(3, axis=0)
    scaled = scale_to(picture, *size)
    assert scaled.shape == (3, *size)
    assert np.ptp(scaled, axis=1).max() < 1e-7  # along the axis that does not vary
    assert np.diff(scaled, axis=2).min() > 0
