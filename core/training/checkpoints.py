"""Saves and loads the state of a training for -resume: ``CHECKPOINT_NAME.state.safetensors``.

Weights, statistics and moments are stored as tensors, losses as float64 tensors, the rest as JSON in the
metadata. No random state is stored: only the first weights are random, and the iteration gives the position
in the data.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from core.atomic import remove_unfinished, replaced_when_complete
from core.errors import CheckpointError, NeuralStyleError
from core.records.identity import NUMERIC_VERSION, differences
from core.records.records import Record, hashed_file, hashed_model, without_folders
from core.settings.training import TrainSettings
from core.training.adam import AdamState
from core.training.data.fingerprint import training_pictures
from core.training.history import History
from core.training.network_start import Start, with_inherited
from core.transform.networks.architecture import Architecture, build

KEY = "neural_style.training"
FORMAT = 1
NOT_DECIDING = frozenset(
    (
        *("num_iterations", "checkpoint_every", "num_val_batches", "sample_every", "export_onnx", "workers"),
        *("use_cudnn", "backend"),
    )
)


@dataclass(frozen=True)
class TrainingState:
    """The state of a training between two iterations. scaler: state of GradScaler, empty if unused."""

    start: Start
    adam: AdamState
    history: History
    scaler: dict[str, Any]


def state_file(checkpoint_name: str) -> Path:
    """The file with the state of a training."""
    return Path(f"{checkpoint_name}.state.safetensors")


def network_file(checkpoint_name: str) -> Path:
    """The file with the network of a training."""
    return Path(f"{checkpoint_name}.safetensors")


def history_file(checkpoint_name: str) -> Path:
    """The file with the losses of a training."""
    return Path(f"{checkpoint_name}.json")


def onnx_file(checkpoint_name: str) -> Path:
    """The ONNX file of the network, written at the end of the training."""
    return Path(f"{checkpoint_name}.onnx")


def files_of(settings: TrainSettings) -> list[Path]:
    """All files of a finished training, the state first."""
    name = settings.checkpoint_name
    kept = [state_file(name), network_file(name), history_file(name)]
    return [*kept, onnx_file(name)] if settings.export_onnx else kept


def run_identity(settings: TrainSettings) -> Record:
    """The settings and inputs that the weights depend on; validation pictures are not among them."""
    inputs = training_pictures(settings)
    if settings.percep_loss_weight > 0:
        inputs["loss_network"] = [hashed_model(settings.loss_network)]
    if settings.style_layers:
        inputs["style_image"] = [hashed_file(settings.style_image)]
    first = settings.resume_from_checkpoint
    if first and Path(first).absolute() != network_file(settings.checkpoint_name).absolute():
        inputs["resume_from_checkpoint"] = [hashed_file(first)]
    return {
        "settings": without_folders(settings),
        "inputs": inputs,
        "numeric_version": NUMERIC_VERSION,
    }


def save_state(path: Path, identity: Record, state: TrainingState) -> None:
    """Write the state, never a partial file. Raises: CheckpointError."""
    from safetensors.torch import save

    described = {
        "format": FORMAT,
        "identity": identity,
        "architecture": asdict(state.start.architecture),
        "steps": state.adam.steps,
        "learning_rate": state.adam.learning_rate,
        "scaler": state.scaler,
    }
    try:
        remove_unfinished(path)
        with replaced_when_complete(path) as file:
            file.write(save(dict(_tensors(state)), metadata={KEY: json.dumps(described)}))
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be written: {error.strerror}") from None


def _tensors(state: TrainingState) -> Iterator[tuple[str, Tensor]]:
    for name, tensor in state.start.network.state_dict().items():
        yield f"network.{name}", tensor.contiguous()
    yield "adam.first", state.adam.first
    yield "adam.second", state.adam.second
    history = state.history
    yield "history.total", torch.tensor(history.total, dtype=torch.float64)
    yield "history.validation", torch.tensor(history.validation, dtype=torch.float64)
    yield "history.validated_at", torch.tensor(history.validated_at, dtype=torch.int64)
    for name, values in history.parts.items():
        yield f"history.parts.{name}", torch.tensor(values, dtype=torch.float64)


def load_state(path: Path, settings: TrainSettings) -> TrainingState:
    """Read the state of a training with the same settings and inputs.

    Raises: CheckpointError: it is damaged, or from a training with other flags, loss network or style.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            described = json.loads((file.metadata() or {}).get(KEY, "null"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (not a dict)
        changed = differences(described["identity"], run_identity(settings), TrainSettings, NOT_DECIDING)
        state = _restored(described, tensors)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, AttributeError, RuntimeError):
        raise CheckpointError(
            f"{path}: damaged, or not the state of a training; delete it and start without -resume"
        ) from None
    if changed:
        raise CheckpointError(
            f"{path}: from another training: {'; '.join(changed)}. Use the flags of that training, or start "
            "without -resume"
        )
    return state


def why_stale(settings: TrainSettings, given: Collection[str]) -> list[str]:
    """The reasons why the training is not finished and up to date, one sentence each; none if it is.

    given: names of the flags that the user set.
    """
    missing = [f"there is no {path}" for path in files_of(settings) if not path.exists()]
    if missing:
        return missing[:1]
    try:
        settings = with_inherited(settings.completed(given), given)
        done = load_state(state_file(settings.checkpoint_name), settings).history.iterations
    except NeuralStyleError as error:
        return [str(error)]
    wanted = int(settings.num_iterations)
    return [] if done >= wanted else [f"stopped at iteration {done} of {wanted}"]


def _restored(described: Any, tensors: dict[str, Tensor]) -> TrainingState:
    """The state from its parts. Raises KeyError, TypeError, ValueError or RuntimeError if it is damaged."""
    if described["format"] != FORMAT:
        raise ValueError("unknown format")
    architecture = Architecture(**described["architecture"])
    network = build(architecture)
    network.load_state_dict(_below("network.", tensors))
    adam = AdamState(
        int(described["steps"]),
        float(described["learning_rate"]),
        tensors["adam.first"],
        tensors["adam.second"],
    )
    count = sum(parameter.numel() for parameter in network.parameters())
    if not adam.first.shape == adam.second.shape == (count,):
        raise ValueError("the moments do not fit the network")
    history = History(
        tensors["history.total"].tolist(),
        {name: values.tolist() for name, values in _below("history.parts.", tensors).items()},
        tensors["history.validation"].tolist(),
        tensors["history.validated_at"].tolist(),
    )
    return TrainingState(Start(architecture, network), adam, history, dict(described["scaler"]))


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name[len(prefix) :]: value for name, value in tensors.items() if name.startswith(prefix)}
