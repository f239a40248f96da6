"""The operations that layers, losses and optimisers use. Their rounding determines the result.

Three classes implement them: :class:`core.arithmetic.torch7.Torch7Arithmetic` (the bits of Torch7 on a CPU),
:class:`core.arithmetic.opencl.arithmetic.OpenClArithmetic` (the same bits on an OpenCL device) and
:class:`core.arithmetic.native.NativeArithmetic` (PyTorch on any device). All other code is the same for all.
Images and feature maps are float32 with shape (C, H, W). An ``Array`` is a NumPy array, a PyTorch tensor or
an array on an OpenCL device, depending on the arithmetic.
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
        """Size of the output for an input of height x width. May be <= 0 if the input is too small.

        Matches nn.SpatialConvolution (floor), nn.SpatialMaxPooling and nn.SpatialAveragePooling. If there
        is padding, a last window that would start in the padding beyond the input is dropped.
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
    """All operations take and return arrays on one device. Names that end in ``_`` change arrays in place."""

    def array(self, values: NDArray[np.float32]) -> Array:
        """A copy of ``values`` on this arithmetic's device."""

    def receive(self, x: Array) -> Array:
        """``x`` if it is on this device, else a copy of ``x`` on this device."""

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
        """``float32(factor) x + y``. The result overwrites ``x`` or ``y``."""

    def divide_(self, x: Array, divisor: float) -> Array:
        """``x`` divided by float32(``divisor``), in place."""

    def axpy_(self, alpha: float, x: Array, y: Array) -> Array:
        """``y += float32(alpha) x``; returns y."""

    def dot(self, x: Array, y: Array) -> float:
        """The dot product of all elements, rounded to float32."""

    def sum_abs(self, x: Array) -> float:
        """The float64 sum of absolute values."""

    def mean_squared_error(self, x: Array, target: Array) -> Any:
        """The float32 mean of squared differences. A scalar on the device; ``float()`` converts it."""

    def convolution(self, weight: NDArray[np.float32], bias: NDArray[np.float32], groups: int) -> Array:
        """Prepare (nOut, nIn / groups, kh, kw) weights and (nOut,) bias for :meth:`convolve`."""

    def convolve(self, x: Array, parameters: Array, window: Window) -> Array:
        """Cross-correlation of ``x`` (nIn, H, W). Returns (nOut, H', W')."""

    def convolve_backward(self, grad: Array, parameters: Array, window: Window, x: Array) -> Array:
        """Gradient with respect to the input ``x``. Only the shape of ``x`` is used."""

    def relu_(self, x: Array) -> Array:
        """``max(x, 0)`` in place."""

    def mask_(self, grad: Array, output: Array) -> Array:
        """Zero ``grad`` in place wherever ``output`` <= 0."""

    def max_pool(self, x: Array, window: Window) -> tuple[Array, Array]:
        """Maximum of each window (ceil mode), and the ``where`` argument of :meth:`max_pool_backward`."""

    def max_pool_backward(self, grad: Array, where: Array, x: Array, window: Window) -> Array:
        """Gradient with respect to the input ``x``. Each window's gradient goes to its first maximum."""

    def average_pool(self, x: Array, window: Window, ceil: bool) -> Array:
        """Mean of each window, clipped to the padded input."""

    def average_pool_backward(self, grad: Array, x: Array, window: Window, ceil: bool) -> Array:
        """Gradient of :meth:`average_pool` with respect to its input ``x``."""

    def response_norm(self, x: Array, size: int, alpha: float, beta: float, k: float) -> tuple[Array, Array]:
        """Local response normalisation across channels, and its scale map."""

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

    def total_variation(self, x: Array) -> Array:
        """The gradient of half the sum of squared differences to the right and lower neighbours.

        Kept: neither the last row nor the last column of (C, H, W) starts a difference.
        """

    def adam_step_(self, x: Array, m: Array, v: Array, g: Array, beta2: float, step: float) -> None:
        """``v = beta2 v + (1 - beta2) g^2`` and ``x -= step m / (sqrt(v) + 1e-8)``, in place."""


def add_total_variation(x: Array, gradient: Array) -> Array:
    """Add :meth:`Arithmetic.total_variation` of ``x`` to ``gradient`` in Torch7's order; returns gradient."""
    block = x[:, :-1, :-1]
    dx, dy = block - x[:, :-1, 1:], block - x[:, 1:, :-1]
    gradient[:, :-1, :-1] += dx
    gradient[:, :-1, :-1] += dy
    gradient[:, :-1, 1:] -= dx
    gradient[:, 1:, :-1] -= dy
    return gradient


def sequential_mean_square(difference: NDArray[np.float32]) -> float:
    """Mean of the squares of ``difference``, which is overwritten.

    Matches a quirk of the original: THNN MSECriterion on the CPU sums from left to right in float32, so
    that the result is 0.7 % too low for ten million elements.
    """
    squares = difference.reshape(-1)
    squares *= squares
    return float(np.float32(sequential_sum(squares)) / np.float32(squares.size))


def sequential_sum(values: NDArray[Any]) -> float:
    """The sum of the 1-D ``values`` from left to right. Every partial sum is rounded to their dtype.

    NumPy's ``add.reduce`` adds in pairs, and ``cumsum`` is six times slower. ``subtract.reduce`` goes
    from left to right, and subtracting from zero rounds like adding.
    """
    return 0.0 - float(np.subtract.reduce(values, initial=values.dtype.type(0)))  # 0, not -0
