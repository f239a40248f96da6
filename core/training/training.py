"""Trains a network, in the order of train.lua. Read this file first."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence

import torch

from core.errors import DivergenceError, NetworkError
from core.settings.training import TrainSettings
from core.training import events
from core.training.checkpoints import TrainingState
from core.training.data.batches import Batch, Batches
from core.training.distributed import Group
from core.training.history import History
from core.training.learner import Learner, prepare_device
from core.training.network_start import starting_network
from core.training.sample import Sample
from core.transform.onnx.session import first_line

EARLY = 100
ADVICE = "Try a lower -learning_rate, smaller weights, or -precision full; the last checkpoint is unchanged"
CPU = torch.device("cpu")


def train(
    settings: TrainSettings,
    batches: Batches,
    *,
    device: torch.device = CPU,
    group: Group | None = None,
    resumed: TrainingState | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[events.Event]:
    """Train a network; yields an event for everything that train.lua prints or saves.

    group: the processes that train together.  resumed: the state of an earlier training with the same flags.
    should_stop: called after each iteration; true stops the training.

    Raises: NeuralStyleError or CaffemodelError, before or between events.
    """
    settings.validate()
    group = group or Group()
    prepare_device(settings, device, group)
    history = resumed.history if resumed else History()
    batches.seek(history.iterations * int(settings.accumulate))
    first = batches.training()
    start = resumed.start if resumed else starting_network(settings, first)
    learner = Learner(settings, start, device, group, resumed)
    sample = Sample(settings, start.network, device) if settings.sample_image and group.rank == 0 else None
    yield events.NetworkReady(start, history.iterations, learner.loss.names)

    feed = itertools.chain((first,), iter(batches.training, None))
    for iteration in range(history.iterations + 1, int(settings.num_iterations) + 1):
        step = _step(
            settings, batches, learner, list(itertools.islice(feed, int(settings.accumulate))), iteration
        )
        history.add(step.loss, step.parts)
        yield step
        if iteration % settings.checkpoint_every == 0 and settings.num_val_batches > 0:
            yield events.ValidationStarted(iteration)
            loss = _finite(_validation_loss(settings, batches, learner), "the validation loss", iteration)
            history.add_validation(loss)
            yield events.Validated(iteration, history.validation[-1])
        if settings.lr_decay_every > 0 and iteration % settings.lr_decay_every == 0:
            learner.adam.decay(settings.lr_decay_factor)
        stopped = group.any(should_stop())
        if stopped or _checkpoint_is_due(settings, iteration):
            _check_numbers(learner, iteration)
            yield events.CheckpointDue(learner.state(history))
        if sample is not None and iteration % settings.sample_every == 0:
            yield events.SampleMade(iteration, sample.stylised(start.network))
        if stopped and iteration < settings.num_iterations:
            yield events.Stopped(iteration)
            return


def _step(
    settings: TrainSettings, batches: Batches, learner: Learner, taken: Sequence[Batch], iteration: int
) -> events.Step:
    """Make one step of the optimiser. Raises: DivergenceError, NetworkError."""
    learning_rate = learner.adam.learning_rate
    try:
        parts = learner.fit(taken)
    except (RuntimeError, ValueError) as error:  # pictures too small for a layer, or out of memory
        height, width = taken[0].x.shape[2:]
        raise NetworkError(
            f"cannot train on {len(taken[0].x)} pictures of {width}x{height} at once: {first_line(error)}"
        ) from None
    loss = _finite(learner.loss.total(parts), "the loss", iteration)
    epoch = _epoch(settings, batches, iteration)
    return events.Step(iteration, epoch, loss, parts, learning_rate, batches.seconds_waited)


def _check_numbers(learner: Learner, iteration: int) -> None:
    """Raises: DivergenceError: a weight or squared gradient is not finite."""
    _finite(learner.largest_weight(), "the largest weight", iteration)
    _finite(learner.adam.largest_moment(), "the largest squared gradient", iteration)


def _finite(loss: float, what: str, iteration: int) -> float:
    """The loss itself. Raises: DivergenceError: it is not finite."""
    if not math.isfinite(loss):
        raise DivergenceError(f"stopped at iteration {iteration}: {what} is {loss}. {ADVICE}")
    return loss


def _epoch(settings: TrainSettings, batches: Batches, iteration: int) -> float:
    """The epoch as train.lua computes it.

    It counts whole batches only and ignores -max_train; infinite if there is no whole batch.
    """
    whole = batches.training_size // int(settings.batch_size * settings.accumulate)
    return iteration / whole if whole else math.inf


def _validation_loss(settings: TrainSettings, batches: Batches, learner: Learner) -> float:
    batches.rewind_validation()
    number = int(settings.num_val_batches)
    losses = (learner.loss.total(learner.evaluate(batches.validation())) for _ in range(number))
    return sum(losses) / number


def _checkpoint_is_due(settings: TrainSettings, iteration: int) -> bool:
    """Whether to write a checkpoint: every -checkpoint_every iterations, early on, and at the end.

    The original writes no early checkpoint; ours reports a full disk soon.
    """
    last, every = settings.num_iterations, settings.checkpoint_every
    return iteration in (min(EARLY, every), last) or iteration % every == 0
