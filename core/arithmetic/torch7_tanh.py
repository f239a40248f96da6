"""The float32 ``tanhf`` of glibc 2.36, which nn.Tanh called on every value.

The C library at hand is not asked: glibc 2.41, musl, macOS and Windows have other roundings. This is the
fdlibm method (Sun Microsystems 1993) in single precision, every operation rounded, nothing fused; equal to
glibc 2.36 for every float32 of magnitude 2^-27 up to 24.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
f32 = np.float32

BLOCK = 1 << 15  # values at a time: the temporaries stay in the cache
ONE, TWO, HALF = f32(1), f32(2), f32(0.5)
LN2_HIGH, LN2_LOW = f32(6.9313812256e-01), f32(9.0580006145e-06)
INVERSE_LN2 = f32(1.4426950216)
Q1, Q2, Q3, Q4, Q5 = map(
    f32, (-3.3333335072e-02, 1.5873016091e-03, -7.9365076090e-05, 4.0082177293e-06, -2.0109921195e-07)
)
SATURATED = f32(22)  # tanh is 1 from here on
LINEAR = f32(2.0**-55)
# Bit patterns of |x| at which expm1f takes another way: 2^-25, ln2 / 2 and 3 ln2 / 2.
TINY, HALF_LN2, THREE_HALVES_LN2 = 0x33000000, 0x3EB17218, 0x3F851592
MANTISSA_BITS, EXPONENT_OF_ONE = 23, 0x7F


def tanh(x: Float32) -> Float32:
    """Of every element; the same shape. The sign of zero, infinities and NaN are as in C."""
    result = np.empty(x.shape, f32)
    values, results = np.ascontiguousarray(x).reshape(-1), result.reshape(-1)
    with np.errstate(all="ignore"):
        for start in range(0, values.size, BLOCK):
            results[start : start + BLOCK] = _tanh(values[start : start + BLOCK])
    return result


def _tanh(x: Float32) -> Float32:
    """Below 1 from expm1(-2|x|), above from expm1(2|x|)."""
    magnitude = np.abs(x)
    below_one = magnitude < ONE
    exponential = _expm1(np.where(below_one, -TWO * magnitude, TWO * np.minimum(magnitude, SATURATED)))
    divisor = exponential + TWO
    result = np.where(below_one, -exponential / divisor, ONE - TWO / divisor)
    result[magnitude >= SATURATED] = ONE
    tiny = magnitude < LINEAR
    if tiny.any():
        result[tiny] = magnitude[tiny] * (ONE + magnitude[tiny])
    return np.copysign(result, x)


def _expm1(x: Float32) -> Float32:
    """exp(x) - 1 for x of -2 up to 44, the arguments of :func:`_tanh`."""
    k, reduced, correction = _reduced(x)
    half = HALF * reduced
    square = reduced * half
    # Nested as in glibc: another grouping gives other bits in 4 of 10,000 values.
    polynomial = ONE + square * (Q1 + square * (Q2 + square * (Q3 + square * (Q4 + square * Q5))))
    t = f32(3) - polynomial * half
    e = square * ((polynomial - t) / (f32(6) - reduced * t))
    unscaled = reduced - (reduced * e - square)
    e = (reduced * (e - correction) - correction) - square
    result = _scaled(reduced, e, k)
    result = np.where(k == 0, unscaled, result)
    return np.where(_bits(np.abs(x)) < TINY, x, result)


def _reduced(x: Float32) -> tuple[NDArray[np.int32], Float32, Float32]:
    """k, r and c with x = k ln2 + r + c, |r| up to ln2 / 2 and c the rounding error of r."""
    size = _bits(np.abs(x))
    sign = np.copysign(ONE, x)
    k = (INVERSE_LN2 * x + sign * HALF).astype(np.int32)  # towards zero
    k = np.where(size < THREE_HALVES_LN2, sign.astype(np.int32), k)
    k[size <= HALF_LN2] = 0
    times = k.astype(f32)
    high, low = x - times * LN2_HIGH, times * LN2_LOW
    reduced = high - low
    return k, reduced, (high - reduced) - low


def _scaled(r: Float32, e: Float32, k: NDArray[np.int32]) -> Float32:
    """2^k (1 + r - e) - 1, in the order that loses least for each k; not for k = 0."""
    rest = e - r
    below = _times_power(_float(_bits(ONE) - (0x1000000 >> np.clip(k, 0, 31))) - rest, k)  # 1 - 2^-k
    power = _float((EXPONENT_OF_ONE - k) << MANTISSA_BITS)  # 2^-k
    result = np.where(k < 23, below, _times_power((r - (e + power)) + ONE, k))
    one = np.where(r < f32(-0.25), -TWO * (e - (r + HALF)), ONE + TWO * (r - e))
    result = np.where(k == 1, one, result)
    result = np.where(k == -1, HALF * (r - e) - HALF, result)
    outside = (k <= -2) | (k > 56)
    return np.where(outside, _times_power(ONE - rest, k) - ONE, result)


def _times_power(y: Float32, k: NDArray[np.int32]) -> Float32:
    """2^k y, by adding k to the exponent's bits."""
    return _float(_bits(y) + (k << MANTISSA_BITS))


def _bits(x: Float32 | np.float32) -> NDArray[np.int32]:
    return x.view(np.int32)  # type: ignore[return-value]


def _float(bits: NDArray[np.int32]) -> Float32:
    return bits.astype(np.int32, copy=False).view(f32)
