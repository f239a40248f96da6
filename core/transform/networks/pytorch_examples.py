"""Builds networks of pytorch/examples/fast_neural_style (77f55b9) from their state_dict.

Input and output are RGB, values 0 to 255, without tanh. Every convolution has reflection padding; the network
enlarges with nearest neighbour upsampling and a convolution instead of transposed convolutions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from caffe_loader.errors import quoted
from core.errors import TransformError
from core.transform.networks.layers import ResidualBlock, named

# (convolution, norm, stride, nearest neighbour enlargement before it)
_BEFORE = (("conv1", "in1", 1, 1), ("conv2", "in2", 2, 1), ("conv3", "in3", 2, 1))
_AFTER = (("deconv1", "in4", 1, 2), ("deconv2", "in5", 1, 2), ("deconv3", None, 1, 1))
_DEPRECATED = ("running_mean", "running_var", "num_batches_tracked")  # in files of PyTorch 0.3


def from_state_dict(content: Any) -> nn.Sequential:
    """The network with the weights of ``content``, which also decide its width and depth.

    Raises: TransformError: this is not a state_dict of such a network.
    """
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise TransformError("contains no state_dict (a dict of tensors); save model.state_dict()")
    weights = {
        str(name).removeprefix("module."): _whole(str(name), value)
        for name, value in content.items()
        if not str(name).endswith(_DEPRECATED)
    }
    taken = _Weights(weights)
    blocks = sorted({int(name[3 : name.index(".")]) for name in weights if _is_block(name)})
    network = named(
        [
            *(layer for row in _BEFORE for layer in _convolution(taken, *row)),
            *(_residual(taken, f"res{number}") for number in blocks),
            *(layer for row in _AFTER for layer in _convolution(taken, *row)),
        ]
    )
    taken.check_all_used()
    return network


def _is_block(name: str) -> bool:
    number, dot, _ = name.removeprefix("res").partition(".")
    return name.startswith("res") and bool(dot) and number.isdecimal()


def _whole(name: str, tensor: Tensor) -> Tensor:
    """The tensor as float32.

    Raises: TransformError: a sparse or other unusual layout, or strides of 0 that make few bytes look large.
    """
    if tensor.layout != torch.strided or tensor.device.type != "cpu" or not tensor.is_floating_point():
        raise TransformError(f"{quoted(name)} is not a dense CPU tensor of floating point numbers")
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise TransformError(f"{quoted(name)} is larger than its bytes in the file")
    return tensor.detach().to(torch.float32)


class _Weights:
    def __init__(self, weights: dict[str, Tensor]) -> None:
        self._left = weights

    def take(self, name: str, dimensions: int) -> nn.Parameter:
        tensor = self._left.pop(name, None)
        if tensor is None or tensor.ndim != dimensions or not tensor.numel():
            raise TransformError(
                f"'{name}' is missing or has the wrong shape; known are the networks of "
                "pytorch/examples/fast_neural_style"
            )
        return nn.Parameter(tensor, requires_grad=False)

    def check_all_used(self) -> None:
        if self._left:
            raise TransformError(
                f"unknown weights {quoted(next(iter(self._left)))}; known are the networks of "
                "pytorch/examples/fast_neural_style"
            )


def _convolution(
    weights: _Weights, name: str, norm: str | None, stride: int, enlargement: int
) -> list[nn.Module]:
    weight, bias = weights.take(f"{name}.conv2d.weight", 4), weights.take(f"{name}.conv2d.bias", 1)
    outputs, inputs, kernel = weight.shape[:3]
    convolution = nn.Conv2d(inputs, outputs, kernel, stride)
    convolution.weight, convolution.bias = weight, bias
    layers: list[nn.Module] = []
    if enlargement > 1:
        layers.append(nn.Upsample(scale_factor=float(enlargement), mode="nearest"))
    layers += [nn.ReflectionPad2d(kernel // 2), convolution]
    if norm:
        layers += [_norm(weights, norm), nn.ReLU(inplace=True)]
    return layers


def _norm(weights: _Weights, name: str) -> nn.Module:
    weight, bias = weights.take(f"{name}.weight", 1), weights.take(f"{name}.bias", 1)
    layer = nn.InstanceNorm2d(len(weight), affine=True)
    layer.weight, layer.bias = weight, bias
    return layer


def _residual(weights: _Weights, name: str) -> ResidualBlock:
    first = _convolution(weights, f"{name}.conv1", f"{name}.in1", 1, 1)
    second = _convolution(weights, f"{name}.conv2", f"{name}.in2", 1, 1)
    return ResidualBlock(named([*first, *second[:-1]]), nn.Identity())
