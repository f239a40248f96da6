"""The events of a run, in the order in which the original program prints. ``core`` itself prints nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.arithmetic.torch7_random import RandomState
from core.network.network import LossNetwork
from core.network.optimizers import SolverState


@dataclass(frozen=True)
class ModelLoaded:
    """The model file was read. ``messages`` are the lines loadcaffe prints, from "Successfully loaded"."""

    messages: tuple[str, ...]


@dataclass(frozen=True)
class NetworkBuilt:
    """The losses were inserted and the layers after the last loss removed.

    ``network.messages`` are the lines "Replacing ..." and "Setting up ...". ``str`` of a module of the
    network is Torch7's description, such as ``nn.SpatialConvolution(3 -> 64, 3x3, 1,1, 1,1)``.
    """

    network: LossNetwork


@dataclass(frozen=True)
class CapturingStyle:
    """The style targets of style image ``number`` (counted from 1) are captured next."""

    number: int


@dataclass(frozen=True)
class OptimizationStarted:
    """The initial image is ready and the optimisation starts. ``optimizer``: 'lbfgs' or 'adam'."""

    optimizer: str


@dataclass(frozen=True)
class Evaluation:
    """One evaluation of the losses and the gradient, before the step of the optimiser.

    number: the evaluation, counted from 1; the ``t`` of the original.
    x: float32 (3, H, W), B,G,R, 0..256 minus the channel's mean. A copy, safe to keep.
    content_losses, style_losses: in network order, multiplied by their strength.
    total: their sum in the original's order. As in the original, without total variation.
    """

    number: int
    x: NDArray[np.float32]
    content_losses: tuple[float, ...]
    style_losses: tuple[float, ...]
    total: float


@dataclass(frozen=True)
class SolverMessage:
    """A message of optim.lbfgs. ``text`` is without the prefix that names the optimiser."""

    text: str


@dataclass(frozen=True)
class OptimizationFinished:
    """The optimiser has finished. ``reached_maximum`` is false if it stopped early."""

    optimizer: str
    reached_maximum: bool


@dataclass(frozen=True)
class CheckpointDue:
    """The state to save in a checkpoint, after evaluation ``number`` and before the next step.

    random_start: the random generator at the start of the run (dropout changes the targets).
    random: the random generator now.
    """

    number: int
    solver: SolverState
    random_start: RandomState
    random: RandomState


Event = (
    ModelLoaded
    | NetworkBuilt
    | CapturingStyle
    | OptimizationStarted
    | Evaluation
    | SolverMessage
    | CheckpointDue
    | OptimizationFinished
)
