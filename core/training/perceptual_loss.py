"""The perceptual losses of fast-neural-style, computed from the loss network's activations.

Matches PerceptualCriterion.lua, ContentLoss.lua, StyleLoss.lua, DeepDreamLoss.lua (813c834), with sums and
means in float32.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss, smooth_l1_loss

from core.training.loss_network import LossNetwork

DISTANCES = {"L2": mse_loss, "SmoothL1": smooth_l1_loss}
LARGEST_DREAM = 100.0


@dataclass(frozen=True)
class PerceptualLosses:
    """Weighted losses by layer, each a scalar tensor; ``dream`` has the value 0 and a gradient."""

    content: dict[str, Tensor]
    style: dict[str, Tensor]
    dream: Tensor

    @property
    def total(self) -> Tensor:
        """The sum of all losses."""
        return sum((*self.content.values(), *self.style.values()), self.dream)


class PerceptualLoss(nn.Module):
    """Content, style and DeepDream losses.

    network: computes all layers named here.  content, style, dream: weights by layer.
    target: style statistic, 'gram' (Gram matrices) or 'mean' (spatial means).
    distance: 'L2' or 'SmoothL1', averaged over elements.

    Raises: NetworkError: a layer is named twice for one loss.
    """

    def __init__(
        self,
        network: LossNetwork,
        content: Mapping[str, float],
        style: Mapping[str, float],
        dream: Mapping[str, float] | None = None,
        *,
        target: str = "gram",
        distance: str = "L2",
    ) -> None:
        super().__init__()
        self.network = network
        self._content, self._style, self._dream = dict(content), dict(style), dict(dream or {})
        self._statistic = gram_matrices if target == "gram" else spatial_means
        self._distance = DISTANCES[distance]
        self._style_targets: dict[str, Tensor] = {}
        for layers in (self._content, self._style, self._dream):
            network.check_different(layers)

    @torch.no_grad()
    def set_style(self, picture: Tensor) -> None:
        """Use the statistics of a style picture (1, 3, H, W) as targets."""
        seen = self.network(picture, self._style)
        self._style_targets = {layer: self._statistic(seen[layer]) for layer in self._style}

    @torch.no_grad()
    def content_targets(self, pictures: Tensor) -> dict[str, Tensor]:
        """The content layers' activations for pictures (N, 3, H, W), used as targets."""
        targets: dict[str, Tensor] = self.network(pictures, self._content)
        return targets

    def forward(self, pictures: Tensor, content_targets: Mapping[str, Tensor]) -> PerceptualLosses:
        """The losses of pictures (N, 3, H, W) in the loss network's pixel format."""
        seen = self.network(pictures)
        content = {
            layer: weight * self._distance(seen[layer].float(), content_targets[layer].float())
            for layer, weight in self._content.items()
        }
        style = {}
        for layer, weight in self._style.items():
            found = self._statistic(seen[layer])
            style[layer] = weight * self._distance(found, self._style_targets[layer].expand_as(found))
        dreams = (dream_loss(seen[layer].float(), weight) for layer, weight in self._dream.items())
        return PerceptualLosses(content, style, sum(dreams, pictures.new_zeros((), dtype=torch.float32)))


def gram_matrices(features: Tensor) -> Tensor:
    """``F F^T / (C H W)`` for each picture: (N, C, H, W) to float32 (N, C, C).

    Always in single precision, and scaled before the product: in half precision a sum of squares over some
    thousand positions overflows.
    """
    n, channels, height, width = features.shape
    with torch.autocast(features.device.type, enabled=False):
        rows = features.float().reshape(n, channels, height * width)
        return (rows / (channels * height * width)) @ rows.transpose(1, 2)


def spatial_means(features: Tensor) -> Tensor:
    """The mean over all positions: (N, C, H, W) to float32 (N, C)."""
    return features.float().mean((2, 3))


def dream_loss(activation: Tensor, strength: float) -> Tensor:
    """0, with the gradient ``-strength * clamp(activation, -100, 100)``, which makes activations grow."""
    found: Tensor = _Dream.apply(activation, strength)  # type: ignore[no-untyped-call]
    return found


class _Dream(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, activation: Tensor, strength: float) -> Tensor:
        ctx.save_for_backward(activation)
        ctx.strength = strength
        return activation.new_zeros(())

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (activation,) = ctx.saved_tensors
        return -ctx.strength * gradients[0] * activation.clamp(-LARGEST_DREAM, LARGEST_DREAM), None
