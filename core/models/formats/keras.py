"""VGG networks in Keras' weight files (HDF5), with and without the fully connected layers.

A group for each layer, named block1_conv1 and so on, holds the weights (height, width, in, out) and the
biases; in a whole saved model the groups are below ``model_weights``. Keras' VGG takes B, G, R with the mean
subtracted, as Caffe's.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.errors import RegistryError
from core.models.formats.weights import Convolution, Convolutions, check_shapes, vgg_name

if TYPE_CHECKING:
    import h5py

Pair = tuple["h5py.Dataset", "h5py.Dataset"]


def read_keras(path: Path) -> Convolutions:
    """The convolutions in ``path``; fully connected layers are left alone.

    Raises RegistryError; h5py's own errors where the file is damaged.
    """
    import h5py

    with h5py.File(path, "r") as file:
        pairs = dict(_pairs(file))
        if not pairs:
            raise RegistryError("it has no groups block1_conv1 and so on, as Keras' VGG files have")
        names = check_shapes({name: _shapes(pair) for name, pair in pairs.items()})
        return {name: _convolution(pairs[name]) for name in names}


def _pairs(file: h5py.File) -> Iterator[tuple[str, Pair]]:
    top = file.get("model_weights", file)
    for key in list(top):
        name = vgg_name(key)
        if name is not None:
            yield name, _pair(_member(top, key), key)


def _member(group: h5py.Group, name: str) -> Any:
    """What is in the file itself: a link into another one is not followed."""
    import h5py

    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        raise RegistryError(f"its {name} is a link to elsewhere")
    return group[name]


def _pair(group: Any, key: str) -> Pair:
    """The dataset of four axes and that of one, in the group or, in newer files, one or two groups deeper."""
    import h5py

    for _ in range(3):
        if not isinstance(group, h5py.Group) or not 1 <= len(group) <= 2:
            break
        members = [_member(group, name) for name in group]
        if len(members) == 2 and all(isinstance(member, h5py.Dataset) for member in members):
            weight, bias = sorted(members, key=lambda member: -len(member.shape))
            return weight, bias
        group = members[0]
    raise RegistryError(f"its group {key} does not hold one array of weights and one of biases")


def _shapes(pair: Pair) -> tuple[tuple[int, ...], tuple[int, ...]]:
    weight, bias = pair
    if any(one.is_virtual or one.external for one in pair):
        raise RegistryError("its weights are in another file")
    if weight.dtype != np.float32 or bias.dtype != np.float32:
        raise RegistryError(f"it holds {weight.dtype} weights; only float32 can be the original's")
    shape = weight.shape
    return (*shape[:1:-1], *shape[:2]) if len(shape) == 4 else shape, bias.shape


def _convolution(pair: Pair) -> Convolution:
    weight, bias = pair
    return Convolution(np.ascontiguousarray(weight[()].transpose(3, 2, 0, 1)), bias[()])
