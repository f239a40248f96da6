"""The convolutions of a VGG network, as the readers of all formats hand them over."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import RegistryError

Array = NDArray[np.float32]
BLOCKS = {"VGG-16": (2, 2, 3, 3, 3), "VGG-19": (2, 2, 4, 4, 4)}
LARGEST_WIDTH = 512


@dataclass(frozen=True)
class Convolution:
    """weight: (out, in, 3, 3), bias: (out,), float32.

    The first layer's inputs are B, G, R in 0..255 with the mean subtracted, as Caffe's.
    """

    weight: Array
    bias: Array


Convolutions = Mapping[str, Convolution]  # by Caffe's layer names, in the network's order


def array_sum(array: Array) -> str:
    """sha256 of the little-endian float32 bytes, in C order."""
    return hashlib.sha256(np.ascontiguousarray(array, "<f4").data).hexdigest()


def layer_names(blocks: Iterable[int]) -> list[str]:
    """conv1_1, conv1_2, conv2_1 and so on; ``blocks``: how many convolutions each block has."""
    return [
        f"conv{block}_{number}" for block, count in enumerate(blocks, 1) for number in range(1, count + 1)
    ]


def names_of_count(count: int) -> list[str]:
    """The names of a VGG's ``count`` convolutions. Raises RegistryError if no such VGG is known."""
    for blocks in BLOCKS.values():
        if sum(blocks) == count:
            return layer_names(blocks)
    raise RegistryError(f"it has {count} convolutions; a VGG-19 has 16, a VGG-16 has 13")


def check_shapes(shapes: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]) -> list[str]:
    """The layers in the network's order, if (weight, bias) ``shapes`` by name make a VGG-16 or VGG-19.

    Any widths up to 512 will do. To be asked before arrays are read: it bounds what they take.
    Raises RegistryError saying what does not fit.
    """
    names = names_of_count(len(shapes))
    channels = 3
    for name in names:
        if name not in shapes:
            raise RegistryError(f"it has no {name}, as a VGG of {len(shapes)} convolutions should")
        weight, bias = shapes[name]
        if len(weight) != 4 or weight[1:] != (channels, 3, 3) or not 0 < weight[0] <= LARGEST_WIDTH:
            raise RegistryError(f"its {name} has weights of shape {weight}, not (filters, {channels}, 3, 3)")
        if bias != weight[:1]:
            raise RegistryError(f"its {name} has biases of shape {bias}, not {weight[:1]}")
        channels = weight[0]
    return names


def vgg_name(name: str) -> str | None:
    """Caffe's name of Keras' ``block1_conv2``; None for another name."""
    found = re.fullmatch(r"block(\d)_conv(\d)", name)
    return f"conv{found[1]}_{found[2]}" if found else None
