"""What Torch7's arithmetic leaves to compiled code, and one implementation: SciPy's OpenBLAS and NumPy."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from core.arithmetic import blas, torch7_pooling
from core.arithmetic.blas import COLUMN_CUT, Matrix, sgemm
from core.arithmetic.operations import Window
from core.arithmetic.torch7_convolution import ConvolutionParameters, convolve, convolve_backward
from core.arithmetic.workers import Float32, Workers, cut

CHANNELS_AT_ONCE = 8


class Products(Protocol):
    """Operations of :class:`core.arithmetic.operations.Arithmetic` on C-contiguous float32 NumPy arrays."""

    def dot(self, x: Float32, y: Float32) -> float:
        """The dot product of all elements, rounded to float32."""

    def axpy_(self, alpha: float, x: Float32, y: Float32) -> None:
        """``y += float32(alpha) x``."""

    def scaled_sum_(self, x: Float32, factor: float, y: Float32) -> None:
        """``x = float32(factor) x + y``."""

    def relu_(self, x: Float32) -> None:
        """``max(x, 0)`` in place."""

    def mask_(self, grad: Float32, output: Float32) -> None:
        """Zero ``grad`` in place wherever ``output`` <= 0."""

    def convolution(self, weight: Float32, bias: Float32) -> Any:
        """Prepare (nOut, nIn, kh, kw) weights and (nOut,) bias for :meth:`convolve`."""

    def convolve(self, x: Float32, parameters: Any, window: Window) -> Float32:
        """Cross-correlation of (nIn, H, W) to (nOut, H', W')."""

    def convolve_backward(
        self, grad: Float32, parameters: Any, window: Window, shape: tuple[int, ...]
    ) -> Float32:
        """Gradient at an input of ``shape`` (nIn, H, W)."""

    def max_pool(self, x: Float32, window: Window) -> tuple[Float32, Any]:
        """Ceil-mode maximum, and what :meth:`max_pool_backward` needs to find each maximum."""

    def max_pool_backward(self, grad: Float32, where: Any, x: Float32, window: Window) -> Float32:
        """Gradient with respect to the input ``x``: to the first maximum of each window."""

    def gram(self, x: Float32) -> Float32:
        """``F F^T`` for the (C, H W) matrix F of ``x`` (C, H, W)."""

    def gram_backward(self, x: Float32, grad: Float32) -> Float32:
        """``grad F + grad^T F`` with shape (C, H, W)."""


class OpenBlasProducts:
    """See :class:`Products`. The bits are the original's only on OpenBLAS's Haswell and Zen kernels."""

    def __init__(self, workers: Workers) -> None:
        blas.single_threaded_blas()
        self._workers = workers

    def dot(self, x: Float32, y: Float32) -> float:
        return blas.sdot(x, y)

    def axpy_(self, alpha: float, x: Float32, y: Float32) -> None:
        blas.saxpy(alpha, x, y)

    def scaled_sum_(self, x: Float32, factor: float, y: Float32) -> None:
        x *= np.float32(factor)
        x += y

    def relu_(self, x: Float32) -> None:
        self._over_channels(x.shape[0], lambda part: np.maximum(x[part], 0, out=x[part]))

    def mask_(self, grad: Float32, output: Float32) -> None:
        self._over_channels(grad.shape[0], lambda part: _keep(grad[part].view(np.int32), output[part] <= 0))

    def convolution(self, weight: Float32, bias: Float32) -> ConvolutionParameters:
        return ConvolutionParameters(np.array(weight, np.float32, order="C"), np.array(bias, np.float32))

    def convolve(self, x: Float32, parameters: ConvolutionParameters, window: Window) -> Float32:
        return convolve(x, parameters, window, self._workers)

    def convolve_backward(
        self, grad: Float32, parameters: ConvolutionParameters, window: Window, shape: tuple[int, ...]
    ) -> Float32:
        return convolve_backward(grad, parameters, window, shape, self._workers)

    def max_pool(self, x: Float32, window: Window) -> tuple[Float32, Float32]:
        """The maxima are found again by a copy of them, as an in-place ReLU may follow."""
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

    def _over_channels(self, channels: int, piece: Callable[[slice], Any]) -> None:
        """Spread element-wise work over the threads, in channel ranges that fit the cache."""
        pieces = max(self._workers.threads, channels // CHANNELS_AT_ONCE)
        self._workers.run(partial(piece, slice(i, j)) for i, j in cut(channels, pieces, 1))

    def _over_columns(self, columns: int, piece: Callable[[int, int], None]) -> None:
        """Spread a product over the threads, cut between columns where no bit changes."""
        pieces = self._workers.threads if blas.blas_build().matches_reference else 1
        self._workers.run(partial(piece, i, j) for i, j in cut(columns, pieces, COLUMN_CUT))


def _keep(bits: NDArray[np.int32], drop: NDArray[np.bool_]) -> None:
    """Zero float32 values (given as their bits) where ``drop``, whatever they are: NaN and infinity too."""
    bits &= drop.view(np.int8).astype(np.int32) - 1
