"""One stylisation from start to end, in the order of neural_style.lua. Start reading the code here."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

import caffe_loader
from core import events
from core.arithmetic.allocation import return_freed_memory
from core.arithmetic.operations import Arithmetic, Array
from core.arithmetic.torch7_random import RandomState, Torch7Random
from core.devices import Placement, choose
from core.errors import CheckpointError
from core.models.registry import find_model_file
from core.network.network import LossNetwork, build_network
from core.network.optimizers import Adam, Lbfgs, Problem, SolverState
from core.pictures.images import Image, deprocess, load_image, original_colors, preprocess
from core.pictures.resize import scale, scale_to
from core.settings.neural_style import Settings

DEFAULT_CORRECTIONS = 100


class Inputs(NamedTuple):
    """The input images of a run.

    content: float64 (3, H, W), R,G,B, 0..1.
    styles, init: preprocessed, float32 (3, H, W), B,G,R. init has the size of content; None: random start.
    """

    content: Image
    styles: tuple[NDArray[np.float32], ...]
    init: NDArray[np.float32] | None


def stylize(
    settings: Settings, placement: Placement | None = None, resumed: events.CheckpointDue | None = None
) -> Iterator[events.Event]:
    """Run the algorithm of neural_style.lua. Yields an event for everything it would print or save.

    placement: arithmetic and devices; by default chosen by the flags -gpu, -arithmetic and -threads.
    resumed: a checkpoint of a run with the same flags and files. The run continues after its evaluation.

    Raises: NeuralStyleError or CaffemodelError, before or between events.
    """
    settings.validate()
    placement = placement or choose(settings)
    random = Torch7Random(state=resumed.random_start if resumed else None)
    random_start = random.state()
    path = find_model_file(settings.model_file)
    with caffe_loader.open_caffemodel(path) as model:
        chain = caffe_loader.chain(model, grouped=placement.keeps_groups(settings.backend))
        yield events.ModelLoaded((f"Successfully loaded {settings.model_file}", *chain.messages))
        inputs = load_inputs(settings)
        network = build_network(chain, settings, placement.arithmetic_of, random)
    del chain, model  # closes the mapped model file; the network has copies of the weights
    placement.check_splits(len(network.modules))
    yield events.NetworkBuilt(network)

    arithmetic = placement.first
    network.capture_content(arithmetic.array(preprocess(inputs.content)))
    for number, (style, weight) in enumerate(zip(inputs.styles, settings.blend_weights(), strict=True), 1):
        yield events.CapturingStyle(number)
        network.capture_style(arithmetic.array(style), weight)
    return_freed_memory()

    if settings.seed >= 0:
        random.seed(settings.seed)
    x = arithmetic.array(_initial_image(inputs, random))
    network.warm_up(x)
    yield events.OptimizationStarted(settings.optimizer)
    yield from _optimization(settings, network, x, random, random_start, resumed)


def _optimization(
    settings: Settings,
    network: LossNetwork,
    x: Array,
    random: Torch7Random,
    random_start: RandomState,
    resumed: events.CheckpointDue | None,
) -> Iterator[events.Event]:
    arithmetic, done = network.modules[0].arithmetic, 0
    if resumed:
        if resumed.solver.arrays["x"].shape != tuple(x.shape):
            raise CheckpointError("the picture in the checkpoint has another size; start without -resume")
        random.restore(resumed.random)
        done = resumed.number
    solver = optimizer(settings, network, x, arithmetic, resumed.solver if resumed else None)
    number = done
    for number, (losses, _) in enumerate(solver, done + 1):
        yield events.Evaluation(number, arithmetic.numpy(x), losses.content, losses.style, losses.total)
        if _checkpoint_is_due(settings, number):
            yield events.CheckpointDue(number, solver.state(), random_start, random.state())
    yield events.OptimizationFinished(settings.optimizer, number == settings.num_iterations)


def _checkpoint_is_due(settings: Settings, number: int) -> bool:
    """Whether to save a checkpoint now. Not after the last evaluation: nothing is left to resume."""
    every = settings.checkpoint_iter
    return every > 0 and number % every == 0 and number < settings.num_iterations


def load_inputs(settings: Settings) -> Inputs:
    """Load, scale and preprocess all input images of a run. Raises: ImageError."""
    content = scale(load_image(settings.content_image), settings.image_size)
    style_size = math.ceil(settings.style_scale * settings.image_size)
    styles = tuple(preprocess(scale(load_image(path), style_size)) for path in settings.style_image)
    init = preprocess(content) if settings.init == "image" else None
    if settings.init_image:  # read even with -init random, which does not use it, as in the original
        picture = load_image(settings.init_image)
        if settings.init == "image":
            init = preprocess(scale_to(picture, content.shape[1], content.shape[2]))
    return Inputs(content, styles, init)


def optimizer(
    settings: Settings,
    network: LossNetwork,
    x: Array,
    arithmetic: Arithmetic,
    state: SolverState | None = None,
) -> Lbfgs | Adam:
    """The optimiser chosen by the flags. It changes ``x`` in place. state: where to continue, if resumed."""
    problem = Problem(network.evaluate, x, arithmetic, settings.num_iterations)
    if settings.optimizer == "adam":
        return Adam(problem, settings.learning_rate, state)
    corrections = (
        int(settings.lbfgs_num_correction) if settings.lbfgs_num_correction > 0 else DEFAULT_CORRECTIONS
    )
    return Lbfgs(problem, corrections, state)


def output_image(settings: Settings, evaluation: events.Evaluation) -> Image:
    """The result of an evaluation, float64 (3, H, W), R,G,B, not clamped. Applies -original_colors."""
    generated = deprocess(evaluation.x)
    if settings.original_colors != 1:
        return generated
    return original_colors(scale(load_image(settings.content_image), settings.image_size), generated)


def _initial_image(inputs: Inputs, random: Torch7Random) -> NDArray[np.float32]:
    """The init image, or noise: float64 normal numbers, rounded to float32, times float32(0.001)."""
    if inputs.init is not None:
        return inputs.init
    return random.normal(inputs.content.shape).astype(np.float32) * np.float32(0.001)
