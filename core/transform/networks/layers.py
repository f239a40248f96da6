"""Layers of transform networks that PyTorch does not have. All take and return (N, C, H, W) tensors."""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch
from torch import Tensor, nn


class ShaveImage(nn.Module):
    """Crop ``size`` pixels from every side. Matches nn.ShaveImage of fast-neural-style."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, H - 2 size, W - 2 size)."""
        return x[:, :, self.size : x.shape[2] - self.size, self.size : x.shape[3] - self.size]

    def extra_repr(self) -> str:
        """Shown when the network is printed."""
        return str(self.size)


class ResidualBlock(nn.Module):
    """``body(x) + shortcut(x)``, no ReLU after the sum (Gross and Wilber, as in the paper's supplement)."""

    def __init__(self, body: nn.Sequential, shortcut: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """Shapes of body and shortcut must agree."""
        return self.body(x) + self.shortcut(x)  # type: ignore[no-any-return]


class MulConstant(nn.Module):
    """Multiply by a constant that is not trained."""

    def __init__(self, constant: float) -> None:
        super().__init__()
        self.constant = constant

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        return x * self.constant

    def extra_repr(self) -> str:
        """Shown when the network is printed."""
        return f"{self.constant:g}"


class FrozenInstanceNorm2d(nn.Module):
    """Inert instance normalisation: y = x w / sqrt(1 + eps) + b.

    In nn of August 2017 and later (919eeca) a batch of 1 uses the running statistics, which stay at mean 0
    and variance 1, so the layer only scales and shifts. Networks trained this way must also run this way.
    """

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        return x * self.scale.view(1, -1, 1, 1) + self.bias.view(1, -1, 1, 1)

    @property
    def scale(self) -> Tensor:
        """The factor of each channel, (C,)."""
        return torch.div(self.weight, (1 + self.eps) ** 0.5)

    def extra_repr(self) -> str:
        """Shown when the network is printed."""
        return f"{len(self.weight)}, eps={self.eps:g}"


class TotalVariation(nn.Module):
    """Identity in the forward pass; adds the gradient of total variation in the backward pass.

    Matches nn.TotalVariation: strength times d/dx of 1/2 sum((x[i,j] - x[i,j+1])^2 + (x[i,j] - x[i+1,j])^2)
    over the top left (H-1) x (W-1) pixels, not normalised, and not part of any reported loss.
    """

    def __init__(self, strength: float) -> None:
        super().__init__()
        self.strength = strength

    def forward(self, x: Tensor) -> Tensor:
        """The same tensor."""
        return _TotalVariation.apply(x, self.strength) if self.strength else x  # type: ignore[no-untyped-call]

    def extra_repr(self) -> str:
        """Shown when the network is printed."""
        return f"{self.strength:g}"


class _TotalVariation(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, strength: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.strength = strength
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        corner = x[..., :-1, :-1]
        right, below = corner - x[..., :-1, 1:], corner - x[..., 1:, :-1]
        added = torch.zeros_like(x)
        added[..., :-1, :-1] += right + below
        added[..., :-1, 1:] -= right
        added[..., 1:, :-1] -= below
        return gradients[0] + ctx.strength * added, None


NAMES: dict[type[nn.Module], str] = {
    nn.ReflectionPad2d: "reflection_pad",
    nn.ReplicationPad2d: "replication_pad",
    nn.ZeroPad2d: "zero_pad",
    nn.Conv2d: "conv",
    nn.ConvTranspose2d: "conv_transpose",
    nn.InstanceNorm2d: "norm",
    nn.BatchNorm2d: "norm",
    FrozenInstanceNorm2d: "norm",
    nn.ReLU: "relu",
    nn.Upsample: "upsample",
    ResidualBlock: "residual",
    nn.Sequential: "block",
    ShaveImage: "shave",
    nn.Tanh: "tanh",
    MulConstant: "scale",
    TotalVariation: "total_variation",
    nn.Identity: "identity",
    nn.Dropout: "dropout",
}


def named(modules: list[nn.Module]) -> nn.Sequential:
    """A Sequential whose layers are named after :data:`NAMES` and counted from 1: conv1, norm1, relu1, conv2.

    Other layers, such as a loss network's pooling, are named after their class.
    """
    result, counts = nn.Sequential(), Counter[str]()
    for module in modules:
        name = NAMES.get(type(module), type(module).__name__.lower())
        counts[name] += 1
        result.add_module(f"{name}{counts[name]}", module)
    return result
