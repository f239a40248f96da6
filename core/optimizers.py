"""Torch7's L-BFGS and Adam as generators: one item per evaluation of the objective, before the next step.

Vectors are float32, scalars float64, each rounded to float32 when it meets a vector. ``x`` is changed in
place between items. Both take N evaluations for N iterations and never evaluate after the last step, so the
picture of the N-th item is what the original saves.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from core.arithmetic import Arithmetic, Array


class Step(NamedTuple):
    """The objective's value (whatever ``evaluate`` calls so) and its gradient at the current ``x``."""

    losses: Any
    gradient: Array


Objective = Callable[[Array], tuple[Any, Array]]


class CurvaturePair(NamedTuple):
    """One entry of the L-BFGS history: s = step, y = change of the gradient, rho = 1 / (y . s)."""

    s: Array
    y: Array
    rho: float


def lbfgs(
    evaluate: Objective, x: Array, arithmetic: Arithmetic, iterations: float, corrections: int = 100
) -> Iterator[Step]:
    """Limited-memory BFGS with a fixed step of 1 and no line search.

    Matches optim.lbfgs (optim a5ceed7) with tolFun = tolX = -1, as neural_style.lua calls it: the value of
    the objective is never used, so a step may overshoot. One evaluation is made even for 0 iterations.
    """
    losses, g = evaluate(x)
    yield Step(losses, g)
    history: deque[CurvaturePair] = deque(maxlen=corrections)
    initial_scale, iteration, t = 1.0, 0, 1.0
    d = g_previous = None
    while iteration < iterations:
        iteration += 1
        if d is None:
            d = arithmetic.scaled(g, -1)
            t = min(1.0, _reciprocal(arithmetic.sum_abs(g)))
        else:
            y, s = g - g_previous, arithmetic.scaled(d, t)
            ys = arithmetic.dot(y, s)
            if ys > 1e-10:
                history.append(CurvaturePair(s, y, _reciprocal(ys)))
                initial_scale = ys / arithmetic.dot(y, y)
            d = _direction(g, history, initial_scale, arithmetic)
            t = 1.0
        g_previous = arithmetic.copy(g)
        if arithmetic.dot(g, d) > 1:
            return
        arithmetic.axpy_(t, d, x)
        if iteration == iterations:
            return
        losses, g = evaluate(x)
        yield Step(losses, g)


def _direction(
    g: Array, history: deque[CurvaturePair], initial_scale: float, arithmetic: Arithmetic
) -> Array:
    """The two-loop recursion (Nocedal 1980): minus the approximate inverse Hessian times ``g``."""
    q = arithmetic.scaled(g, -1)
    alphas = []
    for s, y, rho in reversed(history):
        alphas.append(rho * arithmetic.dot(s, q))
        arithmetic.axpy_(-alphas[-1], y, q)
    arithmetic.scale_(q, initial_scale)
    for s, y, rho in history:
        beta = rho * arithmetic.dot(y, q)
        arithmetic.axpy_(alphas.pop() - beta, s, q)
    return q


def adam(
    evaluate: Objective,
    x: Array,
    arithmetic: Arithmetic,
    iterations: float,
    learning_rate: float = 10,
    beta1: float = 0.9,
    beta2: float = 0.999,
) -> Iterator[Step]:
    """Adam (Kingma and Ba 2015), with epsilon 1e-8 added before the bias correction.

    Matches optim.adam (optim a5ceed7), called once per iteration with its state kept.
    """
    m, v = arithmetic.zeros_like(x), arithmetic.zeros_like(x)
    for t in range(1, math.floor(iterations) + 1):
        losses, g = evaluate(x)
        yield Step(losses, g)
        arithmetic.scale_(m, beta1)
        arithmetic.axpy_(1 - beta1, g, m)
        step = learning_rate * math.sqrt(1 - beta2**t) / (1 - beta1**t)
        arithmetic.adam_step_(x, m, v, g, beta2, step)


def _reciprocal(value: float) -> float:
    """``1 / value`` as in Lua, where 1 / 0 is infinite (a zero gradient is legal)."""
    return 1 / value if value else math.inf
