"""Checks that the layers of a network fit together: their channels, weight shapes and weight types."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from core.errors import TransformError
from core.transform.networks.layers import FrozenInstanceNorm2d, ResidualBlock

_NORMS = (nn.InstanceNorm2d, nn.BatchNorm2d, FrozenInstanceNorm2d)


def output_channels(network: nn.Module, channels: int = 3) -> int:
    """Channels of the output for an input of ``channels``. Raises: TransformError: a layer does not fit."""
    if isinstance(network, nn.Sequential):
        for layer in network:
            channels = output_channels(layer, channels)
        return channels
    if isinstance(network, ResidualBlock):
        body, shortcut = output_channels(network.body, channels), output_channels(network.shortcut, channels)
        if body != shortcut:
            raise TransformError(f"a residual block adds {body} channels to {shortcut}; the file is damaged")
        return body
    return _of_layer(network, channels)


def _of_layer(layer: nn.Module, channels: int) -> int:
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
        inputs, outputs = layer.in_channels, layer.out_channels
        first = (outputs, inputs) if isinstance(layer, nn.Conv2d) else (inputs, outputs)
        weight: tuple[int, ...] = (*first, *layer.kernel_size)
    elif isinstance(layer, _NORMS):
        inputs = outputs = len(layer.weight)
        weight = (inputs,)
    else:
        return channels
    if inputs != channels:
        kind = type(layer).__name__
        raise TransformError(
            f"a {kind} layer takes {inputs} channels but gets {channels}; the file is damaged"
        )
    for name, tensor in layer.state_dict().items():
        if name != "num_batches_tracked":
            _check(tensor, weight if name == "weight" else (outputs,), f"{name} of a {type(layer).__name__}")
    return outputs


def _check(tensor: Tensor, shape: tuple[int, ...], what: str) -> None:
    if tensor.dtype != torch.float32:
        raise TransformError(f"the {what} is of type {tensor.dtype}, not float32; save it as float32")
    if tensor.shape != shape:
        raise TransformError(f"the {what} has shape {tuple(tensor.shape)}, not {shape}; the file is damaged")
