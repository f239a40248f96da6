"""The arithmetic of Torch7 on a CPU, bit for bit: NumPy, and products in the original's rounding order.

NumPy rounds a Python float to float32 before it combines it with a float32 array. Torch7 does the same with
Lua numbers.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import sys
import warnings
from collections.abc import Callable
from functools import cache
from itertools import repeat
from typing import Any, NamedTuple

import numpy as np

from core.arithmetic import blas, torch7_pooling, torch7_tanh
from core.arithmetic.cores import available_cores
from core.arithmetic.kernel import library
from core.arithmetic.kernel.compiled import CompiledProducts
from core.arithmetic.operations import Window, add_total_variation, sequential_mean_square, sequential_sum
from core.arithmetic.torch7_products import OpenBlasProducts, Products
from core.arithmetic.workers import Float32, Workers
from core.errors import NetworkError


class ProductsInUse(NamedTuple):
    """What computes products here, and whether they have the bits of the reference runs."""

    description: str
    exact: bool


def products_in_use() -> ProductsInUse:
    """Of :func:`best_products` on this machine."""
    functions = library.load()
    if functions:
        return ProductsInUse(f"own kernel, {functions.instructions}", True)
    build = blas.blas_build()
    return ProductsInUse(f"{build.library} {build.version}, kernel {build.kernel}", build.matches_reference)


def best_products(workers: Workers) -> Products:
    """Our own kernel where it was built, else SciPy's OpenBLAS."""
    functions = library.load()
    return CompiledProducts(functions, workers) if functions else OpenBlasProducts(workers)


class Torch7Arithmetic:
    """See :class:`core.arithmetic.operations.Arithmetic`; arrays are C-contiguous float32 NumPy arrays.

    Args:
        threads: number of CPU threads; 0 means all cores. The result does not depend on it.
        products: makes the object that computes products, convolutions and pooling.
    """

    def __init__(self, threads: int = 0, products: Callable[[Workers], Products] = best_products) -> None:
        self.threads = threads or available_cores()
        self._products = products(Workers(self.threads))

    @property
    def unfolds(self) -> bool:
        """Whether convolutions write out all windows before the product, which takes memory."""
        return isinstance(self._products, OpenBlasProducts)

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
        self._products.scaled_sum_(x, factor, y)
        return x

    def divide_(self, x: Float32, divisor: float) -> Float32:
        x /= np.float32(divisor)
        return x

    def axpy_(self, alpha: float, x: Float32, y: Float32) -> Float32:
        self._products.axpy_(alpha, x, y)
        return y

    def dot(self, x: Float32, y: Float32) -> float:
        return self._products.dot(x, y)

    def sum_abs(self, x: Float32) -> float:
        """The float64 sum from left to right, as in Torch7."""
        return sequential_sum(np.abs(x).astype(np.float64).reshape(-1))

    def mean_squared_error(self, x: Float32, target: Float32) -> float:
        return sequential_mean_square(x - target)

    def convolution(self, weight: Float32, bias: Float32, groups: int) -> Any:
        if groups != 1:
            raise NetworkError(
                "grouped convolutions do not run with -arithmetic torch7; use -arithmetic native"
            )
        return self._products.convolution(weight, bias)

    def convolve(self, x: Float32, parameters: Any, window: Window) -> Float32:
        return self._products.convolve(x, parameters, window)

    def convolve_backward(self, grad: Float32, parameters: Any, window: Window, x: Float32) -> Float32:
        return self._products.convolve_backward(grad, parameters, window, x.shape)

    def relu_(self, x: Float32) -> Float32:
        self._products.relu_(x)
        return x

    def mask_(self, grad: Float32, output: Float32) -> Float32:
        self._products.mask_(grad, output)
        return grad

    def max_pool(self, x: Float32, window: Window) -> tuple[Float32, Any]:
        return self._products.max_pool(x, window)

    def max_pool_backward(self, grad: Float32, where: Any, x: Float32, window: Window) -> Float32:
        return self._products.max_pool_backward(grad, where, x, window)

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
        _warn_of_linear()
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
        return self._products.gram(x)

    def gram_backward(self, x: Float32, grad: Float32) -> Float32:
        return self._products.gram_backward(x, grad)

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


@cache
def _warn_of_linear() -> None:
    """The order of matrix-vector products is OpenBLAS's own; the compiled kernel has none."""
    build = blas.blas_build()
    if not build.matches_reference:
        warnings.warn(
            f"this network has fully connected layers, whose products {build.library} computes with kernel "
            f"{build.kernel}; the reference runs used {blas.REFERENCE_KERNELS[0]}, so the result differs",
            stacklevel=2,
        )


def _math_library() -> str | None:
    """The library with the C mathematics; None is the process itself, which has it on some systems."""
    return "ucrtbase" if sys.platform == "win32" else ctypes.util.find_library("m")


@cache
def _libm_function(name: str, arguments: int) -> Callable[..., float]:
    """A float32 function of the C library's libm, which Torch7 calls for every element."""
    function = ctypes.CDLL(_math_library())[name]
    function.restype, function.argtypes = ctypes.c_float, [ctypes.c_float] * arguments
    return function


def _libm(name: str, x: Float32, *constants: float) -> Float32:
    """Call a libm function for every element. NumPy's vector versions differ in the last bit on AVX-512.

    This is slow. Only local response normalisation and Sigmoid use it; VGG and NIN have neither.
    """
    function = _libm_function(name, 1 + len(constants))
    values = map(function, x.ravel().tolist(), *map(repeat, constants))
    return np.fromiter(values, np.float32, x.size).reshape(x.shape)
