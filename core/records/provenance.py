"""The record of a run of ``neural_style``: flags, inputs, weights, arithmetic and losses."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.arithmetic.cores import available_cores
from core.arithmetic.torch7 import products_in_use
from core.devices import Placement
from core.events import CheckpointDue, Evaluation
from core.pictures.images import Image, to_bytes
from core.records import records
from core.records.checkpoint import Checkpoint, checkpoint_file, save_checkpoint
from core.records.identity import NUMERIC_VERSION
from core.settings.neural_style import Settings
from core.settings.slow_neural_style import SlowSettings

PROGRAM = "neural_style"
PACKAGES = ("torch", "numpy", "scipy", "pillow")
NOT_SHAPING = (
    *("threads", "seconds", "print_iter", "save_iter", "checkpoint_iter", "output_image", "png_text"),
    *("print_every", "save_every"),  # of slow_neural_style
)
INPUTS = ("content_image", "style_image", "init_image")


class Provenance:
    """Collects the record of a run while it runs.

    Files are hashed in another thread, because large models take seconds.
    resumed: the checkpoint from which the run continues.
    identity: the function that makes the identity of the run; by default :func:`run_identity`.
    """

    def __init__(
        self,
        settings: Settings | SlowSettings,
        placement: Placement,
        resumed: Checkpoint | None = None,
        identity: Callable[[Any, Placement], records.Record] | None = None,
    ) -> None:
        self._settings = settings
        known: Callable[[Any, Placement], records.Record] = identity or run_identity
        self._started = time.perf_counter()
        self._losses: list[NDArray[np.float64]] = []
        self._seconds: list[float] = []
        if resumed:
            self._losses, self._seconds = list(resumed.losses), resumed.seconds.tolist()
            self._started -= self._seconds[-1]
        pool = ThreadPoolExecutor(1)
        self._identity = pool.submit(known, settings, placement)
        pool.shutdown(wait=False)

    def add(self, evaluation: Evaluation) -> None:
        """Add the losses of an evaluation. Call it for every evaluation."""
        losses = (*evaluation.content_losses, *evaluation.style_losses, evaluation.total)
        self._losses.append(np.array(losses, np.float64))
        self._seconds.append(time.perf_counter() - self._started)

    def save(self, path: str | os.PathLike[str], picture: Image, evaluation: Evaluation, **more: Any) -> None:
        """Write a picture and its record, with the entries of ``more``. Raises: ImageError."""
        records.save_with_record(
            path,
            picture,
            {**self._record(picture, evaluation), **more},
            NOT_SHAPING,
            seconds_to_first=round(self._seconds[0], 3),
            trace=self._totals(),
            layer_losses=[row[:-1].tolist() for row in self._losses],
        )

    def save_checkpoint(self, due: CheckpointDue) -> None:
        """Write the checkpoint file beside the output image. Raises: CheckpointError."""
        checkpoint = Checkpoint(
            self._identity.result(), due, np.array(self._losses), np.array(self._seconds, np.float64)
        )
        save_checkpoint(checkpoint_file(self._settings.output_image), checkpoint)

    def _totals(self) -> list[str]:
        return [repr(float(row[-1])) for row in self._losses]

    def _record(self, picture: Image, evaluation: Evaluation) -> records.Record:
        return {
            **self._identity.result(),
            "threads": int(self._settings.threads) or available_cores(),
            "environment": environment(),
            "seconds": round(time.perf_counter() - self._started, 3),
            "evaluation": evaluation.number,
            "losses": {
                "content": list(evaluation.content_losses),
                "style": list(evaluation.style_losses),
                "total": evaluation.total,
            },
            "trace_sha256": trace_digest(self._totals()),
            "pixels_sha256": records.pixels_digest(to_bytes(picture)),
        }


def run_identity(settings: Settings, placement: Placement) -> records.Record:
    """The part of a record that determines the result. It is known before the run."""
    return {
        **records.new_record(PROGRAM, settings),
        "inputs": _hashed_inputs(settings),
        "numeric_version": NUMERIC_VERSION,
        "arithmetic": placement.kind,
        "devices": list(placement.devices),
    }


def environment() -> dict[str, str]:
    """What can change the result besides the flags: package versions and what computes products."""
    return {
        **records.machine(),
        "products": products_in_use().description,
        **{name: records.package_version(name) for name in PACKAGES},
    }


def _hashed_inputs(settings: Settings) -> dict[str, list[dict[str, str]]]:
    files = {name: getattr(settings, name) for name in INPUTS}
    named = {
        name: [value] if isinstance(value, str) else list(value) for name, value in files.items() if value
    }
    if settings.init != "image":
        named.pop("init_image", None)
    found = {name: [records.hashed_file(path) for path in paths] for name, paths in named.items()}
    found["model_file"] = [records.hashed_model(settings.model_file)]
    return found


def trace_digest(totals: list[str]) -> str:
    """sha256 of the total losses of all evaluations so far, one per line, as written by Python's ``repr``."""
    return hashlib.sha256("\n".join(totals).encode()).hexdigest()
