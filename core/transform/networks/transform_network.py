"""A transform network together with its properties, the same for all file types."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from core.transform.networks.geometry import Geometry, geometry
from core.transform.networks.layers import FrozenInstanceNorm2d, MulConstant
from core.transform.pixels import FORMATS, NetworkFormat


@dataclass(frozen=True)
class TransformNetwork:
    """A network in evaluation mode and its properties.

    module: (N, 3, H, W) to (N, 3, H', W'), with values in the pixel format ``preprocessing``.
    preprocessing: a name in FORMATS.  options: the flags it was trained with, if the file contains them.
    """

    module: nn.Sequential
    preprocessing: str
    path: Path
    options: dict[str, Any] = field(default_factory=dict)
    notices: tuple[str, ...] = ()

    @property
    def geometry(self) -> Geometry:
        """How the network changes the size of a picture."""
        return geometry(self.module)

    @property
    def format(self) -> NetworkFormat:
        """The format of the network's input and output."""
        pixels, sizes = FORMATS[self.preprocessing], self.geometry
        reasons = (f"values: {self.preprocessing}, as {self.path.name} was trained",)
        return NetworkFormat(
            pixels, pixels, multiple=sizes.multiple, smallest=sizes.smallest, reasons=reasons
        )

    @property
    def normalisation(self) -> str:
        """'instance', 'batch', 'frozen' (instance normalisation that was inert in training), or ''."""
        kinds = {nn.InstanceNorm2d: "instance", nn.BatchNorm2d: "batch", FrozenInstanceNorm2d: "frozen"}
        return next((kinds[type(layer)] for layer in self.module.modules() if type(layer) in kinds), "")

    @property
    def tanh_constant(self) -> float:
        """Largest absolute value of the output; 0 if no tanh bounds it."""
        return next((layer.constant for layer in self.module if isinstance(layer, MulConstant)), 0.0)
