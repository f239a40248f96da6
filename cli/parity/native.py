"""Measure how far native arithmetic (PyTorch's kernels) is from the original, run by run."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cli.parity.reference_runs import ReferenceRun
from cli.parity.stages import Recorder
from core.arithmetic.operations import Array
from core.devices import choose
from core.events import Evaluation, NetworkBuilt
from core.network.layers import ReLU, SpatialMaxPooling
from core.network.network import LossNetwork
from core.pictures.compare import psnr
from core.pictures.images import to_bytes
from core.settings.neural_style import Settings
from core.stylization import output_image, stylize

Floats = NDArray[np.float32]
HEADER = (
    "job",
    "optimizer",
    "init",
    "first loss",
    "first grad",
    "same choice",
    "dB at 10",
    "evaluations",
    "dB at end",
)
EVALUATION = 10


@dataclass(frozen=True)
class Drift:
    """Distance of a native run from the exact one.

    first_loss: largest relative difference of a loss at the first evaluation.
    first_gradient: relative L2 distance of the first gradient.
    same_choices: the same distance when the native backward pass uses the exact run's choices: which pixel
        is a window's maximum, and which activation is positive. Where two candidates differ by a rounding,
        the other choice moves a whole gradient value; the distance without that is rounding alone.
    middle, end: PSNR in dB of the 8-bit pictures at evaluation 10 and at the last; infinite if equal.
    """

    first_loss: float
    first_gradient: float
    same_choices: float
    middle: float
    end: float
    evaluations: int


def drift(run: ReferenceRun, native: Settings) -> Drift:
    """Run a job in native and in exact arithmetic and compare; the exact run has the original's bits."""
    with tempfile.TemporaryDirectory() as folder:
        settings = run.settings(Path(folder), threads=native.threads)
        exact = _follow(settings.replace(arithmetic="torch7"))
        ours = _follow(settings.replace(arithmetic="native", gpu=native.gpu), exact.outputs)
    middle = min(EVALUATION, len(exact.pictures)) - 1
    return Drift(
        max(abs(a - b) / max(abs(b), 1e-30) for a, b in zip(ours.losses, exact.losses, strict=True)),
        _distance(ours.gradient, exact.gradient),
        _distance(ours.gradient_of_choices, exact.gradient),
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
        f"{distance.same_choices:.1e}",
        _decibels(distance.middle),
        str(distance.evaluations),
        _decibels(distance.end),
    ]


@dataclass
class _Run:
    """Losses, gradient and feature maps of the first evaluation, pictures of all."""

    losses: tuple[float, ...] = ()
    gradient: Floats = field(default_factory=lambda: np.zeros(0, np.float32))
    gradient_of_choices: Floats = field(default_factory=lambda: np.zeros(0, np.float32))
    outputs: dict[int, Floats] = field(default_factory=dict)
    pictures: list[NDArray[np.uint8]] = field(default_factory=list)


def _follow(settings: Settings, choices: dict[int, Floats] | None = None) -> _Run:
    """Run to the end. choices: feature maps of another run; a second gradient uses their choices."""
    result = _Run()
    for event in stylize(settings, choose(settings)):
        if isinstance(event, NetworkBuilt):
            network, recorder = event.network, Recorder(event.network)
        if isinstance(event, Evaluation):
            if event.number == 1:
                result.losses = (*event.content_losses, *event.style_losses, event.total)
                result.gradient, result.outputs = recorder.gradient(), recorder.outputs()
                if choices:
                    result.gradient_of_choices = _gradient_of_choices(network, event.x, choices)
            result.pictures.append(to_bytes(output_image(settings, event)))
    return result


def _gradient_of_choices(network: LossNetwork, x: Floats, outputs: dict[int, Floats]) -> Floats:
    """The gradient at ``x`` with the choices of the feature maps ``outputs``; the network is not changed."""
    usual = [module.backward for module in network.modules]
    for number, module in enumerate(network.modules, 1):
        if isinstance(module, ReLU):
            _choose(module, partial(_masked, module, module.arithmetic.array(outputs[number])))
        elif isinstance(module, SpatialMaxPooling):
            _choose(module, partial(_spread, module, module.arithmetic.array(outputs[number - 1])))
    arithmetic = network.modules[0].arithmetic
    _, gradient = network.evaluate(arithmetic.array(x))
    for module, backward in zip(network.modules, usual, strict=True):
        _choose(module, backward)
    return arithmetic.numpy(gradient)


def _choose(module: Any, backward: Callable[[Array], Array]) -> None:
    module.backward = backward


def _masked(module: ReLU, output: Array, grad: Array) -> Array:
    return module.arithmetic.mask_(grad, output)


def _spread(module: SpatialMaxPooling, x: Array, grad: Array) -> Array:
    _, where = module.arithmetic.max_pool(x, module.window)
    return module.arithmetic.max_pool_backward(grad, where, x, module.window)


def _distance(ours: Floats, exact: Floats) -> float:
    """Relative L2 distance."""
    return float(np.linalg.norm(ours - exact) / np.linalg.norm(exact))


def _decibels(value: float) -> str:
    return "equal" if math.isinf(value) else f"{value:.1f}"
