"""The operations whose rounding decides the picture: what layers, losses and optimisers are written in.

Two classes provide them: :class:`core.arithmetic.torch7.Torch7Arithmetic` (NumPy and OpenBLAS, the bits of
Torch7 on a CPU) and :class:`core.arithmetic.native.NativeArithmetic` (PyTorch on any device). Everything
above this seam is written once. Images and feature maps are float32 with shape (C, H, W); an ``Array`` is a
NumPy array or a tensor, whichever the arithmetic works on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = Any


@dataclass(frozen=True)
class Window:
    """A sliding window: kernel, stride and zero padding as (vertical, horizontal) pairs of pixels."""

    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)

    def output_size(self, height: int, width: int, *, ceil: bool = False) -> tuple[int, int]:
        """Size of the output for an input of height x width (may be <= 0 where the input is too small).

        Matches nn.SpatialConvolution (floor) and nn.SpatialMaxPooling / nn.SpatialAveragePooling: with
        padding, a last window that would start in the padding beyond the input is dropped.
        """
        (kh, kw), (sh, sw), (ph, pw) = self.kernel, self.stride, self.padding
        return (_positions(height, kh, sh, ph, ceil), _positions(width, kw, sw, pw, ceil))


def _positions(size: int, kernel: int, stride: int, padding: int, ceil: bool) -> int:
    span = size - kernel + 2 * padding
    count = (-(-span // stride) if ceil else span // stride) + 1
    if ceil and padding > 0 and (count - 1) * stride >= size + padding:
        count -= 1
    return count


class Arithmetic(Protocol):
    """All operations take and return arrays of one device; ``out`` style arguments are changed in place."""

    def array(self, values: NDArray[np.float32]) -> Array:
        """A copy of ``values`` on this arithmetic's device."""

    def receive(self, x: Array) -> Array:
        """``x`` itself, or its copy from another device of the same arithmetic."""

    def numpy(self, x: Array) -> NDArray[np.float32]:
        """A copy of ``x`` as a C-contiguous NumPy array."""

    def copy(self, x: Array) -> Array:
        """A copy of ``x``."""

    def zeros_like(self, x: Array) -> Array:
        """Zeros with the shape of ``x``."""

    def scaled(self, x: Array, factor: float) -> Array:
        """``x`` times float32(``factor``), a new array."""

    def scale_(self, x: Array, factor: float) -> Array:
        """``x`` times float32(``factor``), in place."""

    def scaled_sum_(self, x: Array, factor: float, y: Array) -> Array:
        """``float32(factor) x + y``; one of the two arrays holds the result."""

    def divide_(self, x: Array, divisor: float) -> Array:
        """``x`` divided by float32(``divisor``), in place."""

    def axpy_(self, alpha: float, x: Array, y: Array) -> Array:
        """``y += float32(alpha) x``; returns y."""

    def dot(self, x: Array, y: Array) -> float:
        """The dot product of all elements, rounded to float32."""

    def sum_abs(self, x: Array) -> float:
        """The float64 sum of absolute values."""

    def mean_squared_error(self, x: Array, target: Array) -> Any:
        """The float32 mean of squared differences; a device scalar, ``float()`` makes a number of it."""

    def convolution(self, weight: NDArray[np.float32], bias: NDArray[np.float32], groups: int) -> Array:
        """Prepare (nOut, nIn / groups, kh, kw) weights and (nOut,) bias for :meth:`convolve`."""

    def convolve(self, x: Array, parameters: Array, window: Window) -> Array:
        """Cross-correlation of (nIn, H, W) to (nOut, H', W')."""

    def convolve_backward(self, grad: Array, parameters: Array, window: Window, x: Array) -> Array:
        """Gradient with respect to the input ``x``, of which only the shape counts."""

    def relu_(self, x: Array) -> Array:
        """``max(x, 0)`` in place."""

    def mask_(self, grad: Array, output: Array) -> Array:
        """Zero ``grad`` in place wherever ``output`` <= 0."""

    def max_pool(self, x: Array, window: Window) -> tuple[Array, Array]:
        """Ceil-mode maximum, and what :meth:`max_pool_backward` needs to find each maximum."""

    def max_pool_backward(self, grad: Array, where: Array, x: Array, window: Window) -> Array:
        """Gradient with respect to the input ``x``: to the first maximum of each window."""

    def average_pool(self, x: Array, window: Window, ceil: bool) -> Array:
        """Mean over each window clipped to the padded input."""

    def average_pool_backward(self, grad: Array, x: Array, window: Window, ceil: bool) -> Array:
        """Gradient of :meth:`average_pool` with respect to its input ``x``."""

    def response_norm(self, x: Array, size: int, alpha: float, beta: float, k: float) -> tuple[Array, Array]:
        """Cross-map response normalisation, and its scale map."""

    def response_norm_backward(
        self, grad: Array, x: Array, output: Array, scale: Array, size: int, alpha: float, beta: float
    ) -> Array:
        """Gradient of :meth:`response_norm` with respect to ``x``."""

    def linear(self, x: Array, weight: Array, bias: Array) -> Array:
        """``weight x + bias`` for x of shape (nIn,)."""

    def linear_backward(self, grad: Array, weight: Array) -> Array:
        """``weight^T grad``."""

    def tanh(self, x: Array) -> Array:
        """Hyperbolic tangent."""

    def sigmoid(self, x: Array) -> Array:
        """Logistic function."""

    def softmax(self, x: Array) -> Array:
        """Softmax over the first axis."""

    def gram(self, x: Array) -> Array:
        """``F F^T`` for the (C, H W) matrix F of a (C, H, W) feature map; shape (C, C)."""

    def gram_backward(self, x: Array, grad: Array) -> Array:
        """``grad F + grad^T F`` with shape (C, H, W), for ``grad`` of shape (C, C)."""

    def adam_step_(self, x: Array, m: Array, v: Array, g: Array, beta2: float, step: float) -> None:
        """``v = beta2 v + (1 - beta2) g^2`` and ``x -= step m / (sqrt(v) + 1e-8)``, in place."""


def sequential_mean_square(difference: NDArray[np.float32]) -> float:
    """Mean of squares, ``difference`` being overwritten.

    Kept: a strict left-to-right float32 sum (THNN MSECriterion on the CPU), 0.7 % low on ten million
    elements.
    """
    squares = difference.reshape(-1)
    squares *= squares
    return float(np.float32(sequential_sum(squares)) / np.float32(squares.size))


def sequential_sum(values: NDArray[Any]) -> float:
    """The sum from left to right, every partial sum rounded to the dtype of the 1-D ``values``.

    NumPy's ``add.reduce`` adds in pairs and ``cumsum`` is six times slower; ``subtract.reduce`` takes one
    after the other, and subtracting from zero rounds as adding does.
    """
    return 0.0 - float(np.subtract.reduce(values, initial=values.dtype.type(0)))  # 0, not -0
