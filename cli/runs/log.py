"""The log of ``neural_style``, line for line as neural_style.lua prints it.

Matches neural_style.lua (07c4b82) under plain LuaJIT. The ``th`` launcher adds a tab to most lines.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import singledispatch

from core.events import (
    CapturingStyle,
    CheckpointDue,
    Evaluation,
    ModelLoaded,
    NetworkBuilt,
    OptimizationFinished,
    OptimizationStarted,
)
from core.settings.neural_style import Settings, format_number

OPTIMIZER_NAMES = {"lbfgs": "L-BFGS", "adam": "ADAM"}


@singledispatch
def log_lines(event: object, settings: Settings) -> Iterator[str]:
    """The lines that the original prints for ``event``."""
    raise TypeError(f"no log for {event!r}")


@log_lines.register
def _(event: ModelLoaded, settings: Settings) -> Iterator[str]:
    yield from event.messages


@log_lines.register
def _(event: NetworkBuilt, settings: Settings) -> Iterator[str]:
    modules = event.network.modules
    yield from event.network.messages
    yield "Capturing content targets"
    yield "nn.Sequential {"
    yield "  [input -> " + "".join(f"({i}) -> " for i in range(1, len(modules) + 1)) + "output]"
    for number, module in enumerate(modules, 1):
        yield f"  ({number}): {module}"
    yield "}"


@log_lines.register
def _(event: CapturingStyle, settings: Settings) -> Iterator[str]:
    yield f"Capturing style target {event.number}"


@log_lines.register
def _(event: OptimizationStarted, settings: Settings) -> Iterator[str]:
    yield f"Running optimization with {OPTIMIZER_NAMES[event.optimizer]}"


@log_lines.register
def _(event: Evaluation, settings: Settings) -> Iterator[str]:
    if is_due(event.number, settings.print_iter):
        yield f"Iteration {event.number} / {format_number(settings.num_iterations)}"
        for number, loss in enumerate(event.content_losses, 1):
            yield f"  Content {number} loss: {fixed_point(loss)}"
        for number, loss in enumerate(event.style_losses, 1):
            yield f"  Style {number} loss: {fixed_point(loss)}"
        yield f"  Total loss: {fixed_point(event.total)}"
    if event.number == 1 and settings.optimizer == "lbfgs":
        yield "<optim.lbfgs> \tcreating recyclable direction/step/history buffers"


@log_lines.register
def _(event: CheckpointDue, settings: Settings) -> Iterator[str]:
    yield from ()


@log_lines.register
def _(event: OptimizationFinished, settings: Settings) -> Iterator[str]:
    if event.optimizer == "lbfgs" and event.reached_maximum:
        yield "<optim.lbfgs> \treached max number of iterations"


def is_due(number: int, every: float) -> bool:
    """Whether ``number`` is a multiple of ``every``; False if ``every`` is 0 or less."""
    return every > 0 and number % every == 0


def fixed_point(value: float) -> str:
    """``%f`` as LuaJIT formats it: exact ties are rounded away from zero; C rounds them to even."""
    exact = Decimal(value)
    if not exact.is_finite():
        return str(value)
    return f"{exact.quantize(Decimal('0.000001'), ROUND_HALF_UP, Context(prec=400)):f}"


def seventeen_digits(value: float) -> str:
    """``%.17g`` with LuaJIT's rounding of ties."""
    rounded = Context(prec=17, rounding=ROUND_HALF_UP).create_decimal(Decimal(value))
    if not rounded.is_finite():
        return str(value)
    digits = rounded.normalize()
    if not digits:
        return "0"
    if -5 < digits.adjusted() < 17:
        return f"{digits:f}"
    mantissa, exponent = f"{digits:e}".split("e")
    return f"{mantissa}e{int(exponent):+03d}"
