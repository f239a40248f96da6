"""The events of a training, in the order in which train.lua reports them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core.pictures.images import Image
from core.training.checkpoints import TrainingState
from core.training.network_start import Start


@dataclass(frozen=True)
class NetworkReady:
    """Network and losses are ready; training continues after iteration ``done``.

    names: the names of the loss's parts.
    """

    start: Start
    done: int
    names: tuple[str, ...]


@dataclass(frozen=True)
class Step:
    """One step of the optimiser.

    loss: the total loss.  parts: its parts by name (``pixel``, ``content-16``, ``style-4`` ...).
    learning_rate: that of this step.  seconds_waited: seconds waited for pictures since the start.
    """

    iteration: int
    epoch: float
    loss: float
    parts: Mapping[str, float]
    learning_rate: float
    seconds_waited: float


@dataclass(frozen=True)
class ValidationStarted:
    """Validation starts."""

    iteration: int


@dataclass(frozen=True)
class Validated:
    """Validation is done. loss: the mean total loss over the validation batches."""

    iteration: int
    loss: float


@dataclass(frozen=True)
class SampleMade:
    """The stylised sample picture, float64 (3, H, W), RGB, values about 0 to 1, not clamped."""

    iteration: int
    picture: Image


@dataclass(frozen=True)
class CheckpointDue:
    """A checkpoint should be written. state: the state of the training, valid until the next event."""

    state: TrainingState


@dataclass(frozen=True)
class Stopped:
    """The training stops early, as requested; a CheckpointDue event came before."""

    iteration: int


Event = NetworkReady | Step | ValidationStarted | Validated | SampleMade | CheckpointDue | Stopped
