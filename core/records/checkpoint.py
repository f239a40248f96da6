"""Checkpoints: the state of a run on disk, written by -checkpoint_iter and read by -resume.

A checkpoint is a safetensors file with the arrays of the optimiser and of the random generator and the losses
so far. Its metadata holds the scalars and the identity of the run (see run_identity) as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.arithmetic.torch7_random import RandomState
from core.atomic import folder_beside, path_when_complete, remove_unfinished
from core.errors import CheckpointError
from core.events import CheckpointDue
from core.network.optimizers import SolverState
from core.records.identity import differences
from core.records.records import Record
from core.settings.neural_style import Settings

KEY = "neural_style.run"
FORMAT = 1
TWISTER_WORDS = 624
NOT_DECIDING = frozenset(("save_iter", "num_iterations", "png_text"))
REQUIRED = {"lbfgs": {"x", "g"}, "adam": {"x", "g", "m", "v"}}


@dataclass(frozen=True)
class Checkpoint:
    """The state of a run after an evaluation.

    identity: the flags, inputs and arithmetic that determine the result.
    losses: float64, one row per evaluation: content losses, style losses, total.
    seconds: float64, time since the start, one number per evaluation.
    """

    identity: Record
    due: CheckpointDue
    losses: NDArray[np.float64]
    seconds: NDArray[np.float64]


def checkpoint_file(output_image: str) -> Path:
    """The checkpoint file of a run, beside its output image."""
    return Path(f"{output_image}.checkpoint")


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint. The file appears complete or not at all. Raises: CheckpointError."""
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    due = checkpoint.due
    arrays: dict[str, NDArray[Any]] = {f"solver.{name}": array for name, array in due.solver.arrays.items()}
    arrays |= {"random": due.random.key, "random_start": due.random_start.key}
    arrays |= {"losses": checkpoint.losses, "seconds": checkpoint.seconds}
    described = {
        "format": FORMAT,
        "identity": checkpoint.identity,
        "number": due.number,
        "scalars": dict(due.solver.scalars),
        "random": [due.random.position, due.random.cached],
        "random_start": [due.random_start.position, due.random_start.cached],
    }
    try:
        remove_unfinished(path)
        with path_when_complete(path) as unfinished, folder_beside(path) as folder:
            save_file(arrays, folder / path.name, metadata={KEY: json.dumps(described)})
            (folder / path.name).replace(unfinished)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path}: cannot be written: {error}") from None


def load_checkpoint(path: Path, identity: Record) -> Checkpoint:
    """Read a checkpoint and check that it belongs to a run with this ``identity``.

    Raises: CheckpointError: it is damaged, or belongs to a run with other flags, inputs or weights.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "numpy") as file:
            described = json.loads((file.metadata() or {}).get(KEY, "null"))
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (not a dict)
        checkpoint = _restored(described, arrays)
        changed = differences(checkpoint.identity, identity, Settings, NOT_DECIDING)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, AttributeError, RecursionError):
        raise CheckpointError(
            f"{path}: not a checkpoint, or damaged; delete it and start without -resume"
        ) from None
    if changed:
        raise CheckpointError(
            f"{path}: belongs to another run: {'; '.join(changed)}. Use the flags and files of that run, or "
            "start without -resume"
        )
    return checkpoint


def _restored(described: Any, arrays: Mapping[str, NDArray[Any]]) -> Checkpoint:
    """The checkpoint from its file's contents. Raises: KeyError, TypeError or ValueError if it is damaged."""
    if described["format"] != FORMAT:
        raise ValueError("another format")
    number = int(described["number"])
    solver = SolverState(
        {
            name.removeprefix("solver."): _checked(array, np.float32)
            for name, array in arrays.items()
            if name.startswith("solver.")
        },
        {name: float(value) for name, value in described["scalars"].items()},
    )
    _check_solver(solver, described["identity"]["settings"]["optimizer"])
    due = CheckpointDue(
        number,
        solver,
        _random(arrays["random_start"], *described["random_start"]),
        _random(arrays["random"], *described["random"]),
    )
    losses, seconds = _checked(arrays["losses"], np.float64), _checked(arrays["seconds"], np.float64)
    if losses.ndim != 2 or len(losses) != number or seconds.shape != (number,):
        raise ValueError("the losses are not those of all evaluations")
    return Checkpoint(described["identity"], due, losses, seconds)


def _check_solver(solver: SolverState, optimizer: str) -> None:
    arrays, scalars = solver.arrays, solver.scalars
    pairs = range(sum(name.startswith("rho_") for name in scalars))
    needed: set[str] = REQUIRED[optimizer] | {f"{letter}_{number}" for number in pairs for letter in "sy"}
    known: Sequence[str] = ("iteration", "initial_scale", "t") if optimizer == "lbfgs" else ("t",)
    shapes = {array.shape for array in arrays.values()}
    if needed - arrays.keys() or len(shapes) != 1 or set(known) - scalars.keys():
        raise ValueError("the solver's state is not complete")
    if ("d" in arrays) != ("g_previous" in arrays):
        raise ValueError("a direction without the gradient before it")


def _random(key: NDArray[Any], position: int, cached: float | None) -> RandomState:
    if key.shape != (TWISTER_WORDS,) or not 0 <= position <= TWISTER_WORDS:
        raise ValueError("no Mersenne Twister")
    return RandomState(_checked(key, np.uint32), position, None if cached is None else float(cached))


def _checked(array: NDArray[Any], dtype: type[np.generic]) -> NDArray[Any]:
    if array.dtype != dtype:
        raise ValueError(f"should be {dtype.__name__}")
    return array
