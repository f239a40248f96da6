"""The loss modules of neural_style.lua: content, style and total variation.

Each is a module after the layer it applies to. Its forward pass returns the input unchanged, its backward
pass adds its own gradient. Content and style follow Gatys et al. 2015/2016, equations 1 to 6, with the
normalisation of the original program: both are means, and the Gram matrix is divided by C H W.
"""

from __future__ import annotations

from typing import Any

from core.arithmetic.operations import Arithmetic, Array
from core.network.layers import Module


class FeatureLoss(Module):
    """A loss with a target: the base class of content and style loss.

    Args:
        strength: -content_weight or -style_weight.
        normalize: -normalize_gradients. Divides the gradient by the sum of its absolute values plus 1e-8.
    """

    def __init__(self, arithmetic: Arithmetic, name: str, strength: float, normalize: bool) -> None:
        super().__init__(arithmetic, name)
        self.strength = strength
        self._normalize = normalize
        self._error: Any = 0.0

    def loss(self) -> float:
        """The loss of the last forward pass times its strength: a float32 mean, a float64 product."""
        return float(self._error) * self.strength

    def _add(self, gradient: Array, upstream: Array) -> Array:
        """Add the gradient to ``upstream``. As in the original, normalise it before applying the strength."""
        if self._normalize:
            self.arithmetic.divide_(gradient, self.arithmetic.sum_abs(gradient) + 1e-8)
        return self.arithmetic.scaled_sum_(gradient, self.strength, upstream)


class ContentLoss(FeatureLoss):
    """Mean squared difference to the feature map (C, H, W) of the content image."""

    def capture(self, x: Array) -> None:
        """Take a copy of the feature map (C, H, W) as the target."""
        self.target = self.arithmetic.copy(x)

    def forward(self, x: Array) -> Array:
        self._input = x
        self._error = self.arithmetic.mean_squared_error(x, self.target)
        return x

    def backward(self, grad: Array) -> Array:
        """As in the original, uses the input as a later in-place ReLU has changed it."""
        gradient = self.arithmetic.scaled(self._input - self.target, 2 / _count(self._input))
        return self._add(gradient, grad)


class StyleLoss(FeatureLoss):
    """Mean squared difference of Gram matrices (C, C), each divided by C H W."""

    def __init__(self, arithmetic: Arithmetic, name: str, strength: float, normalize: bool) -> None:
        super().__init__(arithmetic, name, strength, normalize)
        self.target: Array = None

    def capture(self, x: Array, weight: float) -> None:
        """Add ``weight`` times the Gram matrix of the feature map ``x`` (C, H, W) to the target."""
        gram = self._gram(x)
        if self.target is None:
            self.target = self.arithmetic.scaled(gram, weight)
        else:
            self.arithmetic.axpy_(weight, gram, self.target)

    def forward(self, x: Array) -> Array:
        self._input = x
        self.gram = self._gram(x)
        self._error = self.arithmetic.mean_squared_error(self.gram, self.target)
        return x

    def backward(self, grad: Array) -> Array:
        """As in the original, uses the Gram matrix of the forward pass, but features changed by the ReLU."""
        difference = self.arithmetic.scaled(self.gram - self.target, 2 / _count(self.gram))
        self.arithmetic.divide_(difference, _count(self._input))
        return self._add(self.arithmetic.gram_backward(self._input, difference), grad)

    def _gram(self, x: Array) -> Array:
        return self.arithmetic.divide_(self.arithmetic.gram(x), _count(x))


class TVLoss(Module):
    """Total variation of the image. As in the original, only its gradient is computed, not its value."""

    def __init__(self, arithmetic: Arithmetic, strength: float) -> None:
        super().__init__(arithmetic, "tv")
        self._strength = strength

    def forward(self, x: Array) -> Array:
        self._input = x
        return x

    def backward(self, grad: Array) -> Array:
        return self.arithmetic.scaled_sum_(self.arithmetic.total_variation(self._input), self._strength, grad)


def _count(x: Array) -> int:
    count = 1
    for size in x.shape:
        count *= int(size)
    return count
