"""How far native arithmetic (PyTorch's kernels) is from the original, run by run."""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cli.parity_stages import Recorder
from cli.reference_runs import ReferenceRun
from core.devices import choose
from core.events import Evaluation, NetworkBuilt
from core.images import to_bytes
from core.settings import Settings
from core.stylize import output_image, stylize

HEADER = ("job", "optimizer", "init", "first loss", "first grad", "dB at 10", "at", "dB at end")
EVALUATION = 10


@dataclass(frozen=True)
class Drift:
    """Distance of a native run from the exact one.

    first_loss: largest relative difference of a loss at the first evaluation.
    first_gradient: relative L2 distance of the first gradient.
    middle, end: PSNR in dB of the 8-bit pictures at evaluation 10 and at the last; infinite if equal.
    """

    first_loss: float
    first_gradient: float
    middle: float
    end: float
    evaluations: int


def drift(run: ReferenceRun, native: Settings) -> Drift:
    """Run a job natively and exactly and compare the two; the exact one is the original's, bit for bit."""
    with tempfile.TemporaryDirectory() as folder:
        settings = run.settings(Path(folder))
        exact = _pictures(settings.replace(arithmetic="torch7", threads=native.threads))
        ours = _pictures(settings.replace(arithmetic="native", gpu=native.gpu, threads=native.threads))
    middle = min(EVALUATION, len(exact.pictures)) - 1
    return Drift(
        max(abs(a - b) / max(abs(b), 1e-30) for a, b in zip(ours.losses, exact.losses, strict=True)),
        float(np.linalg.norm(ours.gradient - exact.gradient) / np.linalg.norm(exact.gradient)),
        psnr(ours.pictures[middle], exact.pictures[middle]),
        psnr(ours.pictures[-1], exact.pictures[-1]),
        len(exact.pictures),
    )


def drift_row(run: ReferenceRun, native: Settings) -> list[str]:
    """A row under :data:`HEADER`."""
    settings, distance = run.settings(Path()), drift(run, native)
    return [
        run.name,
        settings.optimizer,
        settings.init,
        f"{distance.first_loss:.1e}",
        f"{distance.first_gradient:.1e}",
        _decibels(distance.middle),
        str(distance.evaluations),
        _decibels(distance.end),
    ]


@dataclass
class _Pictures:
    losses: tuple[float, ...]
    gradient: NDArray[np.float32]
    pictures: list[NDArray[np.uint8]]


def _pictures(settings: Settings) -> _Pictures:
    """Losses and gradient of the first evaluation, pictures of the tenth and of the last, and between."""
    recorder: Recorder | None = None
    result = _Pictures((), np.zeros(0, np.float32), [])
    for event in stylize(settings, choose(settings)):
        if isinstance(event, NetworkBuilt):
            recorder = Recorder(event.network)
        if isinstance(event, Evaluation) and recorder:
            if event.number == 1:
                result.losses = (*event.content_losses, *event.style_losses, event.total)
                result.gradient = next(
                    value for _, name, value in islice(recorder.arrays(event), 2) if name == "grad_1"
                )
            result.pictures.append(to_bytes(output_image(settings, event)))
    return result


def psnr(ours: NDArray[np.uint8], original: NDArray[np.uint8]) -> float:
    """Peak signal-to-noise ratio of two 8-bit pictures in dB; infinite if they are equal."""
    error = float(np.mean((ours.astype(np.float64) - original.astype(np.float64)) ** 2))
    return 10 * math.log10(255**2 / error) if error else math.inf


def _decibels(value: float) -> str:
    return "equal" if math.isinf(value) else f"{value:.1f}"
