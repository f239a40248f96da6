"""Stylises the sample picture of a training with the current network."""

from __future__ import annotations

import torch
from torch import nn

from core.errors import TransformError
from core.pictures.images import Image, load_image
from core.pictures.resize import scale
from core.settings.training import TrainSettings
from core.transform.networks.geometry import geometry
from core.transform.pixels import FORMATS, NetworkFormat
from core.transform.runners import Batch
from core.transform.stylize import Stylizer

LARGEST_SIDE = 512


class Sample:
    """Stylises -sample_image as ``fast_neural_style`` does, with a longer side of at most 512 pixels.

    The constructor stylises it once, so that an unusable picture is reported before the training starts.

    Raises: ImageError, TransformError.
    """

    def __init__(self, settings: TrainSettings, network: nn.Sequential, device: torch.device) -> None:
        picture = load_image(settings.sample_image)
        self._picture = scale(picture, LARGEST_SIDE) if max(picture.shape[1:]) > LARGEST_SIDE else picture
        self._preprocessing, self._device = settings.preprocessing, device
        try:
            self.stylised(network)
        except TransformError as error:
            raise TransformError(f"-sample_image {settings.sample_image}: {error}") from None

    def stylised(self, network: nn.Sequential) -> Image:
        """The stylised picture, float64 (3, H, W), RGB, not clamped. The network does not change."""
        return Stylizer(_SampleRunner(self._preprocessing, network, self._device), 0)(self._picture)


class _SampleRunner:
    """Runs the network in evaluation mode, then returns it to training mode."""

    def __init__(self, preprocessing: str, network: nn.Sequential, device: torch.device) -> None:
        pixels, sizes = FORMATS[preprocessing], geometry(network)
        self.format = NetworkFormat(pixels, pixels, multiple=sizes.multiple, smallest=sizes.smallest)
        self.description = f"PyTorch {torch.__version__}, {device}"
        self._network, self._device = network, device

    @torch.no_grad()
    def run(self, batch: Batch) -> Batch:
        """float32 (N, 3, H, W) to (N, 3, H', W')."""
        result: Batch = self._network.eval()(torch.from_numpy(batch).to(self._device)).cpu().numpy()
        self._network.train()
        return result
