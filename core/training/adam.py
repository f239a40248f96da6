"""Torch7's Adam: epsilon is added before bias correction; PyTorch adds it after."""

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
    """The state of the optimiser. first, second: moments of all weights, concatenated."""

    steps: int
    learning_rate: float
    first: Tensor
    second: Tensor


class Torch7Adam(Optimizer):
    """Matches optim.adam (torch/optim 656c42a).

    parameters: moved into one tensor, as Torch7's getParameters does, so that a step is a few operations.
    weight_decay: the gradient gets weight_decay times the weights added, as in optim.adam.
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
        """Set all moments and the number of steps to 0."""
        self._steps = 0
        self._first = torch.zeros_like(self._weights)
        self._second = torch.zeros_like(self._weights)

    def decay(self, factor: float) -> None:
        """Multiply the learning rate by ``factor`` and reset all moments, as the original does."""
        self.learning_rate *= factor
        self.reset()

    def largest_moment(self) -> float:
        """The largest second moment; infinite if squared gradients overflowed, which stops those weights."""
        return float(self._second.max())

    def state_of_training(self) -> AdamState:
        """The current state; its tensors are valid until the next step."""
        return AdamState(self._steps, self.learning_rate, self._first, self._second)

    def restore(self, state: AdamState) -> None:
        """Continue from the state of another optimiser of the same network."""
        self._steps, self.learning_rate = state.steps, state.learning_rate
        self._first.copy_(state.first)
        self._second.copy_(state.second)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> Any:
        """Make one step with the gradients of the parameters; ``closure`` is not used."""
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
