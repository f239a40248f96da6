"""Makes the module that runs a layer of a caffemodel."""

from __future__ import annotations

from functools import singledispatch

import caffe_loader
from core.arithmetic.operations import Arithmetic, Window
from core.arithmetic.torch7_random import Torch7Random
from core.errors import NetworkError
from core.network.dense_layers import Dropout, Linear, Sigmoid, SoftMax, Tanh, View
from core.network.layers import (
    Module,
    ReLU,
    SpatialAveragePooling,
    SpatialConvolution,
    SpatialCrossMapLRN,
    SpatialMaxPooling,
)


@singledispatch
def make_module(layer: object, arithmetic: Arithmetic, random: Torch7Random) -> Module:
    """The module for one layer of :func:`caffe_loader.chain`."""
    raise NetworkError(f"no module for {layer!r}")


@make_module.register
def _(layer: caffe_loader.Convolution, arithmetic: Arithmetic, random: Torch7Random) -> Module:
    return SpatialConvolution(arithmetic, layer)


@make_module.register
def _(layer: caffe_loader.Pooling, arithmetic: Arithmetic, random: Torch7Random) -> Module:
    if min(layer.kernel) < 1:
        raise NetworkError(
            f"layer '{layer.name}' pools over the whole picture, which is not supported, as in the original; "
            "use another model"
        )
    window = Window(layer.kernel, layer.stride, layer.padding)
    if layer.kind == "max":
        return SpatialMaxPooling(arithmetic, layer.name, window)
    return SpatialAveragePooling(arithmetic, layer.name, window, ceil=True)


@make_module.register
def _(layer: caffe_loader.LRN, arithmetic: Arithmetic, random: Torch7Random) -> Module:
    return SpatialCrossMapLRN(arithmetic, layer)


@make_module.register
def _(layer: caffe_loader.Linear, arithmetic: Arithmetic, random: Torch7Random) -> Module:
    return Linear(arithmetic, layer)


@make_module.register
def _(layer: caffe_loader.Dropout, arithmetic: Arithmetic, random: Torch7Random) -> Module:
    return Dropout(arithmetic, layer, random)


@make_module.register(caffe_loader.ReLU)
@make_module.register(caffe_loader.Tanh)
@make_module.register(caffe_loader.Sigmoid)
@make_module.register(caffe_loader.View)
@make_module.register(caffe_loader.SoftMax)
def _(layer: caffe_loader.ReLU, arithmetic: Arithmetic, random: Torch7Random) -> Module:
    kinds = {kind.__name__: kind for kind in (ReLU, Tanh, Sigmoid, View, SoftMax)}
    return kinds[type(layer).__name__](arithmetic, layer.name)
