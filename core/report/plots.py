"""Draws loss curves as an inline SVG with the colours of the page."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.report.svg import INK, inline_svg, series_colour

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

SIZE = (5.4, 3.3)  # inches of 72 units; narrow, so that text stays readable on a phone
LETTERS = 11
PARAMETERS: dict[Any, Any] = {
    "svg.fonttype": "none",  # text in the page's font
    "font.size": LETTERS,
    **dict.fromkeys(("axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), INK),
}
DASHES = {"content": (0, (4, 2)), "style": "-", "total": "-"}
SERIES = 8  # colours in the page's style sheet; further layers use them again
SMALLEST_SHARE = 1e-9  # losses below this share of the largest are cut off, e.g. a content loss starting at 0
LARGEST = 1e300  # upper limit of the loss axis
SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Curve:
    """One loss over all evaluations. kind: 'content', 'style' or 'total'.  colour: its number in the CSS."""

    kind: str
    layer: str
    colour: int
    values: tuple[float, ...]

    @property
    def first(self) -> str:
        """The first value as text for the table."""
        return _in_table(self.values[0])

    @property
    def last(self) -> str:
        """The last value as text for the table."""
        return _in_table(self.values[-1])


def _in_table(value: float) -> str:
    return f"{value:,.0f}" if 1e4 <= abs(value) < math.inf else f"{value:.5g}"


def curves_of(
    content_layers: Sequence[str],
    style_layers: Sequence[str],
    rows: Sequence[Sequence[float]],
    totals: Sequence[float],
) -> tuple[Curve, ...]:
    """The curves of all layers and of the total; no layers if ``rows`` do not match, empty without totals."""
    if not totals:
        return ()
    layers = [("content", name) for name in content_layers] + [("style", name) for name in style_layers]
    curves = []
    if len(rows) == len(totals) and all(len(row) == len(layers) for row in rows):
        for number, (kind, layer) in enumerate(layers):
            values = tuple(float(row[number]) for row in rows)
            curves.append(Curve(kind, layer, number % SERIES, values))
    return (*curves, Curve("total", "", SERIES, tuple(totals)))


def plot(curves: Sequence[Curve], name: str) -> str:
    """The SVG markup of a figure with logarithmic axes. name: prefix of all ids in it."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    data = io.StringIO()
    with rc_context({**PARAMETERS, "svg.hashsalt": name}):
        figure = Figure(figsize=SIZE, layout="constrained")
        figure.patch.set_visible(False)
        axes = figure.add_subplot()
        axes.patch.set_visible(False)
        _draw(axes, curves)
        figure.savefig(data, format="svg", metadata={"Date": None})
    return inline_svg(data.getvalue(), name, "Losses over the evaluations; the table has the values")


def _draw(axes: Axes, curves: Sequence[Curve]) -> None:
    count = len(curves[-1].values)
    for curve in curves:
        axes.plot(
            range(1, count + 1),
            curve.values,
            linestyle=DASHES[curve.kind],
            color=series_colour(curve.colour),
            linewidth=2 if curve.kind == "total" else 1.5,
            marker="" if count > 1 else "o",  # a line through one point is invisible
        )
    if count > 1:
        axes.set_xscale("log")
        _plain_ticks(axes.xaxis, within=count <= 1000)
    else:
        axes.set_xticks([1])
    _scale_losses(axes, curves)
    axes.set(xlabel="evaluation", ylabel="loss, weights included")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color=INK, alpha=0.12, which="major")


def _scale_losses(axes: Axes, curves: Sequence[Curve]) -> None:
    """Make the loss axis logarithmic, unless negative weights give a loss below 0 or none above 0."""
    values = [value for curve in curves for value in curve.values if math.isfinite(value)]
    if not values or min(values) < 0 or max(values) <= 0:
        return
    ends = (*(curve.values[-1] for curve in curves), *curves[-1].values)
    shown = [value for value in ends if 0 < value < math.inf]
    floor, top = max(min(shown, default=0), max(values) * SMALLEST_SHARE) / 3, max(values) * 2
    axes.set_ylim(floor, min(top, LARGEST))
    axes.set_yscale("log")
    _plain_ticks(axes.yaxis, within=top < 500 * floor)


def _plain_ticks(axis: Axis, within: bool) -> None:
    """Set the ticks of a logarithmic axis: 1, 2, 5, 10 ..., or only powers of ten if not ``within``."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if within else (1,)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: plain(value)))
    axis.set_minor_locator(NullLocator())


def plain(value: float) -> str:
    """A number as text for an axis, such as 2000 or 5·10⁶."""
    if 1e-3 < value < 1e4:
        return f"{value:g}"
    digits, exponent = f"{value:.0e}".split("e")
    power = f"10{str(int(exponent)).translate(SUPERSCRIPT)}"
    return power if digits == "1" else f"{digits}·{power}"
