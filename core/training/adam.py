"""Torch7's ADAM: epsilon is added before the bias is corrected, which PyTorch does the other way round."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8


@dataclass(frozen=True)
class AdamState:
    """What an optimiser depends on besides the weights; the moments are of all of them, end to end."""

    steps: int
    learning_rate: float
    first: Tensor
    second: Tensor


class Torch7Adam(Optimizer):
    """Matches optim.adam (torch/optim 656c42a).

    parameters: are moved into one tensor, as Torch7's getParameters does, so that a step is a few operations.
    weight_decay: adds that share of the weights to their gradient, as optim.adam's own option.
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter], learning_rate: float, weight_decay: float = 0.0
    ) -> None:
        super().__init__(parameters, {})
        self.learning_rate = learning_rate
        self._weight_decay = weight_decay
        self._parameters: list[nn.Parameter] = self.param_groups[0]["params"]
        self._weights = torch.cat([parameter.detach().reshape(-1) for parameter in self._parameters])
        parts = torch.split(self._weights, [parameter.numel() for parameter in self._parameters])
        for parameter, part in zip(self._parameters, parts, strict=True):
            parameter.data = part.view_as(parameter)
        self.reset()

    def reset(self) -> None:
        """Forget all moments."""
        self._steps = 0
        self._first = torch.zeros_like(self._weights)
        self._second = torch.zeros_like(self._weights)

    def decay(self, factor: float) -> None:
        """Lower the learning rate. Kept: all moments are forgotten."""
        self.learning_rate *= factor
        self.reset()

    def largest_moment(self) -> float:
        """Infinite where squared gradients exceeded single precision: such weights no longer move."""
        return float(self._second.max())

    def state_of_training(self) -> AdamState:
        """Where the optimiser stands; valid until its next step."""
        return AdamState(self._steps, self.learning_rate, self._first, self._second)

    def restore(self, state: AdamState) -> None:
        """Go on where another one of the same network stood."""
        self._steps, self.learning_rate = state.steps, state.learning_rate
        self._first.copy_(state.first)
        self._second.copy_(state.second)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> Any:
        """One step along the gradients that the parameters hold. There is no closure."""
        gradients = [parameter.grad for parameter in self._parameters]
        gradient = torch.cat([part.reshape(-1) for part in gradients if part is not None])
        if self._weight_decay:
            gradient.add_(self._weights, alpha=self._weight_decay)
        self._steps += 1
        self._first.mul_(BETA1).add_(gradient, alpha=1 - BETA1)
        self._second.mul_(BETA2).addcmul_(gradient, gradient, value=1 - BETA2)
        scale = self._second.sqrt().add_(EPSILON)
        size = self.learning_rate * math.sqrt(1 - BETA2**self._steps) / (1 - BETA1**self._steps)
        self._weights.addcdiv_(self._first, scale, value=-size)
