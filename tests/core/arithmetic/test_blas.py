"""Splitting a product over threads changes no bit: random shapes, both rules of the BLAS module."""

from pathlib import Path

import numpy as np
import pytest

from core.arithmetic import blas
from core.arithmetic.blas import COLUMN_CUT, ROW_CUT, Matrix, sgemm
from core.arithmetic.workers import cut

RNG = np.random.default_rng(7)
reference_kernel = pytest.mark.skipif(
    not blas.blas_build().matches_reference, reason=f"cuts are only used on {blas.REFERENCE_KERNELS}"
)


@pytest.fixture(autouse=True)
def one_thread():
    blas.single_threaded_blas()


def random(*shape):
    return RNG.standard_normal(shape, dtype=np.float32)


@reference_kernel
@pytest.mark.parametrize("case", range(25))
def test_rows_cut_at_640_keep_every_bit(case):
    m, k = int(RNG.integers(1300, 5000)), int(RNG.integers(5, 700))
    n = 12 * int(RNG.integers(1, 16)) + 4 * (case % 2)
    tb = b"t" if case % 3 == 0 else b"n"
    a, b, start = random(k, m), random(*((k, n) if tb == b"t" else (n, k))), random(n, m)
    whole, pieces = start.copy(), start.copy()
    sgemm(b"n", tb, m, n, k, Matrix.of(a), Matrix.of(b), 1.0, Matrix.of(whole))
    for i, j in cut(m, 3, ROW_CUT, last=ROW_CUT):
        sgemm(b"n", tb, j - i, n, k, Matrix.of(a).row(i), Matrix.of(b), 1.0, Matrix.of(pieces).row(i))
    assert np.array_equal(whole, pieces)


@reference_kernel
@pytest.mark.parametrize("case", range(25))
def test_columns_cut_at_12_keep_every_bit(case):
    m, n, k = int(RNG.integers(3, 900)), int(RNG.integers(13, 300)), int(RNG.integers(5, 700))
    a, b, start = random(k, m), random(n, k), random(n, m)
    whole, pieces = start.copy(), start.copy()
    sgemm(b"n", b"n", m, n, k, Matrix.of(a), Matrix.of(b), 1.0, Matrix.of(whole))
    for i, j in cut(n, 2 + case % 3, COLUMN_CUT):
        sgemm(b"n", b"n", m, j - i, k, Matrix.of(a), Matrix.of(b).column(i), 1.0, Matrix.of(pieces).column(i))
    assert np.array_equal(whole, pieces)


@pytest.mark.parametrize(
    ("size", "pieces", "multiple", "last", "expected"),
    [
        (128, 2, 12, 1, [(0, 72), (72, 128)]),
        (10, 2, 12, 1, [(0, 10)]),
        (2000, 2, 640, 640, [(0, 1280), (1280, 2000)]),
        (1900, 2, 640, 640, [(0, 1900)]),
        (49152, 1, 640, 640, [(0, 49152)]),
    ],
)
def test_cut(size, pieces, multiple, last, expected):
    assert cut(size, pieces, multiple, last) == expected


def test_saxpy_and_sdot_agree_with_scipy():
    from scipy.linalg.blas import saxpy, sdot

    x, y = random(1001), random(1001)
    expected = saxpy(x, y.copy(), a=0.37)
    assert blas.sdot(x, y) == float(sdot(x, y))
    blas.saxpy(0.37, x, y)
    assert np.array_equal(y, expected)


def test_a_fully_connected_layer_tells_of_another_kernel(monkeypatch):
    from core.arithmetic import torch7

    build = blas.BlasBuild("openblas", "0.3.30", "SkylakeX")
    monkeypatch.setattr(blas, "blas_build", lambda: build)
    torch7._warn_of_linear.cache_clear()
    try:
        with pytest.warns(UserWarning, match="fully connected layers.*SkylakeX"):
            torch7.Torch7Arithmetic(1).linear(random(3), random(2, 3), random(2))
    finally:
        torch7._warn_of_linear.cache_clear()


@pytest.mark.skipif(
    not Path("/proc/cpuinfo").is_file(), reason="this system has no /proc/cpuinfo to compare with"
)
def test_the_processor_is_asked_through_numpy():
    features = blas.processor_features()
    flags = Path("/proc/cpuinfo").read_text().partition("flags")[2].partition("\n")[0].split()
    assert blas.has_avx2_and_fma(features) == ("avx2" in flags and "fma" in flags)


@pytest.mark.parametrize(
    ("features", "found"),
    [
        ({}, False),
        ({"AVX2": True}, False),
        ({"AVX2": True, "FMA3": False}, False),
        ({"AVX2": True, "FMA3": True}, True),
        ({"X86_V3": True}, True),
        ({"NEON": True}, False),
    ],
)
def test_which_processors_have_avx2_and_fma(features, found):
    assert blas.has_avx2_and_fma(features) == found
