"""The products of Torch7's arithmetic by the compiled kernel: the same bits on every processor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import ceil, gcd, prod
from typing import Any

import numpy as np

from core.arithmetic import torch7_pooling
from core.arithmetic.kernel import elementwise, products
from core.arithmetic.kernel.elementwise import NOWHERE
from core.arithmetic.kernel.library import Functions
from core.arithmetic.kernel.products import PANEL, Packed
from core.arithmetic.operations import Window
from core.arithmetic.workers import Float32, Workers, cut

TALL = 40  # rows of a strip from which computing those around it twice costs less than packing twice
SMALL = 1 << 15  # elements that one thread is done with before another has woken up


@dataclass(frozen=True)
class PackedConvolution:
    """Weights (nOut, nIn, kh, kw), packed for both directions, and the bias (nOut,)."""

    forward: Packed
    backward: Packed
    bias: Float32


class CompiledProducts:
    """See :class:`core.arithmetic.torch7_products.Products`.

    functions: of :func:`core.arithmetic.kernel.library.load`.
    """

    def __init__(self, functions: Functions, workers: Workers) -> None:
        self._functions, self._workers = functions, workers

    def dot(self, x: Float32, y: Float32) -> float:
        return elementwise.dot(self._functions, x, y)

    def axpy_(self, alpha: float, x: Float32, y: Float32) -> None:
        elementwise.axpy(self._functions, alpha, x, y)

    def scaled_sum_(self, x: Float32, factor: float, y: Float32) -> None:
        self._over_elements(partial(elementwise.scaled_sum, self._functions, factor), x, y)

    def relu_(self, x: Float32) -> None:
        self._over_elements(partial(elementwise.gate, self._functions), x, x)

    def mask_(self, grad: Float32, output: Float32) -> None:
        self._over_elements(partial(elementwise.gate, self._functions), output, grad)

    def convolution(self, weight: Float32, bias: Float32) -> PackedConvolution:
        matrix = np.ascontiguousarray(weight, np.float32).reshape(len(weight), -1)
        return PackedConvolution(
            products.pack_columns(self._functions, matrix),
            products.pack_columns(self._functions, matrix, by_columns=True),
            np.array(bias, np.float32),
        )

    def convolve(self, x: Float32, parameters: PackedConvolution, window: Window) -> Float32:
        rows = products.window_rows(x, window)
        out = np.empty((len(parameters.bias), *window.output_size(*x.shape[1:])), np.float32)
        factors = (rows, parameters.forward, out.reshape(len(out), -1))
        self._workers.run(
            partial(products.multiply, self._functions, *factors, part, bias=parameters.bias)
            for part in self._parts(rows.count, len(out))
        )
        return out

    def convolve_backward(
        self, grad: Float32, parameters: PackedConvolution, window: Window, shape: tuple[int, ...]
    ) -> Float32:
        out = np.empty(shape, np.float32)
        threads, rows = self._workers.threads, shape[1]
        whole = PANEL // gcd(PANEL, prod(window.kernel))  # channels whose columns fill panels
        channels = cut(shape[0], 1 if rows >= threads * TALL else threads, whole)
        strips = cut(rows, ceil(threads / len(channels)), 1)
        self._workers.run(
            partial(
                products.convolve_backward,
                self._functions, grad, parameters.backward, window, out, some, strip,
            )
            for some in channels
            for strip in strips
        )  # fmt: skip
        return out

    def max_pool(self, x: Float32, window: Window) -> tuple[Float32, Any]:
        size = window.output_size(*x.shape[1:], ceil=True)
        if prod(window.kernel) >= NOWHERE:
            out = torch7_pooling.max_pool(x, window, size)
            return out, out.copy()
        out, where = np.empty((len(x), *size), np.float32), np.empty((len(x), *size), np.uint8)
        self._over_channels(len(x), partial(elementwise.max_pool, self._functions, x, window, out, where))
        return out, where

    def max_pool_backward(self, grad: Float32, where: Any, x: Float32, window: Window) -> Float32:
        if prod(window.kernel) >= NOWHERE:
            return torch7_pooling.max_pool_backward(grad, where, x, window)
        out = np.empty_like(x)
        self._over_channels(
            len(x), partial(elementwise.max_pool_backward, self._functions, grad, where, window, out)
        )
        return out

    def gram(self, x: Float32) -> Float32:
        features, out = x.reshape(len(x), -1), np.empty((len(x), len(x)), np.float32)
        panels = cut(ceil(len(x) / PANEL), self._workers.threads, 1)
        self._workers.run(partial(products.gram, self._functions, features, out, some) for some in panels)
        return out

    def gram_backward(self, x: Float32, grad: Float32) -> Float32:
        out = np.empty(x.shape, np.float32)
        result, rows = out.reshape(len(x), -1), products.matrix_rows(x.reshape(len(x), -1))
        packed = [products.pack_columns(self._functions, grad, by_columns=turned) for turned in (False, True)]

        def both(part: tuple[tuple[int, int], tuple[int, int]]) -> None:
            for keeps, factor in enumerate(packed):
                products.multiply(self._functions, rows, factor, result, part, keeps=bool(keeps))

        self._workers.run(partial(both, part) for part in self._parts(rows.count, len(x)))
        return out

    def _parts(self, rows: int, columns: int) -> list[tuple[tuple[int, int], tuple[int, int]]]:
        """Divide a product: between rows, and between panels of columns too where rows are few."""
        threads, panels = self._workers.threads, ceil(columns / PANEL)
        each = max(1, min(4, rows // (threads * self._functions.rows_at_once)))
        by_rows = cut(rows, threads * each if threads > 1 else 1, self._functions.tile_rows)
        by_panels = cut(panels, ceil(threads / len(by_rows)), 1)
        return [(some, others) for some in by_rows for others in by_panels]

    def _over_channels(self, channels: int, piece: Callable[[tuple[int, int]], None]) -> None:
        self._workers.run(partial(piece, part) for part in cut(channels, self._workers.threads, 1))

    def _over_elements(self, piece: Callable[[Float32, Float32], None], x: Float32, y: Float32) -> None:
        x, y = x.reshape(-1), y.reshape(-1)
        pieces = min(self._workers.threads, -(-x.size // SMALL))
        self._workers.run(partial(piece, x[i:j], y[i:j]) for i, j in cut(x.size, pieces, 1))
