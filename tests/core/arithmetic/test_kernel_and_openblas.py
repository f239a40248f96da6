"""The compiled kernel against SciPy's OpenBLAS, where that has the kernel of the reference runs."""

from functools import partial

import numpy as np
import pytest

from core.arithmetic import blas
from core.arithmetic.kernel import library
from core.arithmetic.kernel.compiled import CompiledProducts
from core.arithmetic.operations import Window
from core.arithmetic.torch7 import Torch7Arithmetic
from core.arithmetic.torch7_products import OpenBlasProducts
from tests.support.compare import assert_identical

RNG = np.random.default_rng(23)
FUNCTIONS = library.load()
pytestmark = [
    pytest.mark.skipif(FUNCTIONS is None, reason="the kernel was not built: there is no C compiler"),
    pytest.mark.skipif(
        not blas.blas_build().matches_reference,
        reason=f"OpenBLAS has another kernel than {blas.REFERENCE_KERNELS}",
    ),
]


def random(*shape):
    return RNG.standard_normal(shape, dtype=np.float32)


@pytest.fixture(scope="module")
def both():
    return Torch7Arithmetic(3, partial(CompiledProducts, FUNCTIONS)), Torch7Arithmetic(2, OpenBlasProducts)


@pytest.mark.parametrize(
    ("n_in", "n_out", "height", "width"),
    [
        (3, 64, 61, 47),
        (64, 64, 47, 64),
        (64, 128, 24, 32),
        (130, 350, 12, 17),
        (21, 13, 30, 7),
        (350, 40, 9, 16),
    ],
)
def test_convolutions(both, n_in, n_out, height, width):
    window, x, grad = (
        Window((3, 3), (1, 1), (1, 1)),
        random(n_in, height, width),
        random(n_out, height, width),
    )
    weight, bias = random(n_out, n_in, 3, 3), random(n_out)
    results = []
    for arithmetic in both:
        parameters = arithmetic.convolution(weight, bias, 1)
        results.append(
            (
                arithmetic.convolve(x, parameters, window),
                arithmetic.convolve_backward(grad, parameters, window, x),
            )
        )
    for ours, theirs in zip(*results, strict=True):
        assert_identical(ours, theirs)


@pytest.mark.parametrize(
    ("channels", "height", "width"), [(64, 61, 80), (130, 24, 31), (340, 12, 16), (5, 3, 2)]
)
def test_gram_matrices(both, channels, height, width):
    x, difference = random(channels, height, width), random(channels, channels)
    ours, theirs = ((a.gram(x), a.gram_backward(x, difference)) for a in both)
    assert_identical(ours[0], theirs[0])
    assert_identical(ours[1], theirs[1])


@pytest.mark.parametrize("size", [1, 31, 32, 33, 1000, 100_007])
def test_dot_and_axpy(both, size):
    x, y = random(size), random(size)
    assert both[0].dot(x, y) == both[1].dot(x, y)
    assert_identical(both[0].axpy_(-1.7, x, y.copy()), both[1].axpy_(-1.7, x, y.copy()))
