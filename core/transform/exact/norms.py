"""Normalisation with Torch7's bits: nn.InstanceNormalization and nn.SpatialBatchNormalization in evaluation.

Matches nn 8726825 with the batch normalisation of before August 2017, which the published networks were made
with. Every step rounds to float32 on its own, as the original was compiled without fused multiply-add.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
f32 = np.float32


class Affine(NamedTuple):
    """weight, bias: (C,); eps: what the variance is raised by."""

    weight: Float32
    bias: Float32
    eps: float


def normalise_instances(x: Float32, affine: Affine, channels: slice, out: Float32) -> None:
    """Some channels of (C, H, W): mean 0 and deviation 1 over the channel, then weight and bias.

    As in Torch7, sums run from left to right in double precision. The sum of the values is rounded to float32
    before the division by the number of pixels. A square is rounded to float32 before it is added.
    """
    count = x[0].size
    for channel in range(*channels.indices(len(x))):
        values, result = x[channel].reshape(-1), out[channel].reshape(-1)
        np.subtract(values, f32(_sum(values)) / f32(count), out=result)
        variance = _sum(result * result) / count
        result *= f32(1 / math.sqrt(variance + affine.eps))
        result *= affine.weight[channel]
        result += affine.bias[channel]


def _sum(values: Float32) -> float:
    """From left to right in float64. Subtracting from zero rounds as adding does; ``add`` adds in pairs."""
    return 0.0 - float(np.subtract.reduce(values, dtype=np.float64, initial=0.0))


def normalise_by_statistics(
    x: Float32, affine: Affine, statistics: tuple[Float32, Float32], channels: slice, out: Float32
) -> None:
    """Some channels of (C, H, W) by stored mean and variance, each (C,). Torch7 does not fold them."""
    mean, variance = (values[channels, None, None] for values in statistics)
    inverse = (1 / np.sqrt(variance.astype(np.float64) + affine.eps)).astype(f32)
    part = out[channels]
    np.subtract(x[channels], mean, out=part)
    part *= inverse
    part *= affine.weight[channels, None, None]
    part += affine.bias[channels, None, None]
