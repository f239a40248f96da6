"""Reads Caffe's model files (.caffemodel). Needs protobuf; does not need Caffe.

    with open_caffemodel("VGG_ILSVRC_19_layers.caffemodel") as model:
        for layer in model.layers:
            print(layer.name, layer.type, [blob.shape for blob in layer.blobs])

    network = load_caffemodel("VGG_ILSVRC_19_layers.caffemodel")  # torch.nn.Sequential

``torch`` is imported only when ``to_module`` or ``load_caffemodel`` is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from caffe_loader.blobs import Blob
from caffe_loader.chain import Chain, chain
from caffe_loader.errors import CaffemodelError
from caffe_loader.layers import (
    LRN,
    Convolution,
    Dropout,
    Linear,
    Pooling,
    ReLU,
    Sigmoid,
    SoftMax,
    Tanh,
    View,
)
from caffe_loader.prototxt import compare_prototxt
from caffe_loader.reader import CaffeLayer, Caffemodel, open_caffemodel

if TYPE_CHECKING:
    from caffe_loader.modules import load_caffemodel, to_module

__all__ = [
    "LRN",
    "Blob",
    "CaffeLayer",
    "Caffemodel",
    "CaffemodelError",
    "Chain",
    "Convolution",
    "Dropout",
    "Linear",
    "Pooling",
    "ReLU",
    "Sigmoid",
    "SoftMax",
    "Tanh",
    "View",
    "chain",
    "compare_prototxt",
    "load_caffemodel",
    "open_caffemodel",
    "to_module",
]


def __getattr__(name: str) -> object:
    if name in ("load_caffemodel", "to_module"):
        from caffe_loader import modules

        return getattr(modules, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
