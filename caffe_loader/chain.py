"""The network as loadcaffe builds it: a chain of layers in file order, and the messages it prints.

Like loadcaffe, this ignores connections, phases, include rules, dilation, the slope of a ReLU and LRN
within channels.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from caffe_loader import layers
from caffe_loader.blobs import Blob
from caffe_loader.caffe_pb2 import PoolingParameter
from caffe_loader.errors import CaffemodelError, quoted
from caffe_loader.layer_types import is_v1_type
from caffe_loader.reader import CaffeLayer, Caffemodel
from caffe_loader.windows import convolution_window, pooling_window

_LARGEST = 2**31 - 1  # loadcaffe's int
_SOFTMAX = ("Softmax", "SoftmaxWithLoss")


@dataclass(frozen=True)
class Chain:
    """A network: its layers in order, and the lines loadcaffe prints after "Successfully loaded FILE"."""

    modules: tuple[layers.ChainModule, ...]
    messages: tuple[str, ...]


def chain(model: Caffemodel, grouped: bool = False) -> Chain:
    """The chain of layers that loadcaffe builds from ``model``. No weights are read.

    grouped: True keeps convolutions with groups, as loadcaffe's cudnn backend does. False treats them as
    its nn backend does: skipped in a V1 file, end of the chain in a V2 file.
    A softmax is kept in a V1 file and ends the chain in a V2 file. Layers of unknown types are left out
    with a message. If two layers have the same name, both get the weights of the last one.

    Matches loadcaffe e691592, convertProtoToLuaV1/V2 and loadModuleV1/V2.
    Raises CaffemodelError where loadcaffe crashes: a missing weight or bias, weights that do not fit the
    layer, stochastic pooling, invalid parameters.
    """
    drafts, messages = _drafts(model, grouped)
    namesakes: dict[str, list[CaffeLayer]] = {}
    for layer in model.layers:
        namesakes.setdefault(layer.name, []).append(layer)
    modules: list[layers.ChainModule] = []
    for draft in drafts:
        if isinstance(draft, layers.Convolution | layers.Linear):
            draft = _with_weights(model, draft, namesakes[draft.name], messages)
        modules.append(draft)
    return Chain(tuple(modules), tuple(messages))


def _drafts(model: Caffemodel, grouped: bool) -> tuple[list[layers.ChainModule], list[str]]:
    """The layers, each with its own blobs, and the messages about layers that are left out."""
    drafts: list[layers.ChainModule] = []
    messages: list[str] = []
    outputs = model.input_dims
    for layer in model.layers:
        build = _builder(model, layer)
        if build is None:
            messages += _undefined(layer)
            continue
        if model.format == "V2" and layer.type in _SOFTMAX:
            break  # loadcaffe leaves its loop here, and so do we
        draft = build(model, layer)
        if isinstance(draft, layers.Linear) and outputs != draft.in_features:
            drafts.append(layers.View())
        if isinstance(draft, layers.Convolution | layers.Linear):
            outputs = draft.weight_shape[0]
        if isinstance(draft, layers.Convolution) and draft.groups > 1 and not grouped:
            messages.append("nn supports no groups!")
            if model.format == "V2":
                break  # loadcaffe leaves its loop here too
            messages.append(_not_found(layer))
            continue
        drafts.append(draft)
    return drafts, messages


def _undefined(layer: CaffeLayer) -> list[str]:
    if layer.type_number is None:
        return [_not_found(layer)]
    return [f"MODULE {layer.name} UNDEFINED", _not_found(layer)]


def _not_found(layer: CaffeLayer) -> str:
    shown: int | str | None = layer.type
    if layer.type_number is not None:
        shown = layer.type_number if is_v1_type(layer.type_number) else 0
    return f"warning: module '{layer.name} [type {shown}]' not found"


def _with_weights(
    model: Caffemodel,
    draft: layers.Convolution | layers.Linear,
    namesakes: list[CaffeLayer],
    messages: list[str],
) -> layers.Convolution | layers.Linear:
    """``draft`` with the blobs of the last of ``namesakes``, all layers of its name. Adds a message each."""
    for layer in namesakes:
        weight, bias = _blob(model, layer, 0), _blob(model, layer, 1)
        num, channels, height, width = weight.legacy_shape
        messages.append(f"{layer.name}: {num} {channels} {width} {height}")
    shape = draft.weight_shape
    if weight.count != math.prod(shape) or bias.count != shape[0]:
        wanted, found = " x ".join(map(str, shape)), " x ".join(map(str, weight.shape))
        cause = (
            f"its parameters need weights of {wanted} and {shape[0]} biases,"
            f" but the file has {found} and {bias.count}"
        )
        if len(namesakes) > 1:
            cause += f" in the last of {len(namesakes)} layers of this name"
        raise _error(model, layer, f"{cause}; use another model")
    return replace(draft, weight=weight, bias=bias)


def _blob(model: Caffemodel, layer: CaffeLayer, index: int) -> Blob:
    if index < len(layer.blobs):
        return layer.blobs[index]
    what = ("weight", "bias")[index]
    cause = f"{quoted(layer.type)} has no {what} blob, which loadcaffe needs (the original crashes here)"
    raise _error(model, layer, f"{cause}; use a model with weights and biases")


def _error(model: Caffemodel, layer: CaffeLayer, cause: str) -> CaffemodelError:
    return CaffemodelError(model.path, cause, layer=layer.name, offset=layer.offset)


def _convolution(model: Caffemodel, layer: CaffeLayer) -> layers.Convolution:
    weight = _blob(model, layer, 0)
    out_channels, channels, _, _ = weight.legacy_shape
    groups = layer.parameters.convolution_param.group or 1
    kernel, stride, padding = convolution_window(layer.parameters.convolution_param)
    if min(out_channels, channels, *kernel, *stride) < 1 or max(*stride, *padding) > _LARGEST:
        cause = f"{out_channels} filters on {channels} channels, kernel {kernel}, stride {stride}"
        cause += f", padding {padding} are not valid for a convolution"
        raise _error(model, layer, f"{cause}; download the file again")
    if out_channels % groups:
        cause = f"{out_channels} filters cannot be divided into {groups} groups"
        raise _error(model, layer, f"{cause}; download the file again")
    # A layer that is skipped may have no bias. _with_weights checks the layers that are kept.
    bias = layer.blobs[1] if len(layer.blobs) > 1 else weight
    return layers.Convolution(
        layer.name, weight, bias, channels * groups, out_channels, kernel, stride, padding, groups
    )


def _inner_product(model: Caffemodel, layer: CaffeLayer) -> layers.Linear:
    weight, bias = _blob(model, layer, 0), _blob(model, layer, 1)
    width, outputs = weight.legacy_shape[3], layer.parameters.inner_product_param.num_output
    if min(width, outputs) < 1:
        cause = f"{width} inputs and {outputs} outputs are not valid for an inner product"
        raise _error(model, layer, f"{cause}; download the file again")
    return layers.Linear(layer.name, weight, bias, width, outputs)


def _pooling(model: Caffemodel, layer: CaffeLayer) -> layers.Pooling:
    parameters = layer.parameters.pooling_param
    if parameters.pool == PoolingParameter.STOCHASTIC:
        cause = "stochastic pooling is not supported (the original needs the Torch package inn for it)"
        raise _error(model, layer, f"{cause}; use another model")
    kind = "average" if parameters.pool == PoolingParameter.AVE else "max"
    kernel, stride, padding = pooling_window(parameters)
    too_much = any(size and 2 * pad > size for size, pad in zip(kernel, padding, strict=True))
    if min(stride) < 1 or too_much or max(*kernel, *stride) > _LARGEST:
        cause = f"kernel {kernel}, stride {stride} and padding {padding} are not valid for a pooling layer"
        raise _error(model, layer, f"{cause} (padding: at most half the kernel); use another model")
    return layers.Pooling(layer.name, kind, kernel, stride, padding)


def _lrn(model: Caffemodel, layer: CaffeLayer) -> layers.LRN:
    parameters = layer.parameters.lrn_param
    numbers = (parameters.alpha, parameters.beta, parameters.k)
    size = parameters.local_size
    if size % 2 == 0 or size > _LARGEST or not all(map(math.isfinite, numbers)):
        cause = f"size {size} (must be odd), alpha {numbers[0]}, beta {numbers[1]}, k {numbers[2]}"
        cause += " are not valid for local response normalisation"
        raise _error(model, layer, f"{cause}; download the file again")
    # loadcaffe writes these numbers as text with this many decimals, which rounds them; so do we.
    return layers.LRN(
        layer.name, size, float(f"{numbers[0]:.6f}"), float(f"{numbers[1]:.4f}"), float(f"{numbers[2]:f}")
    )


def _dropout(model: Caffemodel, layer: CaffeLayer) -> layers.Dropout:
    ratio = float(f"{layer.parameters.dropout_param.dropout_ratio:f}")
    if not 0 <= ratio < 1:
        cause = f"a dropout ratio of {ratio} is outside 0 <= ratio < 1; download the file again"
        raise _error(model, layer, cause)
    return layers.Dropout(layer.name, ratio)


_Builder = Callable[[Caffemodel, CaffeLayer], layers.ChainModule]

_BUILDERS: dict[str, _Builder] = {
    "Convolution": _convolution,
    "Pooling": _pooling,
    "InnerProduct": _inner_product,
    "LRN": _lrn,
    "Dropout": _dropout,
    "ReLU": lambda model, layer: layers.ReLU(layer.name),
    "Sigmoid": lambda model, layer: layers.Sigmoid(layer.name),
    "Softmax": lambda model, layer: layers.SoftMax(layer.name),
    "SoftmaxWithLoss": lambda model, layer: layers.SoftMax(layer.name),
}


def _builder(model: Caffemodel, layer: CaffeLayer) -> _Builder | None:
    # Matches loadcaffe's quirk: V2 files say "TanH", but loadcaffe looks for "Tanh" and leaves them out.
    if layer.type == ("TanH" if model.format == "V1" else "Tanh"):
        return lambda model, layer: layers.Tanh(layer.name)
    return _BUILDERS.get(layer.type)
