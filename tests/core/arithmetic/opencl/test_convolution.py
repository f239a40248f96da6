"""Convolution on the device, forwards and backwards: every bit is that of the processor."""

import numpy as np
import pytest

from core.arithmetic.operations import Window
from tests.support.compare import assert_identical

RNG = np.random.default_rng(23)
# (nIn, nOut, kernel, stride, padding, height, width)
CASES = [
    (3, 64, (3, 3), (1, 1), (1, 1), 45, 61),
    (8, 24, (3, 3), (1, 1), (1, 1), 37, 53),
    (16, 20, (3, 3), (1, 1), (1, 1), 41, 67),
    (7, 13, (3, 3), (1, 1), (1, 1), 12, 9),
    (3, 12, (11, 11), (4, 4), (0, 0), 72, 96),
    (12, 20, (5, 5), (1, 1), (2, 2), 9, 11),
    (5, 28, (1, 1), (1, 1), (0, 0), 50, 40),
    (4, 16, (2, 5), (2, 3), (1, 2), 33, 47),
    (3, 5, (2, 2), (3, 3), (0, 0), 20, 20),
    (40, 330, (3, 3), (1, 1), (1, 1), 9, 11),
    (6, 650, (1, 1), (1, 1), (0, 0), 19, 23),
]


@pytest.mark.parametrize("case", CASES)
def test_both_ways(each_way, theirs, case):
    n_in, n_out, kernel, stride, padding, height, width = case
    window = Window(kernel, stride, padding)
    x = RNG.standard_normal((n_in, height, width), dtype=np.float32)
    weight = RNG.standard_normal((n_out, n_in, *kernel), dtype=np.float32)
    bias = RNG.standard_normal(n_out, dtype=np.float32)
    grad = RNG.standard_normal((n_out, *window.output_size(height, width)), dtype=np.float32)
    here, there = each_way.convolution(weight, bias, 1), theirs.convolution(weight, bias, 1)
    out = each_way.numpy(each_way.convolve(each_way.array(x), here, window))
    assert_identical(out, theirs.convolve(x, there, window))
    back = each_way.convolve_backward(each_way.array(grad), here, window, each_way.array(x))
    assert_identical(each_way.numpy(back), theirs.convolve_backward(grad, there, window, x))
