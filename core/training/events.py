"""What a training reports, in the order of train.lua."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core.pictures.images import Image
from core.training.checkpoints import TrainingState
from core.training.network_start import Start


@dataclass(frozen=True)
class NetworkReady:
    """Network and losses are there; training goes on behind iteration ``done``.

    names: of the parts of the loss.
    """

    start: Start
    done: int
    names: tuple[str, ...]


@dataclass(frozen=True)
class Step:
    """One step of the optimiser.

    loss: the total.  parts: what it is made of, by name (``pixel``, ``content-16``, ``style-4`` ...).
    learning_rate: of this step.  seconds_waited: for pictures, since the start.
    """

    iteration: int
    epoch: float
    loss: float
    parts: Mapping[str, float]
    learning_rate: float
    seconds_waited: float


@dataclass(frozen=True)
class ValidationStarted:
    """The validation set is looked at."""

    iteration: int


@dataclass(frozen=True)
class Validated:
    """``loss``: the mean total over the batches of validation."""

    iteration: int
    loss: float


@dataclass(frozen=True)
class SampleMade:
    """The sample picture, stylised; float64 (3, H, W), R,G,B, not clamped."""

    iteration: int
    picture: Image


@dataclass(frozen=True)
class CheckpointDue:
    """All that the rest of the training depends on; valid until the next event is asked for."""

    state: TrainingState


@dataclass(frozen=True)
class Stopped:
    """The training ends early, as asked; a checkpoint came before."""

    iteration: int


Event = NetworkReady | Step | ValidationStarted | Validated | SampleMade | CheckpointDue | Stopped
