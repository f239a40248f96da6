"""Converts Torch7 nn modules, as read by :mod:`core.t7`, to PyTorch modules with the same weights.

Matches nn 8726825 in evaluation mode and reads older versions' fields. cudnn classes count as nn classes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from caffe_loader.errors import printable
from core.errors import T7Error
from core.t7 import TorchObject, Value
from core.transform.networks.layers import (
    FrozenInstanceNorm2d,
    MulConstant,
    ResidualBlock,
    ShaveImage,
    TotalVariation,
    named,
)
from core.transform.networks.t7_fields import Fields, short_class

Converters = dict[str, Callable[[Fields], nn.Module]]
MOST_MODULES, DEEPEST = 2000, 32  # the original's networks have about 60 in 4 levels


def to_modules(network: Value, instance_norm: str = "auto") -> list[nn.Module]:
    """Convert each module of an nn.Sequential.

    instance_norm: 'normalise' for real instance normalisation, 'affine' for scale and shift only (inert in
    training), 'auto' to detect which. Raises: T7Error.
    """
    if not isinstance(network, TorchObject) or short_class(network) != "Sequential":
        raise T7Error("does not contain the expected network (nn.Sequential)")
    _walk(network)
    inert = instance_norm == "affine" or (instance_norm == "auto" and has_inert_norm(network))
    converters: Converters = {**CONVERTERS, "InstanceNormalization": partial(_instance_norm, inert)}
    return [_convert(item, converters) for item in Fields(network).modules()]


def _convert(item: TorchObject, converters: Converters) -> nn.Module:
    fields = Fields(item)
    if fields.name == "Sequential":
        return _sequential(fields, converters)
    if fields.name not in converters:
        raise T7Error(
            f"layer of class {printable(item.class_name[:60])}: unknown; "
            f"known are {', '.join(sorted(converters))}"
        )
    return converters[fields.name](fields)


def _sequential(fields: Fields, converters: Converters) -> nn.Module:
    """A residual block (ConcatTable of body and shortcut, then CAddTable) or a plain sequence."""
    items = fields.modules()
    if [short_class(item) for item in items] != ["ConcatTable", "CAddTable"]:
        return named([_convert(item, converters) for item in items])
    branches = [_convert(item, converters) for item in Fields(items[0]).modules()]
    if len(branches) != 2 or not isinstance(branches[0], nn.Sequential):
        raise fields.error("its ConcatTable is not a residual block")
    return ResidualBlock(branches[0], branches[1])


def has_inert_norm(network: Value) -> bool:
    """Whether the network's instance normalisation did not normalise while the network was trained.

    nn of August 2017 and later used the running statistics of the nested batch norm without updating them:
    they are still exactly 0 and 1. False if the file does not contain these statistics.
    """
    found = [layer.nested("bn") for layer in _walk(network) if layer.name == "InstanceNormalization"]
    caches = [layer for layer in found if layer and "running_mean" in layer and "running_var" in layer]
    return bool(caches) and all(
        not layer.array("running_mean").any() and (layer.array("running_var") == 1).all() for layer in caches
    )


def _walk(network: Value) -> list[Fields]:
    """Every module, once per use. Raises: T7Error: too many modules, or a module that contains itself."""
    found: list[Fields] = []
    waiting = [(network, 1)]
    while waiting:
        item, depth = waiting.pop()
        if not isinstance(item, TorchObject):
            continue
        found.append(Fields(item))
        inner = found[-1].modules()
        if depth == DEEPEST or len(found) + len(waiting) + len(inner) > MOST_MODULES:
            raise T7Error(
                f"contains more than {MOST_MODULES} layers or more than {DEEPEST} levels of nesting; "
                "the file is damaged or malicious"
            )
        waiting += [(module, depth + 1) for module in inner]
    return found


def _convolution(f: Fields) -> nn.Module:
    kernel, inputs, outputs = _kernel(f), *_planes(f)
    padding = _pad(f)
    layer: nn.Conv2d = _empty(nn.Conv2d, f, inputs, outputs, kernel, _stride(f), padding)
    layer.weight = f.weights("weight", (outputs, inputs, *kernel))
    layer.bias = f.weights("bias", (outputs,)) if "bias" in f else None
    return layer


def _full_convolution(f: Fields) -> nn.Module:
    kernel, inputs, outputs, stride = _kernel(f), *_planes(f), _stride(f)
    adjustment = (f.integer("adjH", default=0, least=0), f.integer("adjW", default=0, least=0))
    if adjustment[0] >= stride[0] or adjustment[1] >= stride[1]:
        raise f.error(f"adjW or adjH is {max(adjustment)}, not less than the stride {min(stride)}")
    layer: nn.ConvTranspose2d = _empty(
        nn.ConvTranspose2d, f, inputs, outputs, kernel, stride, _pad(f), adjustment
    )
    layer.weight = f.weights("weight", (inputs, outputs, *kernel))
    layer.bias = f.weights("bias", (outputs,)) if "bias" in f else None
    return layer


def _empty(kind: Any, f: Fields, *arguments: Any) -> Any:
    """A layer without memory for its weights. Raises: T7Error: PyTorch rejects the arguments."""
    try:
        with torch.device("meta"):
            return kind(*arguments)
    except (RuntimeError, ValueError) as error:
        raise f.error(f"impossible sizes ({str(error).splitlines()[0]})") from None


def _planes(f: Fields) -> tuple[int, int]:
    return f.integer("nInputPlane", least=1), f.integer("nOutputPlane", least=1)


def _kernel(f: Fields) -> tuple[int, int]:
    return f.integer("kH", least=1), f.integer("kW", least=1)


def _stride(f: Fields) -> tuple[int, int]:
    return f.integer("dH", default=1, least=1), f.integer("dW", default=1, least=1)


def _pad(f: Fields) -> tuple[int, int]:
    """Padding of height and width; very old convolutions have one field 'padding' for both."""
    both = {"default": 0, "least": 0}
    return f.integer("padH", "padding", **both), f.integer("padW", "padding", **both)


def _batch_norm(f: Fields) -> nn.Module:
    mean = f.array("running_mean")
    layer = nn.BatchNorm2d(mean.size, eps=f.number("eps", 1e-5))
    layer.running_mean = torch.from_numpy(mean.reshape(-1).copy())
    layer.running_var = torch.from_numpy(_variance(f).reshape(-1).copy())
    layer.weight, layer.bias = _affine(f, mean.size)
    return layer


def _variance(f: Fields) -> NDArray[np.float32]:
    """The running variance; before version 2 the file has ``running_std`` = 1 / sqrt(var + eps)."""
    if "running_var" in f:
        return f.array("running_var")
    inverse = f.array("running_std").astype(np.float64)
    with np.errstate(all="ignore"):
        return (inverse**-2 - f.number("eps", 1e-5)).astype(np.float32)


def _affine(f: Fields, channels: int) -> tuple[nn.Parameter, nn.Parameter]:
    if "weight" not in f:
        return nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))
    return f.weights("weight", (channels,)), f.weights("bias", (channels,))


def _instance_norm(inert: bool, f: Fields) -> nn.Module:
    channels = len(f.array("weight"))
    eps = f.number("eps", 1e-5)
    layer = FrozenInstanceNorm2d(channels, eps) if inert else nn.InstanceNorm2d(channels, eps, affine=True)
    layer.weight, layer.bias = _affine(f, channels)
    return layer


def _padding(kind: type[nn.Module], f: Fields) -> nn.Module:
    return kind(tuple(f.integer(f"pad_{side}") for side in "lrtb"))


def _zero_padding(f: Fields) -> nn.Module:
    """Zero padding, or cropping if the widths are negative: some versions cropped the shortcut this way."""
    widths = {f.integer(f"pad_{side}") for side in "lrtb"}
    if len(widths) == 1 and min(widths) < 0:
        return ShaveImage(-widths.pop())
    return _padding(nn.ZeroPad2d, f)


def _max_pool(f: Fields) -> nn.Module:
    return nn.MaxPool2d(_kernel(f), _stride(f), _pad(f), ceil_mode=_ceil_mode(f))


def _average_pool(f: Fields) -> nn.Module:
    return nn.AvgPool2d(_kernel(f), _stride(f), _pad(f), ceil_mode=_ceil_mode(f))


def _ceil_mode(f: Fields) -> bool:
    return f.item.fields.get("ceil_mode") is True


def _linear(f: Fields) -> nn.Module:
    shape = f.array("weight").shape
    if len(shape) != 2:
        raise f.error(f"'weight' has shape {shape}")
    outputs, inputs = shape
    layer = _empty(nn.Linear, f, inputs, outputs)
    layer.weight = f.weights("weight", (outputs, inputs))
    layer.bias = f.weights("bias", (outputs,)) if "bias" in f else None
    return layer  # type: ignore[no-any-return]


def _relu(f: Fields) -> nn.Module:
    if f.number("threshold", 0) or f.number("val", 0):
        raise f.error("a threshold other than 0")
    return nn.ReLU(inplace=f.item.fields.get("inplace") is True)


def _upsampling(f: Fields) -> nn.Module:
    return nn.Upsample(scale_factor=float(f.integer("scale_factor", least=1)), mode="nearest")


def _dropout(f: Fields) -> nn.Module:
    p = f.number("p", 0.5)
    if not 0 <= p <= 1:
        raise f.error(f"'p' is {p:g}")
    return nn.Dropout(p)


CONVERTERS: Converters = {
    "SpatialConvolution": _convolution,
    "SpatialConvolutionMM": _convolution,
    "SpatialFullConvolution": _full_convolution,
    "SpatialBatchNormalization": _batch_norm,
    "SpatialReflectionPadding": partial(_padding, nn.ReflectionPad2d),
    "SpatialReplicationPadding": partial(_padding, nn.ReplicationPad2d),
    "SpatialZeroPadding": _zero_padding,
    "SpatialUpSamplingNearest": _upsampling,
    "SpatialMaxPooling": _max_pool,
    "SpatialAveragePooling": _average_pool,
    "ShaveImage": lambda f: ShaveImage(f.integer("size", least=0)),
    "MulConstant": lambda f: MulConstant(f.number("constant_scalar")),
    "TotalVariation": lambda f: TotalVariation(f.number("strength", 0)),
    "ReLU": _relu,
    "Tanh": lambda f: nn.Tanh(),
    "Identity": lambda f: nn.Identity(),
    "Dropout": _dropout,
    "View": lambda f: nn.Flatten(),
    "Reshape": lambda f: nn.Flatten(),
    "Linear": _linear,
    "SoftMax": lambda f: nn.Softmax(dim=1),
    "LogSoftMax": lambda f: nn.LogSoftmax(dim=1),
}
