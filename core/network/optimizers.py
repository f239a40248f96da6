"""Torch7's L-BFGS and Adam as iterators: one item per evaluation of the objective, before the next step.

Vectors are float32. Scalars are float64, rounded to float32 when combined with a vector. ``x`` is changed in
place between items. Both make N evaluations for N iterations and none after the last step. So the picture of
the N-th item is what the original saves. :meth:`state` is the complete state between two items: an optimiser
made from it continues with the next step, bit for bit.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.arithmetic.operations import Arithmetic, Array


class Step(NamedTuple):
    """The losses (as ``evaluate`` returns them) and the gradient at the current ``x``."""

    losses: Any
    gradient: Array


Objective = Callable[[Array], tuple[Any, Array]]
REACHED_MAXIMUM = "reached max number of iterations"
GRADIENT_VANISHED = "optimality condition below tolFun"
STEP_VANISHED = "step size below tolX"


@dataclass(frozen=True)
class SolverState:
    """The state of an optimiser between two items: scalars, and float32 arrays with the shape of ``x``."""

    arrays: Mapping[str, NDArray[np.float32]]
    scalars: Mapping[str, float]


@dataclass(frozen=True)
class Problem:
    """The function that an optimiser minimises, its start and its limit.

    evaluate: returns (losses, gradient) for ``x``.
    x: the initial image, float32; changed in place.
    iterations: maximum number of evaluations.
    """

    evaluate: Objective
    x: Array
    arithmetic: Arithmetic
    iterations: float


class CurvaturePair(NamedTuple):
    """One entry of the L-BFGS history: s = step, y = change of the gradient, rho = 1 / (y . s)."""

    s: Array
    y: Array
    rho: float


@dataclass(frozen=True)
class Tolerances:
    """When L-BFGS stops before its last iteration. Negative: never.

    gradient: stop if the sum of absolute values of the gradient is at most this (optim's tolFun).
    step: stop if the sum of absolute values of the step is at most this, or if the slope along the direction
    is above minus this (optim's tolX).
    """

    gradient: float = -1.0
    step: float = -1.0


class Lbfgs:
    """Limited-memory BFGS with a fixed step and no line search.

    Matches optim.lbfgs (optim a5ceed7) with tolX <= 0. The value of the objective is not used, so a step may
    overshoot. Makes one evaluation even for 0 iterations. neural_style.lua uses no tolerances and a step
    length of 1.

    learning_rate: the step length. The first step is multiplied by 1 / (sum of absolute values of the
    gradient), if that is below 1.
    ended: why the optimiser stopped, in optim's words. Empty while it runs, or if optim prints nothing.
    state: the state of another Lbfgs to continue from; its ``x`` is copied into ``x``. Raises: KeyError if
    it is incomplete.
    """

    def __init__(
        self,
        problem: Problem,
        corrections: int = 100,
        state: SolverState | None = None,
        learning_rate: float = 1.0,
        tolerances: Tolerances | None = None,
    ) -> None:
        self._evaluate, self._x = problem.evaluate, problem.x
        self._arithmetic, self._iterations = problem.arithmetic, problem.iterations
        self._learning_rate = learning_rate
        self._tolerances = tolerances or Tolerances()
        self.ended = ""
        self._history: deque[CurvaturePair] = deque(maxlen=corrections)
        self._initial_scale, self._iteration, self._t = 1.0, 0, 1.0
        self._g = self._g_previous = self._d = None
        if state is not None:
            self._restore(state)

    def __iter__(self) -> Iterator[Step]:
        if self._g is None:
            yield self._step()
        while not self._has_converged() and self._iteration < self._iterations:
            self._iteration += 1
            self._choose_direction()
            if self._arithmetic.dot(self._g, self._d) > -self._tolerances.step:
                return
            self._arithmetic.axpy_(self._t, self._d, self._x)
            if self._iteration == self._iterations:
                self.ended = REACHED_MAXIMUM
                return
            yield self._step()

    @property
    def gradient_vanished(self) -> bool:
        """Whether the last gradient is within the tolerance ``gradient``."""
        limit = self._tolerances.gradient
        return limit >= 0 and self._arithmetic.sum_abs(self._g) <= limit

    def _has_converged(self) -> bool:
        limit = self._tolerances.step
        if self.gradient_vanished:
            self.ended = GRADIENT_VANISHED
        elif limit >= 0 and self._d is not None:
            step = self._arithmetic.scaled(self._d, self._t)
            self.ended = STEP_VANISHED if self._arithmetic.sum_abs(step) <= limit else ""
        return bool(self.ended)

    def state(self) -> SolverState:
        """The state: copies of x, gradient, direction and history."""
        named = {"x": self._x, "g": self._g}
        if self._d is not None:
            named |= {"g_previous": self._g_previous, "d": self._d}
        scalars = {"iteration": float(self._iteration), "initial_scale": self._initial_scale, "t": self._t}
        for number, pair in enumerate(self._history):
            named |= {f"s_{number}": pair.s, f"y_{number}": pair.y}
            scalars[f"rho_{number}"] = pair.rho
        return SolverState({name: self._arithmetic.numpy(array) for name, array in named.items()}, scalars)

    def _restore(self, state: SolverState) -> None:
        arrays = {name: self._arithmetic.array(array) for name, array in state.arrays.items()}
        self._x[...] = arrays["x"]
        self._g, self._g_previous, self._d = arrays["g"], arrays.get("g_previous"), arrays.get("d")
        self._iteration = int(state.scalars["iteration"])
        self._initial_scale, self._t = state.scalars["initial_scale"], state.scalars["t"]
        for number in range(sum(name.startswith("rho_") for name in state.scalars)):
            s, y, rho = arrays[f"s_{number}"], arrays[f"y_{number}"], state.scalars[f"rho_{number}"]
            self._history.append(CurvaturePair(s, y, rho))

    def _step(self) -> Step:
        losses, self._g = self._evaluate(self._x)
        return Step(losses, self._g)

    def _choose_direction(self) -> None:
        """Add the last step to the history, then choose the direction and length of the next step."""
        arithmetic = self._arithmetic
        if self._d is None:
            self._d = arithmetic.scaled(self._g, -1)
            self._t = min(1.0, _reciprocal(arithmetic.sum_abs(self._g))) * self._learning_rate
        else:
            y, s = self._g - self._g_previous, arithmetic.scaled(self._d, self._t)
            ys = arithmetic.dot(y, s)
            if ys > 1e-10:
                self._history.append(CurvaturePair(s, y, _reciprocal(ys)))
                self._initial_scale = ys / arithmetic.dot(y, y)
            self._d = _direction(self._g, self._history, self._initial_scale, arithmetic)
            self._t = self._learning_rate
        self._g_previous = arithmetic.copy(self._g)


def _direction(
    g: Array, history: deque[CurvaturePair], initial_scale: float, arithmetic: Arithmetic
) -> Array:
    """Minus the approximate inverse Hessian times ``g``, by the two-loop recursion (Nocedal 1980)."""
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


class Adam:
    """Adam (Kingma and Ba 2015), with epsilon 1e-8 added before the bias correction.

    Matches optim.adam (optim a5ceed7), called once per iteration. ``state``: see :class:`Lbfgs`.
    """

    BETA1, BETA2 = 0.9, 0.999

    def __init__(
        self,
        problem: Problem,
        learning_rate: float = 10,
        state: SolverState | None = None,
    ) -> None:
        self._evaluate, self._x, self._arithmetic = problem.evaluate, problem.x, problem.arithmetic
        self._iterations, self._learning_rate = math.floor(problem.iterations), learning_rate
        self._m, self._v = (self._arithmetic.zeros_like(self._x) for _ in range(2))
        self._g = None
        self._t = 0  # evaluations made
        if state is not None:
            self._restore(state)

    def __iter__(self) -> Iterator[Step]:
        if self._t > 0:
            self._update()
        while self._t < self._iterations:
            self._t += 1
            losses, self._g = self._evaluate(self._x)
            yield Step(losses, self._g)
            self._update()

    def state(self) -> SolverState:
        """The state: copies of x, gradient and moments."""
        named = {"x": self._x, "g": self._g, "m": self._m, "v": self._v}
        arrays = {name: self._arithmetic.numpy(array) for name, array in named.items()}
        return SolverState(arrays, {"t": float(self._t)})

    def _restore(self, state: SolverState) -> None:
        arrays = {name: self._arithmetic.array(array) for name, array in state.arrays.items()}
        self._x[...] = arrays["x"]
        self._g, self._m, self._v = arrays["g"], arrays["m"], arrays["v"]
        self._t = int(state.scalars["t"])

    def _update(self) -> None:
        arithmetic, t = self._arithmetic, self._t
        arithmetic.scale_(self._m, self.BETA1)
        arithmetic.axpy_(1 - self.BETA1, self._g, self._m)
        step = self._learning_rate * math.sqrt(1 - self.BETA2**t) / (1 - self.BETA1**t)
        arithmetic.adam_step_(self._x, self._m, self._v, self._g, self.BETA2, step)


def _reciprocal(value: float) -> float:
    """``1 / value`` as in Lua, where 1 / 0 is infinite (the gradient may be zero)."""
    return 1 / value if value else math.inf
