"""A transform network in Torch7's arithmetic, ready to run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from torch import nn

from core.arithmetic.cores import available_cores
from core.arithmetic.operations import Arithmetic
from core.transform.exact.layers import TORCH7_NAMES, Float32, Layer, Machine, exact_layer
from core.transform.networks.layers import ResidualBlock
from core.transform.pixels import NetworkFormat
from core.transform.runners import Batch


@dataclass(frozen=True)
class _Sum:
    """A residual block: both branches, whose results are added."""

    body: list[_Part]
    shortcut: list[_Part]


_Part = tuple[str, Layer] | _Sum


class ExactRunner:
    """See :class:`core.transform.runners.Runner`.

    Args:
        arithmetic: torch7, which any number of threads gives the same bits.

    Raises: TransformError: a layer that is none of the original's.
    """

    description = "torch7 arithmetic on the CPU"

    def __init__(
        self, module: nn.Sequential, network_format: NetworkFormat, arithmetic: Arithmetic, threads: int = 0
    ) -> None:
        self.format = network_format
        self._parts = _parts(module, Machine(arithmetic, threads or available_cores()))

    def run(self, batch: Batch) -> Batch:
        """float32 (N, 3, H, W) to (N, 3, H', W'). As in Torch7, a batch is its pictures one by one."""
        return np.stack([self._last(picture) for picture in batch])

    def layers(self, picture: Float32) -> Iterator[tuple[str, Float32]]:
        """Torch7's class and the output of every layer for one (3, H, W), in the order they run.

        Of a residual block the body, then the shortcut, then their sum (CAddTable).
        """
        return _outputs(self._parts, np.ascontiguousarray(picture, np.float32))

    def _last(self, picture: Float32) -> Float32:
        result = picture
        for _, result in self.layers(picture):  # noqa: B007  (what remains is the last)
            pass
        return result


def _parts(module: nn.Module, machine: Machine) -> list[_Part]:
    if isinstance(module, nn.Sequential):
        return [part for layer in module for part in _parts(layer, machine)]
    if isinstance(module, ResidualBlock):
        return [_Sum(_parts(module.body, machine), _parts(module.shortcut, machine))]
    return [(TORCH7_NAMES.get(type(module), ""), exact_layer(module, machine))]


def _outputs(parts: list[_Part], x: Float32) -> Iterator[tuple[str, Float32]]:
    for part in parts:
        if not isinstance(part, _Sum):
            name, layer = part
            x = layer(x)
            yield name, x
            continue
        body = shortcut = x
        for name, body in _outputs(part.body, x):
            yield name, body
        for name, shortcut in _outputs(part.shortcut, x):
            yield name, shortcut
        x = body + shortcut
        yield "CAddTable", x
