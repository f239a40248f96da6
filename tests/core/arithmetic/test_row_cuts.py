"""Products cut between rows, for every remainder of the columns divided by 12."""

import numpy as np
import pytest

from core.arithmetic import blas, torch7_convolution
from core.arithmetic.blas import Matrix, sgemm, sgemm_rows
from core.arithmetic.operations import Window
from core.arithmetic.torch7_convolution import ConvolutionParameters, convolve, convolve_backward
from core.arithmetic.workers import Workers, cut
from tests.support.compare import assert_identical

RNG = np.random.default_rng(13)
reference_kernel = pytest.mark.skipif(
    not blas.blas_build().matches_reference, reason=f"cuts are only used on {blas.REFERENCE_KERNELS}"
)


@pytest.fixture(autouse=True)
def one_thread():
    blas.single_threaded_blas()


def random(*shape):
    return RNG.standard_normal(shape, dtype=np.float32)


@reference_kernel
@pytest.mark.parametrize("tb", [b"n", b"t"])
@pytest.mark.parametrize("n", [*range(1, 13), 18, 23, 32, 45, 56, 128])
def test_every_number_of_columns(n, tb):
    m, k, beta = 640 * 3 + int(RNG.integers(640, 1280)), int(RNG.integers(5, 700)), float(tb == b"n")
    a, b, begin = random(k, m), random(*((n, k) if tb == b"n" else (k, n))), random(n, m)
    whole, pieces = begin.copy(), begin.copy()
    sgemm(b"n", tb, m, n, k, Matrix.of(a), Matrix.of(b), beta, Matrix.of(whole))
    for i, j in cut(m, 4, 640, last=640):
        sgemm_rows(tb, i, k, Matrix.of(a).row(i), Matrix.of(b), beta, pieces[:, i:j])
    assert_identical(pieces, whole)


CASES = [  # nIn, nOut, kernel, stride, padding, height, width
    (16, 3, (9, 9), (1, 1), (4, 4), 60, 97),
    (5, 9, (3, 3), (1, 1), (1, 1), 70, 61),
    (8, 32, (3, 3), (2, 2), (1, 1), 131, 127),
    (3, 23, (2, 5), (1, 2), (0, 1), 90, 133),
    (2, 11, (3, 3), (1, 1), (1, 1), 3, 1500),
    (4, 8, (3, 3), (1, 1), (1, 1), 2000, 1),
]


@reference_kernel
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("threads", [1, 2])
def test_convolutions_cut_into_the_smallest_blocks(case, threads, monkeypatch):
    n_in, n_out, kernel, stride, padding, height, width = case
    window = Window(kernel, stride, padding)
    parameters = ConvolutionParameters(random(n_out, n_in, *kernel), random(n_out))
    x, grad = random(n_in, height, width), random(n_out, *window.output_size(height, width))

    def both(number):
        workers = Workers(number)
        back = convolve_backward(grad, parameters, window, x.shape, workers)
        return convolve(x, parameters, window, workers), back

    monkeypatch.setattr(torch7_convolution, "BLOCK_BYTES", 1 << 40)
    whole = both(1)
    monkeypatch.setattr(torch7_convolution, "BLOCK_BYTES", 1)
    for ours, expected in zip(both(threads), whole, strict=True):
        assert_identical(ours, expected)
