"""Convolution with Torch7's bits and without a matrix of columns, forwards and back to the input.

Matches nn.SpatialConvolution on the CPU (THNN SpatialConvolutionMM): one product onto the bias, and on the
way back a product whose columns are added to the picture tap by tap.
"""

from __future__ import annotations

import math
from functools import partial
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.arithmetic.opencl.engine import DeviceArray, Engine
from core.arithmetic.opencl.paired import PANEL, Part, block_starts, paired_parts
from core.arithmetic.opencl.products import (
    FROM_COLUMN,
    Left,
    PartOnDevice,
    Right,
    Shape,
    Start,
    cuts_on,
    multiply,
    multiply_part,
)
from core.arithmetic.operations import Window

Indices = NDArray[np.int32]


class ConvolutionArrays(NamedTuple):
    """Weights in two orders, each with its fastest index along the columns of its product.

    forward: (nIn kh kw, nOut).  backward: (kh kw, nOut, nIn).  bias: (nOut,).
    """

    forward: DeviceArray
    backward: DeviceArray
    bias: DeviceArray


def prepare(engine: Engine, weight: NDArray[np.float32], bias: NDArray[np.float32]) -> ConvolutionArrays:
    """From (nOut, nIn, kh, kw) weights and (nOut,) bias."""
    n_out, n_in = weight.shape[:2]
    forward = weight.reshape(n_out, -1).T
    backward = weight.reshape(n_out, n_in, -1).transpose(2, 0, 1)
    return ConvolutionArrays(engine.upload(forward), engine.upload(backward), engine.upload(bias))


def convolve(engine: Engine, x: DeviceArray, parameters: ConvolutionArrays, window: Window) -> DeviceArray:
    """Cross-correlate (nIn, H, W) to (nOut, H', W')."""
    depth, n_out = parameters.forward.shape
    height, width = window.output_size(*x.shape[1:])
    out = engine.empty((n_out, height, width))
    padded = _pad(engine, x, window)
    wide, (step_y, step_x) = padded.shape[2], window.stride
    taps = engine.table(("taps", padded.shape, window.kernel), lambda: _taps(padded.shape, window))
    left = Left(padded, "WINDOWS", taps=taps, width=width, step_y=step_y * wide, step_x=step_x)
    right = Right(parameters.forward, depth=n_out, column=1)
    shape = Shape(height * width, n_out, depth)
    multiply(engine, left, right, shape, out, Start(FROM_COLUMN, parameters.bias))
    return out


def convolve_backward(
    engine: Engine, grad: DeviceArray, parameters: ConvolutionArrays, window: Window, shape: tuple[int, ...]
) -> DeviceArray:
    """Gradient at an input of ``shape`` (nIn, H, W), from the gradient at the output (nOut, H', W')."""
    _, n_out, n_in = parameters.backward.shape
    tiling, out = engine.double_tiling, engine.empty(shape)
    pixels = math.prod(shape[1:])
    paired = _paired(engine, grad, parameters, math.prod(window.kernel))
    engine.run(
        engine.kernel("convolve_backward", "tile", "convolution_backward", macros=tuple(tiling.macros())),
        (-(-pixels // tiling.height), -(-n_in // tiling.width)),
        (tiling.across, tiling.down),
        grad, parameters.backward, out, cuts_on(engine, n_out), *paired, len(block_starts(n_out)) - 1,
        n_in, n_out, *shape[1:], *grad.shape[1:], *window.kernel, *window.stride, *window.padding,
    )  # fmt: skip
    return out


def _paired(engine: Engine, grad: DeviceArray, parameters: ConvolutionArrays, taps: int) -> tuple[Any, ...]:
    """The values with two accumulators, and the tables that tell which they are."""
    _, n_out, n_in = parameters.backward.shape
    positions, columns = grad.size // n_out, n_in * taps
    parts = paired_parts(positions, columns)
    sizes = [part.rows.size * part.columns.size for part in parts]
    starts = [0, *accumulate(sizes)]
    values = engine.buffer(starts[-1])
    left = Left(grad, "ROWS", depth=positions)
    right = Right(parameters.backward, depth=n_in, column=1)
    for number, part in enumerate(parts):
        places = engine.table(
            ("places", positions, n_in, n_out, taps, number), partial(_places, part, taps, n_in, n_out)
        )
        rows = engine.table(("rows", positions, columns, number), partial(getattr, part, "rows"))
        lists = PartOnDevice(rows, places, part.rows.size, part.columns.size)
        multiply_part(engine, left, right, n_out, lists, values, starts[number])
    kind = (columns >= PANEL, columns % PANEL // 4)
    return (
        values,
        engine.table(("slots", positions, kind), lambda: _slots(positions, parts)),
        engine.table(("is paired", positions, kind), lambda: _is_paired(positions, parts)),
        engine.table(("part of", positions, columns), lambda: _part_of(columns, parts)),
        engine.table(("base of", positions, columns), lambda: _base_of(columns, parts, starts)),
    )


def _places(part: Part, taps: int, n_in: int, n_out: int) -> Indices:
    """Where each column of a part begins in the backward weights (kh kw, nOut, nIn)."""
    return part.columns % taps * (n_out * n_in) + part.columns // taps


def _slots(positions: int, parts: tuple[Part, ...]) -> Indices:
    """For each part and position its row in the part, or -1."""
    slots = np.full((len(parts), positions), -1, np.int32)
    for of_part, part in zip(slots, parts, strict=True):
        of_part[part.rows] = np.arange(part.rows.size)
    return slots


def _is_paired(positions: int, parts: tuple[Part, ...]) -> NDArray[np.int8]:
    """For each position whether it is a row of any part."""
    found = np.zeros(positions, np.int8)
    for part in parts:
        found[part.rows] = 1
    return found


def _part_of(columns: int, parts: tuple[Part, ...]) -> Indices:
    """For each column the number of its part, or -1."""
    part_of = np.full(columns, -1, np.int32)
    for number, part in enumerate(parts):
        part_of[part.columns] = number
    return part_of


def _base_of(columns: int, parts: tuple[Part, ...], starts: list[int]) -> Indices:
    """For each column where its values begin in the table of all parts."""
    base_of = np.zeros(columns, np.int32)
    for part, start in zip(parts, starts, strict=False):
        base_of[part.columns] = start + np.arange(part.columns.size) * part.rows.size
    return base_of


def _pad(engine: Engine, x: DeviceArray, window: Window) -> DeviceArray:
    (ph, pw), (channels, height, width) = window.padding, x.shape
    if not (ph or pw):
        return x
    padded = engine.empty((channels, height + 2 * ph, width + 2 * pw))
    engine.each("pad", padded.size, x, padded, height, width, ph, pw, padded.size)
    return padded


def _taps(padded: tuple[int, ...], window: Window) -> Indices:
    """Distance of every pixel of a window (channel, row, column) from its first."""
    channels, height, width = padded
    kh, kw = window.kernel
    plane, row, column = np.ogrid[:channels, :kh, :kw]
    distances: Indices = (plane * (height * width) + row * width + column).astype(np.int32)
    return distances.reshape(-1)
