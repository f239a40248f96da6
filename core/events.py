"""What a run reports, in the order of the original program; ``core`` itself prints nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.arithmetic.torch7_random import RandomState
from core.network.network import LossNetwork
from core.network.optimizers import SolverState


@dataclass(frozen=True)
class ModelLoaded:
    """The model file was read; ``messages`` are loadcaffe's own lines, "Successfully loaded ..." first."""

    messages: tuple[str, ...]


@dataclass(frozen=True)
class NetworkBuilt:
    """Losses were inserted and the network truncated after the last of them.

    ``network.messages`` are the lines "Replacing ..." and "Setting up ..."; ``str`` of one of its modules is
    Torch7's description, such as ``nn.SpatialConvolution(3 -> 64, 3x3, 1,1, 1,1)``.
    """

    network: LossNetwork


@dataclass(frozen=True)
class CapturingStyle:
    """The targets of style image ``number`` (1-based) are about to be captured."""

    number: int


@dataclass(frozen=True)
class OptimizationStarted:
    """``optimizer`` is 'lbfgs' or 'adam'; the initial image is ready."""

    optimizer: str


@dataclass(frozen=True)
class Evaluation:
    """One evaluation of losses and gradient, before the optimiser's step.

    number: 1-based count of evaluations, the ``t`` of the original.
    x: float32 (3, H, W), B,G,R, mean subtracted, in the range of 0..256; a copy, safe to keep.
    content_losses, style_losses: in network order, strength included.
    total: their sum in the original's order (total variation is never part of it).
    """

    number: int
    x: NDArray[np.float32]
    content_losses: tuple[float, ...]
    style_losses: tuple[float, ...]
    total: float


@dataclass(frozen=True)
class SolverMessage:
    """What optim.lbfgs says of itself; ``text`` without its name in front."""

    text: str


@dataclass(frozen=True)
class OptimizationFinished:
    """The optimiser stopped after its last evaluation; ``reached_maximum`` is false if it stopped early."""

    optimizer: str
    reached_maximum: bool


@dataclass(frozen=True)
class CheckpointDue:
    """All that the rest of the run depends on, after evaluation ``number`` (and before the next step).

    random_start, random: the generator at the start of the run (active dropout shapes the targets) and now.
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
