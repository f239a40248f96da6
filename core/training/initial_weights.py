"""Initial weights of a new network, drawn from Torch7's generator in the order of the modules."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from core.arithmetic.torch7_random import Torch7Random


@torch.no_grad()
def initialise(network: nn.Module, random: Torch7Random) -> None:
    """Initialise the weights of a network made by :func:`core.transform.networks.architecture.build`.

    Convolutions, also transposed: weights and biases uniform within +-1 / sqrt(kernel area x input planes).
    Normalisation: weights uniform in 0..1, biases 0.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            bound = 1 / math.sqrt(math.prod(layer.kernel_size) * layer.in_channels)
            for tensor in (layer.weight, layer.bias):
                if tensor is not None:
                    _fill(tensor, random, -bound, bound)
        elif isinstance(layer, nn.InstanceNorm2d | nn.BatchNorm2d):
            _fill(layer.weight, random, 0, 1)
            layer.bias.zero_()


def _fill(tensor: Tensor, random: Torch7Random, low: float, high: float) -> None:
    """Fill a tensor in memory order; values are drawn in double precision and rounded once."""
    values = random.uniform(tensor.numel()) * (high - low) + low
    tensor.copy_(torch.from_numpy(values.astype(np.float32)).view_as(tensor))
