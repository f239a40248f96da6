"""Caffemodels: the convolutions out of any VGG's, and a file of them alone.

The latter is all that a picture needs, and a seventh of the original's size.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import caffe_loader
from caffe_loader.caffe_pb2 import V1LayerParameter
from caffe_loader.writer import convolution_layer, max_pooling_layer, relu_layer, write_caffemodel
from core.models.formats.weights import Convolution, Convolutions, check_shapes


def read_caffe(path: Path) -> Convolutions:
    """The convolutions in ``path``; the rest is left alone. Raises RegistryError, CaffemodelError."""
    with caffe_loader.open_caffemodel(path) as model:
        found = {
            module.name: module
            for module in caffe_loader.chain(model, grouped=True).modules
            if isinstance(module, caffe_loader.Convolution)
        }
        shapes = {name: (module.weight_shape, (module.out_channels,)) for name, module in found.items()}
        return {
            name: Convolution(found[name].weight_array(), found[name].bias_array())
            for name in check_shapes(shapes)
        }


def write_convolutions(stream: IO[bytes], layers: Convolutions) -> None:
    """Write ``layers`` as a V1 caffemodel; the same layers give the same bytes.

    layers: named convB_N as in VGG; ReLUs and poolings are put between them, a pooling after each block B.
    Raises OSError.
    """
    write_caffemodel(stream, f"VGG_ILSVRC_{len(layers) + 3}_layers", _chain(layers))


def _chain(layers: Convolutions) -> Iterator[V1LayerParameter]:
    names = list(layers)
    for name, following in zip(names, [*names[1:], ""], strict=True):
        yield convolution_layer(name, layers[name].weight, layers[name].bias, padding=1)
        yield relu_layer(name.replace("conv", "relu"))
        if _block(name) != _block(following):
            yield max_pooling_layer(f"pool{_block(name)}", kernel=2, stride=2)


def _block(name: str) -> str:
    found = re.match(r"conv(\d+)_", name)
    return found[1] if found else ""
