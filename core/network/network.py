"""The loss network: the model's layers up to the last loss, with the losses between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import caffe_loader
from core.arithmetic.operations import Arithmetic, Array
from core.arithmetic.torch7_random import Torch7Random
from core.errors import NetworkError
from core.network.dense_layers import Dropout
from core.network.layer_factory import make_module
from core.network.layers import Module, SpatialAveragePooling, SpatialMaxPooling
from core.network.losses import ContentLoss, StyleLoss, TVLoss
from core.settings.neural_style import Settings


@dataclass(frozen=True)
class Losses:
    """Losses of one evaluation in network order, strengths included; the total is content, then style."""

    content: tuple[float, ...]
    style: tuple[float, ...]

    @property
    def total(self) -> float:
        """Summed from 0 on, content first, in float64."""
        total = 0.0
        for loss in (*self.content, *self.style):
            total += loss
        return total


class LossNetwork:
    """Modules in network order, ready to capture targets and to be evaluated.

    ``messages`` are the original's lines about each replaced pooling and inserted loss.
    """

    def __init__(self, modules: Sequence[Module], messages: Sequence[str] = ()) -> None:
        self.modules = tuple(modules)
        self.messages = tuple(messages)
        self.content_losses = [m for m in modules if isinstance(m, ContentLoss)]
        self.style_losses = [m for m in modules if isinstance(m, StyleLoss)]

    def capture_content(self, x: Array) -> None:
        """Set the content targets from the preprocessed content image (3, H, W)."""
        self._pass_through(x, lambda loss, y: loss.capture(y) if isinstance(loss, ContentLoss) else None)

    def capture_style(self, x: Array, weight: float) -> None:
        """Add one preprocessed style image (3, H, W) to the style targets with its blend weight."""
        self._pass_through(
            x, lambda loss, y: loss.capture(y, weight) if isinstance(loss, StyleLoss) else None
        )

    def evaluate(self, x: Array) -> tuple[Losses, Array]:
        """Losses at ``x`` (3, H, W) and the gradient of the original program there."""
        for module in self.modules:
            x = module.forward(module.arithmetic.receive(x))
        grad = self.modules[-1].arithmetic.zeros_like(x)
        for module in reversed(self.modules):
            grad = module.backward(module.arithmetic.receive(grad))
            module.forget()
        losses = Losses(
            tuple(module.loss() for module in self.content_losses),
            tuple(module.loss() for module in self.style_losses),
        )
        return losses, grad

    def warm_up(self, x: Array) -> None:
        """The original's extra forward pass before the first evaluation; only active dropout notices it."""
        if any(isinstance(module, Dropout) for module in self.modules):
            self._pass_through(x, lambda loss, y: None)

    def _pass_through(self, x: Array, at_loss: Callable[[ContentLoss | StyleLoss, Array], Any]) -> None:
        """Run forward for what the losses see; nothing is kept, as no backward pass follows."""
        for module in self.modules:
            x = module.arithmetic.receive(x)
            if isinstance(module, ContentLoss | StyleLoss):
                at_loss(module, x)
            else:
                x = module.forward(x)
                module.forget()


def build_network(
    chain: caffe_loader.Chain,
    settings: Settings,
    arithmetic_of: Callable[[int], Arithmetic],
    random: Torch7Random,
) -> LossNetwork:
    """Insert the losses by layer name and leave out what lies behind the last of them.

    ``arithmetic_of(i)`` is the arithmetic of the network's i-th module, counted from 1 as in
    ``-multigpu_strategy``.

    Raises: NetworkError: a layer that does not exist, is named twice or out of network order. (The original
        silently drops such layers and appends the rest of the model.)
    """
    layers = chain.modules
    content, style = list(settings.content_layers), list(settings.style_layers)
    _check_names("-content_layers", content, [layer.name for layer in layers])
    _check_names("-style_layers", style, [layer.name for layer in layers])
    modules: list[Module] = []
    messages: list[str] = []

    def here() -> Arithmetic:
        return arithmetic_of(len(modules) + 1)

    if settings.tv_weight > 0:
        modules.append(TVLoss(here(), settings.tv_weight))
    for number, layer in enumerate(layers, 1):
        if not (content or style):
            break
        module = make_module(layer, here(), random)
        if settings.pooling == "avg" and isinstance(module, SpatialMaxPooling):
            module = _average_instead(module)
            messages.append(f"Replacing max pooling at layer {number} with average pooling")
        modules.append(module)
        if content and content[0] == layer.name:
            messages.append(f"Setting up content layer\t{number}\t:\t{content.pop(0)}")
            modules.append(
                ContentLoss(here(), layer.name, settings.content_weight, settings.normalize_gradients)
            )
        if style and style[0] == layer.name:
            messages.append(f"Setting up style layer  \t{number}\t:\t{style.pop(0)}")
            modules.append(StyleLoss(here(), layer.name, settings.style_weight, settings.normalize_gradients))
    return LossNetwork(modules, messages)


def _average_instead(pooling: SpatialMaxPooling) -> Module:
    """Kept: the replacement rounds sizes down where the maximum rounded up, and takes no padding."""
    if pooling.window.padding != (0, 0):
        raise NetworkError(f"-pooling avg: layer '{pooling.name}' is padded, which the original refuses too")
    return SpatialAveragePooling(pooling.arithmetic, pooling.name, pooling.window, ceil=False)


def _check_names(flag: str, wanted: Sequence[str], available: Sequence[str]) -> None:
    positions = {name: index for index, name in reversed(list(enumerate(available)))}
    unknown = [name for name in wanted if name not in positions]
    if unknown:
        raise NetworkError(
            f"{flag}: no layer {', '.join(map(repr, unknown))} in this model; it has {', '.join(available)}"
        )
    ordered = sorted(set(wanted), key=positions.__getitem__)
    if list(wanted) != ordered:
        what = "a layer is named twice" if len(ordered) < len(wanted) else "layers are out of network order"
        raise NetworkError(f"{flag}: {what} (the original would drop it silently); use {','.join(ordered)}")
