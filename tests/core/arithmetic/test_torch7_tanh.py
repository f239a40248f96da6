"""tanh with the bits of glibc 2.36, whatever C library is here."""

import ctypes
import hashlib
import platform

import numpy as np
import pytest

from core.arithmetic.torch7_tanh import tanh
from tests.support.compare import assert_identical

# Of tanhf of glibc 2.36 for the bit patterns 0x32000000 (2^-27), and every 997th behind it up to 24.
SAMPLE = np.arange(0x32000000, 0x41C00000, 997, dtype=np.int32).view(np.float32)
SHA256 = "5e761d05f48eebf3ecf12a027ad7c39ee773f82be00b75c48ec84446d74f0396"


def test_every_997th_value():
    found = tanh(SAMPLE)
    assert hashlib.sha256(found.tobytes()).hexdigest() == SHA256
    assert_identical(tanh(-SAMPLE), -found)


@pytest.mark.skipif(platform.libc_ver() != ("glibc", "2.36"), reason="another C library than glibc 2.36")
def test_the_c_library():
    function = ctypes.CDLL("libm.so.6").tanhf
    function.restype, function.argtypes = ctypes.c_float, [ctypes.c_float]
    values = np.random.default_rng(5).choice(SAMPLE, 20_000)
    expected = np.fromiter(map(function, values.tolist()), np.float32, values.size)
    assert_identical(tanh(values), expected)


def test_ends_of_the_range():
    values = np.float32(
        [0, -0.0, np.inf, -np.inf, 1e-45, -1e-45, 2.0**-56, -(2.0**-56), 22, -22, 21.999, 1e30]
    )
    found = tanh(values)
    assert found.tolist() == [0, 0, 1, -1, *values[4:8].tolist(), 1, -1, 1, 1]
    assert np.signbit(found).tolist() == np.signbit(values).tolist()
    assert np.isnan(tanh(np.float32([np.nan]))[0])


def test_shape_and_input_stay():
    values = np.random.default_rng(6).normal(size=(3, 40, 70)).astype(np.float32)[:, ::2]
    before = values.copy()
    assert tanh(values).shape == (3, 20, 70)
    assert_identical(values, before)
    assert np.abs(tanh(values) - np.tanh(values.astype(np.float64))).max() < 1.5e-7
