"""The lines that train.lua prints for the events of a training."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from core.settings.neural_style import format_number
from core.settings.training import TrainSettings
from core.training import events
from core.training.checkpoints import state_file
from core.training.torch7_text import torch7_text


def log_lines(event: events.Event, settings: TrainSettings, resumed: bool = False) -> Iterator[str]:
    """The lines that train.lua prints for ``event``."""
    if isinstance(event, events.NetworkReady):
        yield from _beginning(event, settings, resumed)
    elif isinstance(event, events.Step):
        total = format_number(settings.num_iterations)
        yield (
            f"Epoch {event.epoch:f}, Iteration {event.iteration} / {total}, loss = {event.loss:f}\t"
            f"{format_number(event.learning_rate)}"
        )
    elif isinstance(event, events.ValidationStarted):
        yield "Running on validation set ... "
    elif isinstance(event, events.Validated):
        yield f"val loss = {event.loss:f}"


def _beginning(ready: events.NetworkReady, settings: TrainSettings, resumed: bool) -> Iterator[str]:
    """As in train.lua, a new network is printed without the reflection padding that step 1 inserts."""
    network: nn.Module = ready.start.network
    if resumed:
        yield f"Loading checkpoint from {state_file(settings.checkpoint_name)}"
    elif settings.resume_from_checkpoint:
        yield f"Loading checkpoint from {settings.resume_from_checkpoint}"
    else:
        yield "Initializing model from scratch"
        network = ready.start.network[1:] if ready.start.architecture.reflection else network
    yield torch7_text(network)
