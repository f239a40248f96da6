"""Formats a transform network as Torch7's ``print(model)`` in train.lua does."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import nn

from core.transform.networks.layers import MulConstant, ResidualBlock, ShaveImage, TotalVariation


def torch7_text(network: nn.Module) -> str:
    """The text of a network, as nn's ``__tostring__`` makes it; several lines."""
    if isinstance(network, ResidualBlock):
        return _sequence([_branches(network), "nn.CAddTable"])
    if isinstance(network, nn.Sequential):
        return _sequence([torch7_text(layer) for layer in network])
    return TEXTS[type(network)](network)


def _sequence(parts: Sequence[str]) -> str:
    arrows = " -> ".join(f"({number})" for number in range(1, len(parts) + 1))
    lines = [f"[input -> {arrows} -> output]"]
    lines += [f"({number}): {_indented(part, '  ')}" for number, part in enumerate(parts, 1)]
    return "nn.Sequential {\n" + "".join(f"  {line}\n" for line in lines) + "}"


def _branches(block: ResidualBlock) -> str:
    body, shortcut = torch7_text(block.body), torch7_text(block.shortcut)
    return (
        "nn.ConcatTable {\n  input\n"
        f"    |`-> (1): {_indented(body, '    |    ')}\n"
        f"     `-> (2): {_indented(shortcut, '         ')}\n"
        "     ... -> output\n}"
    )


def _indented(text: str, by: str) -> str:
    return text.replace("\n", f"\n{by}")


def _convolution(layer: nn.Conv2d) -> str:
    return f"nn.SpatialConvolution({_shape(layer)}{_padding(layer)})"


def _full_convolution(layer: nn.ConvTranspose2d) -> str:
    adjustment = ""
    if any(layer.output_padding):
        adjustment = f", {layer.output_padding[1]},{layer.output_padding[0]}"
    return f"nn.SpatialFullConvolution({_shape(layer)}{_padding(layer, always=bool(adjustment))}{adjustment})"


def _shape(layer: nn.Conv2d | nn.ConvTranspose2d) -> str:
    (height, width), (down, right) = layer.kernel_size, layer.stride
    return f"{layer.in_channels} -> {layer.out_channels}, {width}x{height}, {right},{down}"


def _padding(layer: nn.Conv2d | nn.ConvTranspose2d, always: bool = False) -> str:
    top, left = (int(width) for width in layer.padding)
    return f", {left},{top}" if always or top or left else ""


def _pad(name: str, layer: nn.ReflectionPad2d | nn.ReplicationPad2d) -> str:
    left, right, top, bottom = layer.padding
    return f"nn.{name}(l={left}, r={right}, t={top}, b={bottom})"


TEXTS: dict[type[nn.Module], Callable[..., str]] = {
    nn.Conv2d: _convolution,
    nn.ConvTranspose2d: _full_convolution,
    nn.ReflectionPad2d: lambda layer: _pad("SpatialReflectionPadding", layer),
    nn.ReplicationPad2d: lambda layer: _pad("SpatialReplicationPadding", layer),
    nn.InstanceNorm2d: lambda layer: "nn.InstanceNormalization",
    nn.BatchNorm2d: lambda layer: f"nn.SpatialBatchNormalization (4D) ({layer.num_features})",
    nn.SyncBatchNorm: lambda layer: f"nn.SpatialBatchNormalization (4D) ({layer.num_features})",
    nn.Upsample: lambda layer: f"nn.SpatialUpSamplingNearest({layer.scale_factor:.0f})",
    nn.ReLU: lambda layer: "nn.ReLU",
    nn.Tanh: lambda layer: "nn.Tanh",
    nn.Identity: lambda layer: "nn.Identity",
    MulConstant: lambda layer: "nn.MulConstant",
    TotalVariation: lambda layer: "nn.TotalVariation",
    ShaveImage: lambda layer: "nn.ShaveImage",
}
