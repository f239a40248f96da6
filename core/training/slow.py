"""Optimises one picture with the losses of the training, as slow_neural_style.lua (813c834) does.

| step       | dtype   | shape        | values                                                |
|------------|---------|--------------|-------------------------------------------------------|
| load_image | float64 | (3, H, W)    | R,G,B, 0..1                                           |
| scale      | float64 | (3, h, w)    | the same; longer side -image_size, -style_image_size  |
| encode     | float32 | (1, 3, h, w) | the loss network's own, as -preprocessing says        |
| start      | float32 | (3, h, w)    | normal noise of deviation 1 in the network's space    |
| decode     | float64 | (3, h, w)    | R,G,B, about 0..1, not clamped; there is no median    |
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from core.arithmetic.torch7_random import Torch7Random
from core.devices import Placement, choose_native
from core.errors import NetworkError
from core.events import Evaluation, Event, SolverMessage
from core.network.optimizers import Adam, Lbfgs, Problem, Tolerances
from core.pictures.images import Image, load_image
from core.pictures.resize import scale
from core.settings.checks import weights_by_layer
from core.settings.slow_neural_style import SlowSettings
from core.training.loss_network import load_loss_network
from core.training.perceptual_loss import PerceptualLoss
from core.transform.networks.layers import TotalVariation
from core.transform.pixels import FORMATS

CORRECTIONS = 100
TOLERANCES = Tolerances(gradient=1e-5, step=0.0)


class Values(NamedTuple):
    """The losses of one evaluation by layer, including weights, and their sum in double precision.

    Total variation and DeepDream layers are not included.
    """

    content: tuple[float, ...]
    style: tuple[float, ...]
    total: float


def optimise(settings: SlowSettings, placement: Placement | None = None) -> Iterator[Event]:
    """Run the original program's algorithm; yields an event for everything it prints or saves.

    An evaluation's ``x`` is float32 (3, h, w) in the loss network's pixel format. placement: by default
    chosen by -gpu and -threads.

    Raises: NeuralStyleError or CaffemodelError, before or between events.
    """
    settings.validate()
    placement = placement or choose_native(settings.gpu, settings.threads)
    torch.backends.cudnn.enabled = bool(settings.use_cudnn)
    torch.backends.cudnn.deterministic = True  # the same seed gives the same picture
    arithmetic = placement.first
    content = _loaded(settings.content_image, settings.image_size)
    objective = Objective(settings, content, torch.device(placement.devices[0]))
    x = arithmetic.array(start(settings.seed, content.shape))
    yield from _events(_solver(settings, objective, x, placement), placement, x)


def start(seed: float, shape: Sequence[int]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """The initial noise: torch.randn in double precision, then rounded. A seed below 0 gives new noise."""
    random = Torch7Random(seed if seed >= 0 else None)
    return random.normal(tuple(shape)).astype(np.float32)


def output_image(settings: SlowSettings, evaluation: Evaluation) -> Image:
    """The picture of an evaluation, float64 (3, h, w), RGB, values about 0 to 1, not clamped."""
    return FORMATS[settings.preprocessing].decode(evaluation.x).astype(np.float64)


class Objective:
    """The loss and its gradient as a function of the picture.

    content: the scaled content, float64 (3, h, w), RGB. Raises: NeuralStyleError, CaffemodelError: the loss
    network or a picture cannot be used.
    """

    def __init__(self, settings: SlowSettings, content: Image, device: torch.device) -> None:
        self._name = settings.content_image
        wanted = [weights_by_layer(settings, kind) for kind in ("content", "style", "deepdream")]
        network = load_loss_network(settings.loss_network, [layer for kind in wanted for layer in kind])
        self._criterion = PerceptualLoss(
            network, *wanted, target=settings.style_target_type, distance=settings.loss_type
        ).to(device)
        self._smoothing = TotalVariation(max(settings.tv_strength, 0.0))
        encode = FORMATS[settings.preprocessing].encode
        with _suits(settings.content_image, content.shape, "-image_size"):
            self._content = self._criterion.content_targets(
                torch.tensor(encode(content)[None], device=device)
            )
        style = _loaded(settings.style_image, settings.style_image_size)
        with _suits(settings.style_image, style.shape, "-style_image_size"):
            self._criterion.set_style(torch.tensor(encode(style)[None], device=device))

    def __call__(self, x: Tensor) -> tuple[Values, Tensor]:
        """The losses for x (3, h, w), and the gradient, including total variation and DeepDream layers."""
        picture = x.detach().requires_grad_()
        with _suits(self._name, x.shape, "-image_size"):
            losses = self._criterion(self._smoothing(picture[None]), self._content)
            (gradient,) = torch.autograd.grad(losses.total, picture)
        each = torch.stack([*losses.content.values(), *losses.style.values(), losses.dream]).tolist()
        contents = len(losses.content)
        return Values(tuple(each[:contents]), tuple(each[contents:-1]), sum(each)), gradient


def _loaded(path: str, longer_side: float) -> Image:
    return scale(load_image(path), longer_side)


@contextmanager
def _suits(path: str, shape: Sequence[int], flag: str) -> Iterator[None]:
    """Raises: NetworkError: the picture in the block is too small for the network or too large for memory."""
    try:
        yield
    except RuntimeError as error:
        reason = str(error).strip().partition("\n")[0]
        raise NetworkError(
            f"{path}: the loss network cannot run on {shape[2]}x{shape[1]} pixels; try another {flag} "
            f"({reason})"
        ) from None


def _solver(settings: SlowSettings, objective: Objective, x: Tensor, placement: Placement) -> Lbfgs | Adam:
    problem = Problem(objective, x, placement.first, settings.num_iterations)
    if settings.optimizer == "adam":
        return Adam(problem, settings.learning_rate)
    return Lbfgs(problem, CORRECTIONS, learning_rate=settings.learning_rate, tolerances=TOLERANCES)


def _events(solver: Lbfgs | Adam, placement: Placement, x: Tensor) -> Iterator[Event]:
    for number, (values, _) in enumerate(solver, 1):
        yield Evaluation(number, placement.first.numpy(x), *values)
        if isinstance(solver, Lbfgs) and number == 1 and not solver.gradient_vanished:
            yield SolverMessage("creating recyclable direction/step/history buffers")
    if isinstance(solver, Lbfgs) and solver.ended:
        yield SolverMessage(solver.ended)
