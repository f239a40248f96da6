"""The sample picture of a training: how the network stylises a photo so far."""

from __future__ import annotations

import torch
from torch import nn

from core.images import Image, load_image
from core.resize import scale
from core.training.settings import TrainSettings
from core.transform.geometry import geometry
from core.transform.pixels import FORMATS, NetworkFormat
from core.transform.runners import Batch
from core.transform.stylize import Stylizer

LARGEST_SIDE = 512


def sample_picture(settings: TrainSettings, network: nn.Sequential, device: torch.device) -> Image:
    """-sample_image as ``fast_neural_style`` would make it, at most 512 pixels wide or high.

    The network's statistics stay as they are. Raises: ImageError, TransformError.
    """
    picture = load_image(settings.sample_image)
    if max(picture.shape[1:]) > LARGEST_SIDE:
        picture = scale(picture, LARGEST_SIDE)
    return Stylizer(_SampleRunner(settings.preprocessing, network, device), 0)(picture)


class _SampleRunner:
    """The network in evaluation mode for the length of a picture."""

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
