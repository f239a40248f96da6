"""The arithmetic of Torch7 on a CPU, bit for bit. Uses NumPy element by element and OpenBLAS for products.

NumPy rounds a Python float to float32 before it combines it with a float32 array. Torch7 does the same with
Lua numbers.
"""

from __future__ import annotations

import ctypes
import ctypes.util
from collections.abc import Callable
from functools import cache, partial
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.arithmetic import blas, torch7_pooling, torch7_tanh
from core.arithmetic.blas import COLUMN_CUT, Float32, Matrix, Workers, sgemm
from core.arithmetic.cores import available_cores
from core.arithmetic.operations import Window, add_total_variation, sequential_mean_square, sequential_sum
from core.arithmetic.torch7_convolution import ConvolutionParameters, convolve, convolve_backward
from core.errors import NetworkError

CHANNELS_AT_ONCE = 8


class Torch7Arithmetic:
    """See :class:`core.arithmetic.operations.Arithmetic`; arrays are C-contiguous float32 NumPy arrays.

    Args:
        threads: number of CPU threads; 0 means all cores. The result does not depend on it.
    """

    def __init__(self, threads: int = 0) -> None:
        blas.single_threaded_blas()
        self.threads = threads or available_cores()
        self._workers = Workers(self.threads)

    def array(self, values: Float32) -> Float32:
        return np.array(values, np.float32, order="C")

    def receive(self, x: Float32) -> Float32:
        return x

    def numpy(self, x: Float32) -> Float32:
        return x.copy()

    def copy(self, x: Float32) -> Float32:
        return x.copy()

    def zeros_like(self, x: Float32) -> Float32:
        return np.zeros_like(x)

    def scaled(self, x: Float32, factor: float) -> Float32:
        return x * np.float32(factor)

    def scale_(self, x: Float32, factor: float) -> Float32:
        x *= np.float32(factor)
        return x

    def scaled_sum_(self, x: Float32, factor: float, y: Float32) -> Float32:
        x *= np.float32(factor)
        x += y
        return x

    def divide_(self, x: Float32, divisor: float) -> Float32:
        x /= np.float32(divisor)
        return x

    def axpy_(self, alpha: float, x: Float32, y: Float32) -> Float32:
        blas.saxpy(alpha, x, y)
        return y

    def dot(self, x: Float32, y: Float32) -> float:
        return blas.sdot(x, y)

    def sum_abs(self, x: Float32) -> float:
        """The float64 sum from left to right, as in Torch7."""
        return sequential_sum(np.abs(x).astype(np.float64).reshape(-1))

    def mean_squared_error(self, x: Float32, target: Float32) -> float:
        return sequential_mean_square(x - target)

    def convolution(self, weight: Float32, bias: Float32, groups: int) -> ConvolutionParameters:
        if groups != 1:
            raise NetworkError(
                "grouped convolutions do not run with -arithmetic torch7; use -arithmetic native"
            )
        return ConvolutionParameters(self.array(weight), self.array(bias))

    def convolve(self, x: Float32, parameters: ConvolutionParameters, window: Window) -> Float32:
        return convolve(x, parameters, window, self._workers)

    def convolve_backward(
        self, grad: Float32, parameters: ConvolutionParameters, window: Window, x: Float32
    ) -> Float32:
        return convolve_backward(grad, parameters, window, x.shape, self._workers)

    def relu_(self, x: Float32) -> Float32:
        self._over_channels(x.shape[0], lambda part: np.maximum(x[part], 0, out=x[part]))
        return x

    def mask_(self, grad: Float32, output: Float32) -> Float32:
        self._over_channels(grad.shape[0], lambda part: _keep(grad[part].view(np.int32), output[part] <= 0))
        return grad

    def max_pool(self, x: Float32, window: Window) -> tuple[Float32, Float32]:
        """Returns the maxima and a copy for the backward pass, because an in-place ReLU may follow."""
        size = window.output_size(*x.shape[1:], ceil=True)
        out = np.empty((x.shape[0], *size), np.float32)

        def pool(part: slice) -> None:
            out[part] = torch7_pooling.max_pool(x[part], window, size)

        self._over_channels(x.shape[0], pool)
        return out, out.copy()

    def max_pool_backward(self, grad: Float32, where: Float32, x: Float32, window: Window) -> Float32:
        out = np.empty_like(x)

        def spread(part: slice) -> None:
            out[part] = torch7_pooling.max_pool_backward(grad[part], where[part], x[part], window)

        self._over_channels(x.shape[0], spread)
        return out

    def average_pool(self, x: Float32, window: Window, ceil: bool) -> Float32:
        return torch7_pooling.average_pool(x, window, window.output_size(*x.shape[1:], ceil=ceil))

    def average_pool_backward(self, grad: Float32, x: Float32, window: Window, ceil: bool) -> Float32:
        return torch7_pooling.average_pool_backward(grad, x, window)

    def response_norm(
        self, x: Float32, size: int, alpha: float, beta: float, k: float
    ) -> tuple[Float32, Float32]:
        """Matches nn.SpatialCrossMapLRN: a running sum adds the next channel and subtracts the oldest."""
        squares = x * x
        channels, reach = len(x), (size - 1) // 2 + 1
        scale = np.zeros_like(x)
        for c in range(min(reach, channels)):
            scale[0] += squares[c]
        for c in range(1, channels):
            scale[c] = scale[c - 1]
            if c + reach <= channels:
                scale[c] += squares[c + reach - 1]
            if c >= reach:
                scale[c] -= squares[c - reach]
        scale *= np.float32(alpha / size)
        scale += np.float32(k)
        return _libm("powf", scale, -beta) * x, scale

    def response_norm_backward(
        self, grad: Float32, x: Float32, output: Float32, scale: Float32, size: int, alpha: float, beta: float
    ) -> Float32:
        """Matches nn.SpatialCrossMapLRN:updateGradInput, including its running sums."""
        channels, factor = len(x), np.float32(-2 * alpha * beta / size)
        before = size - (size - 1) // 2 - 1
        ratio = np.zeros((channels + size - 1, *x.shape[1:]), np.float32)
        ratio[before : before + channels] = (grad * output) / scale
        result: Float32 = _libm("powf", scale, -beta) * grad
        total = np.zeros(x.shape[1:], np.float32)
        for c in range(size - 1):
            total += ratio[c]
        for c in range(channels):
            total += ratio[c + size - 1]
            result[c] += (factor * x[c]) * total
            total -= ratio[c]
        return result

    def linear(self, x: Float32, weight: Float32, bias: Float32) -> Float32:
        out = bias.copy()
        blas.sgemv(False, weight, x, 1.0, out)
        return out

    def linear_backward(self, grad: Float32, weight: Float32) -> Float32:
        out = np.zeros(weight.shape[1], np.float32)
        blas.sgemv(True, weight, grad, 0.0, out)
        return out

    def tanh(self, x: Float32) -> Float32:
        return torch7_tanh.tanh(x)

    def sigmoid(self, x: Float32) -> Float32:
        return np.float32(1) / (np.float32(1) + _libm("expf", -x))

    def softmax(self, x: Float32) -> Float32:
        exponentials = np.exp((x - x.max(0)).astype(np.float64))
        result: Float32 = (exponentials / exponentials.sum(0)).astype(np.float32)
        return result

    def gram(self, x: Float32) -> Float32:
        channels, positions = x.shape[0], x[0].size
        out = np.empty((channels, channels), np.float32)
        features, result = Matrix.of(x.reshape(channels, positions)), Matrix.of(out)
        self._over_columns(
            channels,
            lambda i, j: sgemm(
                b"t", b"n", channels, j - i, positions, features, features.column(i), 0.0, result.column(i)
            ),
        )
        return out

    def gram_backward(self, x: Float32, grad: Float32) -> Float32:
        channels, positions = x.shape[0], x[0].size
        out = np.empty_like(x)
        features, result = Matrix.of(x.reshape(channels, positions)), Matrix.of(out.reshape(channels, -1))
        grads = Matrix.of(grad)

        def columns(i: int, j: int) -> None:
            size = (positions, j - i, channels)
            sgemm(b"n", b"n", *size, features, grads.column(i), 0.0, result.column(i))
            sgemm(b"n", b"t", *size, features, grads.row(i), 1.0, result.column(i))

        self._over_columns(channels, columns)
        return out

    def total_variation(self, x: Float32) -> Float32:
        gradient: Float32 = add_total_variation(x, np.zeros_like(x))
        return gradient

    def adam_step_(self, x: Float32, m: Float32, v: Float32, g: Float32, beta2: float, step: float) -> None:
        """As in optim.adam, 1e-8 is added before the bias correction, which is part of ``step``."""
        v *= np.float32(beta2)
        v += (np.float32(1 - beta2) * g) * g
        denominator = np.sqrt(v)
        denominator += np.float32(1e-8)
        x += (np.float32(-step) * m) / denominator

    def _over_channels(self, channels: int, piece: Callable[[slice], Any]) -> None:
        """Divide element-wise work among the threads, in ranges of channels that fit the cache."""
        pieces = max(self.threads, channels // CHANNELS_AT_ONCE)
        self._workers.run(partial(piece, slice(i, j)) for i, j in blas.cut(channels, pieces, 1))

    def _over_columns(self, columns: int, piece: Callable[[int, int], None]) -> None:
        """Divide a product among the threads, split between columns where this changes no bit."""
        pieces = self.threads if blas.blas_build().matches_reference else 1
        self._workers.run(partial(piece, i, j) for i, j in blas.cut(columns, pieces, COLUMN_CUT))


def _keep(bits: NDArray[np.int32], drop: NDArray[np.bool_]) -> None:
    """Set float32 values (given as their bits) to zero where ``drop`` is true, also NaN and infinity."""
    bits &= drop.view(np.int8).astype(np.int32) - 1


@cache
def _libm_function(name: str, arguments: int) -> Callable[..., float]:
    """A float32 function of the C library's libm, which Torch7 calls for every element."""
    function = ctypes.CDLL(ctypes.util.find_library("m"))[name]
    function.restype, function.argtypes = ctypes.c_float, [ctypes.c_float] * arguments
    return function


def _libm(name: str, x: Float32, *constants: float) -> Float32:
    """Call a libm function for every element. NumPy's vector versions differ in the last bit on AVX-512.

    This is slow. Only local response normalisation and Sigmoid use it; VGG and NIN have neither.
    """
    function = _libm_function(name, 1 + len(constants))
    values = map(function, x.ravel().tolist(), *map(repeat, constants))
    return np.fromiter(values, np.float32, x.size).reshape(x.shape)
