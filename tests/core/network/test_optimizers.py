"""Torch7's L-BFGS and Adam: the number of evaluations, the dropped last step, and simple references."""

import math

import numpy as np
import pytest
import torch

from core.arithmetic.native import NativeArithmetic
from core.arithmetic.torch7 import Torch7Arithmetic
from core.network.optimizers import Adam, Lbfgs, Problem
from tests.support.compare import assert_identical

F32 = np.float32
both = pytest.mark.parametrize(
    "arithmetic", [Torch7Arithmetic(1), NativeArithmetic(torch.device("cpu"))], ids=["torch7", "native"]
)
CURVATURE = np.array([1.0, 4.0, 9.0, 0.5, 2.0], F32)
START = np.array([3.0, -2.0, 1.0, 5.0, -4.0], F32)


def quadratic(arithmetic):
    scale = arithmetic.array(CURVATURE)
    return lambda x: (float((x * x * scale).sum()) / 2, x * scale)


def trajectory(optimizer, arithmetic, iterations, *options):
    x = arithmetic.array(START)
    steps = optimizer(Problem(quadratic(arithmetic), x, arithmetic, iterations), *options)
    return [(step.losses, arithmetic.numpy(x)) for step in steps], arithmetic.numpy(x)


def reference_lbfgs(iterations, corrections=100):
    """The two-loop recursion in float64; positions before each step."""
    x, g = START.astype(float), (START * CURVATURE).astype(float)
    pairs, points = [], [x.copy()]
    d = previous = t = None
    for k in range(1, iterations):
        if k == 1:
            d, t = -g, min(1, 1 / np.abs(g).sum())
        else:
            y, s = g - previous, d * t
            if y @ s > 1e-10:
                pairs = [*pairs, (s, y)][-corrections:]
                scale = (y @ s) / (y @ y)
            q, alphas = -g, []
            for s, y in reversed(pairs):
                alphas.append((s @ q) / (y @ s))
                q = q - alphas[-1] * y
            d, t = q * scale, 1
            for (s, y), a in zip(pairs, reversed(alphas), strict=True):
                d = d + (a - (y @ d) / (y @ s)) * s
        previous = g
        x = x + t * d
        g = x * CURVATURE
        points.append(x.copy())
    return points


@both
@pytest.mark.parametrize("corrections", [100, 2])
def test_lbfgs_follows_the_reference(arithmetic, corrections):
    points, _ = trajectory(Lbfgs, arithmetic, 7, corrections)
    for (_, ours), expected in zip(points, reference_lbfgs(7, corrections), strict=True):
        assert np.abs(ours - expected).max() < 1e-4


@both
@pytest.mark.parametrize("optimizer", [Lbfgs, Adam])
@pytest.mark.parametrize("iterations", [1, 2, 5])
def test_n_evaluations_and_a_last_step_that_nobody_sees(arithmetic, optimizer, iterations):
    points, final = trajectory(optimizer, arithmetic, iterations)
    assert len(points) == iterations
    assert_identical(points[0][1], START)
    assert not np.array_equal(points[-1][1], final)
    longer, _ = trajectory(optimizer, arithmetic, iterations + 1)
    assert_identical(longer[iterations][1], final)


def test_no_iterations():
    arithmetic = Torch7Arithmetic(1)
    points, final = trajectory(Lbfgs, arithmetic, 0)
    assert len(points) == 1  # Torch7 evaluates once before it looks at the limit
    assert_identical(final, START)
    assert trajectory(Adam, arithmetic, 0)[0] == []


@both
def test_a_zero_gradient_is_legal(arithmetic):
    x = arithmetic.array(START)
    steps = list(Lbfgs(Problem(lambda x: (0.0, arithmetic.zeros_like(x)), x, arithmetic, 4)))
    assert len(steps) == 4
    assert_identical(arithmetic.numpy(x), START)


@both
def test_adam_adds_epsilon_before_the_bias_correction(arithmetic):
    small = 1e-9  # gradients near epsilon show where it is added
    x = arithmetic.array(np.ones(3, F32))
    gradient = arithmetic.array(np.full(3, small, F32))
    steps = Adam(Problem(lambda x: (0.0, gradient), x, arithmetic, 3), 10.0)
    expected, m, v = 1.0, 0.0, 0.0
    for t, _ in enumerate(steps, 1):
        assert arithmetic.numpy(x)[0] == pytest.approx(expected, rel=1e-5)
        m, v = 0.9 * m + 0.1 * small, 0.999 * v + 0.001 * small**2
        step = 10 * math.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        expected -= step * m / (math.sqrt(v) + 1e-8)


def test_lbfgs_minimises_rosenbrock_where_its_fixed_step_allows():
    arithmetic = Torch7Arithmetic(1)

    def rosenbrock(x):
        a, b = float(x[0]), float(x[1])
        gradient = np.array([-2 * (1 - a) - 400 * a * (b - a * a), 200 * (b - a * a)], F32)
        return (1 - a) ** 2 + 100 * (b - a * a) ** 2, gradient

    x = np.array([0.8, 0.7], F32)
    *_, last = Lbfgs(Problem(rosenbrock, x, arithmetic, 60))
    assert last.losses < 1e-6
