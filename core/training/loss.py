"""The loss of a training: the weighted sum of a pixel loss and perceptual losses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss, mse_loss, smooth_l1_loss

from core.pictures.images import load_image
from core.pictures.resize import scale
from core.settings.checks import weights_by_layer
from core.settings.training import TrainSettings
from core.training.loss_network import load_loss_network
from core.training.perceptual_loss import PerceptualLoss
from core.transform.pixels import FORMATS, PixelFormat

PIXEL_LOSSES = {"L2": mse_loss, "L1": l1_loss, "SmoothL1": smooth_l1_loss}


class Losses(NamedTuple):
    """total: the scalar to minimise.  parts: one value for each of TrainingLoss.names, without gradient."""

    total: Tensor
    parts: Tensor


class TrainingLoss(nn.Module):
    """The loss of a batch of network outputs.

    names: the names of its parts. ``pixel`` includes its weight. ``content-16``, ``style-4`` and so on
    include the weights of their layers but not -percep_loss_weight, as in train.lua's histories.
    """

    def __init__(self, settings: TrainSettings, device: torch.device) -> None:
        super().__init__()
        self._pixel_weight = settings.pixel_loss_weight
        self._pixel_loss = PIXEL_LOSSES[settings.pixel_loss_type]
        self._weight = settings.percep_loss_weight
        self.perceptual = _perceptual_loss(settings, device) if self._weight > 0 else None
        layers = (
            [f"{kind}-{layer}" for kind in ("content", "style") for layer in weights_by_layer(settings, kind)]
            if self.perceptual
            else []
        )
        self.names = (*(("pixel",) if self._pixel_weight > 0 else ()), *layers)

    def forward(self, output: Tensor, target: Tensor) -> Losses:
        """The losses of outputs against targets, both (N, 3, H, W) in the loss network's pixel format."""
        parts: list[Tensor] = []
        total = output.new_zeros((), dtype=torch.float32)
        if self._pixel_weight > 0:
            parts.append(self._pixel_weight * self._pixel_loss(output, target))
            total = total + parts[0]
        if self.perceptual is not None:
            losses = self.perceptual(output, self.perceptual.content_targets(target))
            parts += (*losses.content.values(), *losses.style.values())
            total = total + self._weight * losses.total
        return Losses(total, torch.stack(parts).detach())

    def total(self, parts: Mapping[str, float]) -> float:
        """The total loss from its parts."""
        rest = sum(value for name, value in parts.items() if name != "pixel")
        return parts.get("pixel", 0.0) + self._weight * rest


def _perceptual_loss(settings: TrainSettings, device: torch.device) -> PerceptualLoss:
    content, style = (weights_by_layer(settings, kind) for kind in ("content", "style"))
    network = load_loss_network(settings.loss_network, [*content, *style])
    loss = PerceptualLoss(network, content, style, target=settings.style_target_type).to(device)
    if style:
        picture = scale(load_image(settings.style_image), settings.style_image_size)
        values = torch.from_numpy(FORMATS[settings.preprocessing].encode(picture))
        loss.set_style(values[None].to(device))
    return loss


class Encoder(nn.Module):
    """Converts the pictures of a batch to the networks' pixel format.

    Matches the original: single precision, division by 255 first.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, pixels: PixelFormat) -> None:
        super().__init__()
        self._pixels = pixels
        self.register_buffer("mean", torch.tensor(pixels.mean).view(3, 1, 1))
        self.register_buffer("deviation", torch.tensor(pixels.deviation).view(3, 1, 1))

    def forward(self, pictures: Tensor) -> Tensor:
        """uint8 (N, 3, H, W), RGB, to float32 of the same shape."""
        x = pictures.float() / 255
        if self._pixels.order == "bgr":
            x = x.flip(1)
        if self._pixels.scale != 1:
            x = x * self._pixels.scale
        return (x - self.mean) / self.deviation
