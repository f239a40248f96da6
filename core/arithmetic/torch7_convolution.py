"""Convolution with Torch7's bits: im2col and a sgemm that adds to the bias; backward sgemm and col2im.

Matches nn.SpatialConvolution on the CPU (THNN SpatialConvolutionMM). Products are computed in blocks that fit
the processor's cache, on several threads. They are split only where this changes no bit (see
core.arithmetic.blas).
"""

from __future__ import annotations

import math
from functools import partial
from itertools import product
from typing import NamedTuple

import numpy as np

from core.arithmetic.blas import COLUMN_CUT, ROW_CUT, Matrix, blas_build, lead_rows, sgemm, sgemm_rows
from core.arithmetic.operations import Window
from core.arithmetic.workers import Float32, Workers, cut, scratch

BLOCK_BYTES = 3 << 20  # of columns per thread at a time: about one core's share of the cache


class ConvolutionParameters(NamedTuple):
    """weight: (nOut, nIn, kh, kw); bias: (nOut,)."""

    weight: Float32
    bias: Float32


def convolve(x: Float32, parameters: ConvolutionParameters, window: Window, workers: Workers) -> Float32:
    """Cross-correlation of ``x`` (nIn, H, W). Returns (nOut, H', W')."""
    weight, bias = parameters
    n_out, n_in, kh, kw = weight.shape
    height, width = window.output_size(*x.shape[1:])
    positions, taps = height * width, n_in * kh * kw
    out = np.empty((n_out, height, width), np.float32)
    out[:] = bias[:, None, None]  # as in Torch7: the product is summed onto the bias, not the bias added last
    padded = _pad(x, window)
    weights, result = Matrix.of(weight.reshape(n_out, taps)), out.reshape(n_out, positions)

    def rows(start: int, end: int) -> None:
        lead = lead_rows(start, n_out)
        columns = scratch((n_in, kh, kw, lead + end - start))
        _image_to_columns(padded, window, width, start - lead, columns)
        a = Matrix.of(columns.reshape(taps, -1)).row(lead)
        sgemm_rows(b"n", start, taps, a, weights, 1.0, result[:, start:end])

    blocks = _row_blocks(positions, n_out, taps, workers.threads)
    if len(blocks) > 1 or workers.threads == 1:
        workers.run(partial(rows, *block) for block in blocks)
    else:
        sizes = (n_out, n_in, height, width)
        _convolve_by_channels(padded, window, weights, Matrix.of(result), sizes, workers)
    return out


def _convolve_by_channels(
    padded: Float32,
    window: Window,
    weights: Matrix,
    result: Matrix,
    sizes: tuple[int, int, int, int],
    workers: Workers,
) -> None:
    """Convolve all positions at once, with the output channels divided among the threads."""
    n_out, n_in, height, width = sizes
    positions, taps = height * width, n_in * math.prod(window.kernel)
    columns = scratch((n_in, *window.kernel, positions))
    workers.run(
        partial(_image_to_columns, padded[i:j], window, width, 0, columns[i:j])
        for i, j in cut(n_in, workers.threads, 1)
    )
    a = Matrix.of(columns.reshape(taps, positions))
    workers.run(
        partial(sgemm, b"n", b"n", positions, j - i, taps, a, weights.column(i), 1.0, result.column(i))
        for i, j in _column_pieces(n_out, workers.threads, COLUMN_CUT)
    )


def convolve_backward(
    grad: Float32,
    parameters: ConvolutionParameters,
    window: Window,
    shape: tuple[int, ...],
    workers: Workers,
) -> Float32:
    """Gradient of an input of ``shape`` (nIn, H, W), from the gradient of the output (nOut, H', W')."""
    weight = parameters.weight
    n_out, n_in = weight.shape[:2]
    taps = math.prod(window.kernel)
    width = grad.shape[2]
    positions = grad.shape[1] * width
    out = np.zeros(shape, np.float32)
    grads, weights = Matrix.of(grad.reshape(n_out, positions)), Matrix.of(weight.reshape(n_out, -1))

    def channels(first: int, last: int) -> None:
        count = (last - first) * taps
        b = weights.row(first * taps)
        # From the last block to the first: every pixel then adds its taps in Torch7's order (outer loop
        # over kernel rows, inner loop over kernel columns), wherever the blocks begin.
        for start, end in reversed(_row_blocks(positions, count, count, 1)):
            top, bottom = start // width, -(-end // width)
            columns = scratch((count, (bottom - top) * width))
            columns[:, : start - top * width] = 0
            columns[:, end - top * width :] = 0
            c = columns[:, start - top * width : end - top * width]
            sgemm_rows(b"t", start, n_out, grads.row(start), b, 0.0, c)
            cells = columns.reshape(last - first, *window.kernel, bottom - top, width)
            _columns_to_image(cells, window, top, out[first:last])

    whole = COLUMN_CUT // math.gcd(COLUMN_CUT, taps)  # channels whose columns make a multiple of 12
    workers.run(partial(channels, *piece) for piece in _column_pieces(n_in, workers.threads, whole))
    return out


def _column_pieces(columns: int, pieces: int, multiple: int) -> list[tuple[int, int]]:
    """Divide columns among threads. One piece if the BLAS kernel is not the reference kernel."""
    return cut(columns, pieces, multiple) if blas_build().matches_reference else [(0, columns)]


def _row_blocks(positions: int, columns: int, depth: int, pieces: int) -> list[tuple[int, int]]:
    """Blocks of positions that fit the cache, at least one per thread. One block if a split changes bits."""
    if not blas_build().matches_reference:
        return [(0, positions)]
    blocks = max(pieces, -(-positions * depth * 4 // BLOCK_BYTES))
    return cut(positions, blocks, ROW_CUT, last=ROW_CUT)


def _pad(x: Float32, window: Window) -> Float32:
    (ph, pw), (channels, height, width) = window.padding, x.shape
    if not (ph or pw):
        return x
    padded = np.zeros((channels, height + 2 * ph, width + 2 * pw), np.float32)
    padded[:, ph : ph + height, pw : pw + width] = x
    return padded


def _image_to_columns(padded: Float32, window: Window, width: int, start: int, columns: Float32) -> None:
    """Fill ``columns`` (nIn, kh, kw, positions) with the pixels of each tap.

    The positions are those of the output in row-major order, ``width`` to a row, from ``start``.
    """
    (sh, sw), (plane, row, pixel) = window.stride, padded.strides
    for first, last in _by_rows(start, start + columns.shape[-1], width):
        y, x = divmod(first, width)
        rows = max(1, (last - first) // width)
        part = columns[..., first - start : last - start].reshape(*columns.shape[:3], rows, -1)
        corner = padded[:, y * sh :, x * sw :]
        strides = (plane, row, pixel, sh * row, sw * pixel)
        np.copyto(part, np.lib.stride_tricks.as_strided(corner, part.shape, strides, writeable=False))


def _by_rows(start: int, end: int, width: int) -> list[tuple[int, int]]:
    """Positions cut into the rest of a row, whole rows, and the beginning of one; no empty ones."""
    first, last = -(-start // width) * width, end // width * width
    parts = [(start, first), (first, last), (last, end)] if first <= last else [(start, end)]
    return [(i, j) for i, j in parts if i < j]


def _columns_to_image(columns: Float32, window: Window, top: int, image: Float32) -> None:
    """Add ``columns`` (nIn, kh, kw, rows, W') to ``image`` (nIn, H, W), for output rows from ``top``."""
    _, kh, kw, rows, width = columns.shape
    for ky, kx in product(range(kh), range(kw)):
        ys, image_ys = _inside(top, rows, ky - window.padding[0], window.stride[0], image.shape[1])
        xs, image_xs = _inside(0, width, kx - window.padding[1], window.stride[1], image.shape[2])
        image[:, image_ys, image_xs] += columns[:, ky, kx, ys, xs]


def _inside(first: int, count: int, shift: int, stride: int, size: int) -> tuple[slice, slice]:
    """Which of ``count`` outputs, from ``first``, have an input ``output * stride + shift`` in the image.

    Returns a slice of the outputs (relative to ``first``) and a slice of the input axis of ``size``.
    """
    start = max(first, -(shift // stride))
    end = max(start, min(first + count, (size - 1 - shift) // stride + 1))
    begin = start * stride + shift
    return slice(start - first, end - first), slice(begin, begin + (end - start) * stride, stride)
