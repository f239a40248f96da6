"""slow_neural_style: losses, gradients and L-BFGS against formulas in double precision."""

import numpy as np
import pytest
import torch

import caffe_loader
from core.arithmetic.native import NativeArithmetic
from core.arithmetic.torch7_random import Torch7Random
from core.network.network import build_network
from core.network.optimizers import Lbfgs, Problem, Tolerances
from core.pictures.images import load_image, preprocess
from core.pictures.resize import scale
from core.settings.neural_style import Settings
from core.settings.slow_neural_style import SlowSettings
from core.training.loss_network import load_loss_network
from core.training.perceptual_loss import PerceptualLoss
from core.training.slow import Objective, optimise, start
from core.transform.pixels import FORMATS
from tests.conftest import GOLDEN

MODEL = str(GOLDEN / "models" / "vgg19_mini_v1.caffemodel")
PICTURES = GOLDEN / "images"
PHOTO, PAINTING = str(PICTURES / "photo.jpg"), str(PICTURES / "painting.png")
CONTENT, STYLE = ("relu2_2", "relu3_1"), ("relu1_2", "relu2_2", "relu4_1")
CPU = NativeArithmetic(torch.device("cpu"))


def settings(**changes):
    basis = SlowSettings(
        content_image=PHOTO,
        style_image=PAINTING,
        loss_network=MODEL,
        image_size=40.0,
        style_image_size=36.0,
        content_layers=CONTENT,
        content_weights=(2.0, 0.5),
        style_layers=STYLE,
        style_weights=(5.0, 1.0, 3.0),
        tv_strength=0.003,
    )
    return basis.replace(**changes)


def encoded(path, size, preprocessing="vgg"):
    return FORMATS[preprocessing].encode(scale(load_image(path), size))


def point(content):
    return (content + 20 * np.random.default_rng(5).normal(size=content.shape)).astype(np.float32)


# The losses, once more and in double precision


def activations(x):
    """Activations of x (1, 3, h, w), float64, by layer."""
    seen = {}
    for name, module in caffe_loader.load_caffemodel(MODEL).double().named_children():
        if name == "pool5":
            return seen
        x = module(x.clone())  # some of the ReLUs work in place
        seen[name] = x.clone()
    raise AssertionError


def distances(kind, a, b):
    difference = a - b
    if kind == "L2":
        return (difference**2).mean()
    size = difference.abs()
    return torch.where(size < 1, difference**2 / 2, size - 0.5).mean()


def statistic(kind, features):
    _, c, h, w = features.shape
    rows = features.reshape(c, h * w)
    return rows @ rows.T / (c * h * w) if kind == "gram" else rows.sum(1) / (h * w)


def reference(flags, x):
    """Content and style losses, and the gradient, in double precision."""
    content, style = (
        activations(torch.tensor(values[None]).double())
        for values in (
            encoded(flags.content_image, flags.image_size, flags.preprocessing),
            encoded(flags.style_image, flags.style_image_size, flags.preprocessing),
        )
    )
    picture = torch.tensor(x[None]).double().requires_grad_()
    seen = activations(picture)
    contents = [
        w * distances(flags.loss_type, seen[name], content[name].detach())
        for name, w in zip(flags.content_layers, flags.content_weights, strict=True)
    ]
    styles = [
        w
        * distances(
            flags.loss_type,
            statistic(flags.style_target_type, seen[name]),
            statistic(flags.style_target_type, style[name]).detach(),
        )
        for name, w in zip(flags.style_layers, flags.style_weights, strict=True)
    ]
    block = picture[..., :-1, :-1]
    variation = ((block - picture[..., :-1, 1:]) ** 2 + (block - picture[..., 1:, :-1]) ** 2).sum() / 2
    dreams = [
        w * (seen[name] * seen[name].detach().clamp(-100, 100)).sum()
        for name, w in zip(flags.deepdream_layers, flags.deepdream_weights, strict=True)
    ]
    loss = sum(contents) + sum(styles) + flags.tv_strength * variation - sum(dreams)
    (gradient,) = torch.autograd.grad(loss, picture)
    return [v.item() for v in contents], [v.item() for v in styles], gradient[0].numpy()


def ours(flags, x):
    content = scale(load_image(flags.content_image), flags.image_size)
    values, gradient = Objective(flags, content, torch.device("cpu"))(torch.tensor(x))
    return values, gradient.numpy()


def assert_gradients_agree(ours, expected):
    assert np.abs(ours - expected).max() < 1e-5 * np.abs(expected).max()


@pytest.mark.parametrize("loss_type", ["L2", "SmoothL1"])
@pytest.mark.parametrize("target", ["gram", "mean"])
def test_losses_and_gradient_against_formulas(loss_type, target):
    flags = settings(loss_type=loss_type, style_target_type=target)
    x = point(encoded(PHOTO, 40))
    values, gradient = ours(flags, x)
    contents, styles, expected = reference(flags, x)
    assert values.content == pytest.approx(contents, rel=1e-5)
    assert values.style == pytest.approx(styles, rel=1e-5)
    assert values.total == pytest.approx(sum(contents) + sum(styles), rel=1e-5)  # without total variation
    assert_gradients_agree(gradient, expected)


def test_preprocessing_of_resnets():
    flags = settings(preprocessing="resnet")
    x = encoded(PAINTING, 40, "resnet")
    contents, styles, expected = reference(
        flags.replace(content_image=PAINTING, style_image=PHOTO), x + np.float32(0.5)
    )
    values, gradient = ours(flags.replace(content_image=PAINTING, style_image=PHOTO), x + np.float32(0.5))
    assert (*values.content, *values.style) == pytest.approx((*contents, *styles), rel=1e-5)
    assert_gradients_agree(gradient, expected)


def test_total_variation_is_off_below_0():
    x = point(encoded(PHOTO, 40))
    _, without = ours(settings(tv_strength=0.0), x)
    _, negative = ours(settings(tv_strength=-1.0), x)
    assert np.array_equal(without, negative)
    assert settings(tv_strength=-1.0).notices() == [
        "-tv_strength -1: negative, so it is off, as in the original"
    ]


def test_deep_dream_layers_grow_and_cost_nothing():
    dream = {"deepdream_layers": ("relu2_1", "relu3_1"), "deepdream_weights": (0.25, 2.0)}
    nothing = {"content_layers": (), "content_weights": (), "style_layers": (), "style_weights": ()}
    flags = settings(**dream, **nothing, tv_strength=0.0)
    x = point(encoded(PHOTO, 40))
    values, gradient = ours(flags, x)
    assert values == ((), (), 0.0)
    seen = activations(torch.tensor(x[None]).double())
    assert seen["relu2_1"].max().item() > 100  # so that the clamp acts
    *_, expected = reference(flags, x)
    assert_gradients_agree(gradient, expected)
    _, together = ours(settings(**dream), x)
    *_, expected = reference(settings(**dream), x)
    assert_gradients_agree(together, expected)
    mean = {}
    for event in optimise(flags.replace(optimizer="adam", num_iterations=4.0, seed=1.0)):
        mean[event.number] = activations(torch.tensor(event.x[None]).double())["relu3_1"].mean().item()
    assert mean[4] > mean[1]


def test_the_same_losses_as_neural_style():
    """Both programs use means of squared differences and Gram matrices over C H W: the ratio is 1."""
    flags = Settings(
        content_layers=CONTENT, style_layers=STYLE, content_weight=3.0, style_weight=7.0, tv_weight=0.0
    )
    photo, painting = (preprocess(scale(load_image(path), 40)) for path in (PHOTO, PAINTING))
    x = torch.tensor(point(photo))
    with caffe_loader.open_caffemodel(MODEL) as model:
        network = build_network(caffe_loader.chain(model), flags, lambda number: CPU, Torch7Random(1))
    network.capture_content(torch.tensor(photo))
    network.capture_style(torch.tensor(painting), 1.0)
    theirs, their_gradient = network.evaluate(x.clone())
    loss = PerceptualLoss(
        load_loss_network(MODEL, [*CONTENT, *STYLE]), dict.fromkeys(CONTENT, 3.0), dict.fromkeys(STYLE, 7.0)
    )
    loss.set_style(torch.tensor(painting[None]))
    picture = x.clone().requires_grad_()
    found = loss(picture[None], loss.content_targets(torch.tensor(photo[None])))
    assert [v.item() for v in found.content.values()] == pytest.approx(theirs.content, rel=1e-5)
    assert [v.item() for v in found.style.values()] == pytest.approx(theirs.style, rel=1e-5)
    (gradient,) = torch.autograd.grad(found.total, picture)
    assert_gradients_agree(gradient.numpy(), their_gradient.numpy().astype(float))


# The optimiser

CURVATURE = np.array([1.0, 4.0, 9.0, 0.5, 2.0])
BEGIN = np.array([3.0, -2.0, 1.0, 5.0, -4.0])


def reference_lbfgs(iterations, rate, tolerance):
    """Points of all evaluations, and optim's last message; the inverse Hessian is a full matrix."""
    x, points, pairs = BEGIN.copy(), [BEGIN.copy()], []
    g = before = BEGIN * CURVATURE
    step = -g * min(1, 1 / np.abs(g).sum()) * rate
    if np.abs(g).sum() <= tolerance:
        return points, "optimality condition below tolFun"
    for k in range(1, iterations + 1):
        if k > 1:
            s, y = step, g - before
            if s @ y > 1e-10:
                pairs.append((s, y))
            inverse = np.eye(5) * (pairs[-1][0] @ pairs[-1][1]) / (pairs[-1][1] @ pairs[-1][1])
            for s, y in pairs:
                v = np.eye(5) - np.outer(y, s) / (y @ s)
                inverse = v.T @ inverse @ v + np.outer(s, s) / (y @ s)
            step = -rate * inverse @ g
        before, x = g, x + step
        if k == iterations:
            return points, "reached max number of iterations"
        g = x * CURVATURE
        points.append(x.copy())
        if np.abs(g).sum() <= tolerance:
            return points, "optimality condition below tolFun"
    raise AssertionError


@pytest.mark.parametrize("rate", [1.0, 0.5, 0.125])
@pytest.mark.parametrize(("iterations", "tolerance"), [(1, 1e-5), (9, 1e-5), (60, 0.5), (60, 1e9)])
def test_lbfgs_with_a_step_and_tolerances(rate, iterations, tolerance):
    scaled = torch.tensor(CURVATURE, dtype=torch.float32)
    x = torch.tensor(BEGIN, dtype=torch.float32)
    problem = Problem(lambda x: (0.0, x * scaled), x, CPU, iterations)
    solver = Lbfgs(problem, learning_rate=rate, tolerances=Tolerances(tolerance, 0.0))
    points = [x.numpy().copy() for _ in solver]
    expected, word = reference_lbfgs(iterations, rate, tolerance)
    assert len(points) == len(expected)
    assert solver.ended == word
    assert (word == "optimality condition below tolFun") == (iterations == 60)
    assert np.abs(np.array(points) - np.array(expected)).max() < 2e-4


def test_lbfgs_stops_where_the_step_vanishes():
    x = torch.tensor(BEGIN, dtype=torch.float32)
    tolerances = Tolerances(1e-5, 0.0)
    solver = Lbfgs(Problem(lambda x: (0.0, x), x, CPU, 9), learning_rate=0.0, tolerances=tolerances)
    assert len(list(solver)) == 2
    assert solver.ended == "step size below tolX"


def test_lbfgs_takes_no_step_uphill(monkeypatch):
    x = torch.tensor([0.5, 0.5])  # the slope is 0.5: without tolerances optim allows up to 1
    solver = Lbfgs(Problem(lambda x: (0.0, x.clone()), x, CPU, 9), tolerances=Tolerances(1e-5, 0.0))
    monkeypatch.setattr(solver, "_choose_direction", lambda: setattr(solver, "_d", solver._g))
    assert len(list(solver)) == 1
    assert solver.ended == ""  # optim says nothing either
    assert x.tolist() == [0.5, 0.5]


def test_without_tolerances_a_zero_gradient_goes_on():
    x = torch.tensor(BEGIN, dtype=torch.float32)
    solver = Lbfgs(Problem(lambda x: (0.0, torch.zeros_like(x)), x, CPU, 4))
    assert len(list(solver)) == 4
    assert solver.ended == "reached max number of iterations"


def test_the_start_is_torch_s_noise():
    assert start(7.0, (3, 4, 5)).tobytes() == Torch7Random(7).normal((3, 4, 5)).astype(np.float32).tobytes()
    event = next(iter(optimise(settings(seed=7.0))))
    assert event.x.tobytes() == start(7.0, (3, 30, 40)).tobytes()
    assert not np.array_equal(start(-1.0, (3, 4, 5)), start(-1.0, (3, 4, 5)))
