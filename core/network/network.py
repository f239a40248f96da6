"""The loss network: the layers of the model up to the last loss, with the losses inserted."""

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
    """The losses of one evaluation, in network order, multiplied by their strengths."""

    content: tuple[float, ...]
    style: tuple[float, ...]

    @property
    def total(self) -> float:
        """The float64 sum of all losses: content first, then style, as in the original."""
        total = 0.0
        for loss in (*self.content, *self.style):
            total += loss
        return total


class LossNetwork:
    """The modules in network order. Captures the targets and evaluates the losses.

    ``messages`` are the original's lines about each replaced pooling layer and each inserted loss.
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
        """Add a preprocessed style image (3, H, W) to the style targets, with its blend weight."""
        self._pass_through(
            x, lambda loss, y: loss.capture(y, weight) if isinstance(loss, StyleLoss) else None
        )

    def evaluate(self, x: Array) -> tuple[Losses, Array]:
        """The losses of the image ``x`` (3, H, W), and the gradient the original program computes for it."""
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
        """The original's extra forward pass before the first evaluation. It only affects dropout layers."""
        if any(isinstance(module, Dropout) for module in self.modules):
            self._pass_through(x, lambda loss, y: None)

    def _pass_through(self, x: Array, at_loss: Callable[[ContentLoss | StyleLoss, Array], Any]) -> None:
        """Run a forward pass and call ``at_loss`` with each loss and its input. Nothing is kept."""
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
    """Insert the losses after the named layers and leave out the layers after the last loss.

    ``arithmetic_of(i)`` is the arithmetic of the i-th module of the network, counted from 1 as in
    ``-multigpu_strategy``.

    Raises: NetworkError: a layer does not exist, is named twice or is out of network order. (The original
        silently ignores such layers and appends the rest of the model.)
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
    """Average pooling for ``-pooling avg``. As in the original it rounds sizes down and has no padding."""
    if pooling.window.padding != (0, 0):
        raise NetworkError(
            f"-pooling avg: layer '{pooling.name}' has padding, which is not supported, as in the original; "
            "use -pooling max"
        )
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
        raise NetworkError(f"{flag}: {what} (the original silently ignores it); use {','.join(ordered)}")
