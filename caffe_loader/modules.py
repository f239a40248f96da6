"""Turns a caffemodel into ordinary PyTorch modules.

This is the only file of the package that imports torch.
"""

from __future__ import annotations

import functools
import os

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from caffe_loader import layers
from caffe_loader.chain import chain
from caffe_loader.errors import CaffemodelError, quoted
from caffe_loader.reader import Caffemodel, open_caffemodel


def load_caffemodel(path: str | os.PathLike[str]) -> nn.Sequential:
    """The caffemodel at ``path`` as PyTorch modules (see :func:`to_module`). The file is closed again.

    Raises CaffemodelError as ``open_caffemodel`` and ``to_module`` do.
    """
    with open_caffemodel(path) as model:
        return to_module(model)


def to_module(model: Caffemodel) -> nn.Sequential:
    """The network as a ``torch.nn.Sequential`` of float32 modules on the CPU, named as in Caffe.

    Input: (N, C, H, W); for the VGG and NIN models B, G, R in 0..255 with the mean subtracted. The
    layers are those of ``chain(model, grouped=True)``: grouped convolutions are kept, layers of unknown
    types and a V2 file's softmax are left out. A ``torch_view`` (nn.Flatten) precedes the first inner
    product. Weights are copies, so the file may be closed.

    No module works in place, so the output of a layer may be kept. New modules are in training mode, as
    always in PyTorch: call ``.eval()`` to switch dropout off (the original program never did).

    Names: a dot becomes "_", an empty name becomes "layer". If a name is already used by another layer or
    by an attribute of nn.Sequential, "_2", "_3", ... is appended.

    Pooling rounds output sizes up, as Caffe does. If the stride is larger than the kernel, PyTorch drops
    a last window that would start beyond the image; Torch7 keeps that (empty) window.

    Raises CaffemodelError as ``chain`` does, for NaN weights, and for global pooling.
    """
    network = nn.Sequential()
    for module in chain(model, grouped=True).modules:
        if isinstance(module, layers.Pooling) and min(module.kernel) < 1:
            cause = "pooling without a kernel size (global pooling) is not supported; use another model"
            raise CaffemodelError(model.path, cause, layer=module.name)
        network.add_module(_free_name(network, module.name), _convert(module))
    return network


def _free_name(network: nn.Sequential, name: str) -> str:
    plain = name.replace(".", "_") or "layer"
    free, number = plain, 1
    while hasattr(network, free):
        number += 1
        free = f"{plain}_{number}"
    return free


@functools.singledispatch
def _convert(module: layers.ChainModule) -> nn.Module:
    raise TypeError(f"no PyTorch module for {quoted(type(module).__name__)}")


@_convert.register
def _(module: layers.Convolution) -> nn.Module:
    convolution = nn.Conv2d(
        module.in_channels,
        module.out_channels,
        module.kernel,
        module.stride,
        module.padding,
        groups=module.groups,
        device="meta",  # no random initial weights: the weights come from the file
    )
    return _filled(convolution, module)


@_convert.register
def _(module: layers.Linear) -> nn.Module:
    return _filled(nn.Linear(module.in_features, module.out_features, device="meta"), module)


@_convert.register
def _(module: layers.Pooling) -> nn.Module:
    kernel, stride, padding = module.kernel, module.stride, module.padding
    if module.kind == "max":
        return nn.MaxPool2d(kernel, stride, padding, ceil_mode=True)
    return nn.AvgPool2d(kernel, stride, padding, ceil_mode=True, count_include_pad=True)


@_convert.register
def _(module: layers.LRN) -> nn.Module:
    return nn.LocalResponseNorm(module.size, module.alpha, module.beta, module.k)


@_convert.register
def _(module: layers.Dropout) -> nn.Module:
    return nn.Dropout(module.ratio)


@_convert.register
def _(module: layers.ReLU) -> nn.Module:
    return nn.ReLU()


@_convert.register
def _(module: layers.Tanh) -> nn.Module:
    return nn.Tanh()


@_convert.register
def _(module: layers.Sigmoid) -> nn.Module:
    return nn.Sigmoid()


@_convert.register
def _(module: layers.SoftMax) -> nn.Module:
    return nn.Softmax(dim=1)


@_convert.register
def _(module: layers.View) -> nn.Module:
    return nn.Flatten()


def _filled(target: nn.Conv2d | nn.Linear, source: layers.Convolution | layers.Linear) -> nn.Module:
    target.weight = nn.Parameter(_tensor(source.weight_array()))
    target.bias = nn.Parameter(_tensor(source.bias_array()))
    return target


def _tensor(array: NDArray[np.float32]) -> Tensor:
    return torch.from_numpy(np.array(array))  # a copy: the file is read-only and may be closed
