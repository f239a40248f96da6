"""Plot the losses of a run. matplotlib is imported only when a plot is drawn."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cli.runs.files import replaced
from core.settings.neural_style import Settings

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STYLES = {"content": "--", "style": "-"}
SMALLEST_SHARE = 1e-9  # of the total; smaller losses, such as a content loss of 0, are below the plot


def plot_losses(path: str, settings: Settings, rows: Sequence[Sequence[float]]) -> None:
    """Write a PNG plot of ``rows``: for each evaluation the content losses, the style losses, the total.

    Raises: SettingsError: the file cannot be written.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(9, 5.5), layout="constrained")
    try:
        _draw_lines(axes, settings, rows)
        _scale(axes, rows)
        axes.set(xlabel="evaluation", ylabel="loss, weights included")
        axes.set_title(_title(settings), parse_math=False)
        axes.grid(alpha=0.25, which="both")
        for label in axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5)).get_texts():
            label.set_parse_math(False)
        with replaced("plot_losses", path) as file, warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # the font lacks a letter of a file name
            figure.savefig(file, dpi=120, format="png")
    finally:
        pyplot.close(figure)


def _draw_lines(axes: Axes, settings: Settings, rows: Sequence[Sequence[float]]) -> None:
    layers = [("content", name) for name in settings.content_layers]
    layers += [("style", name) for name in settings.style_layers]
    evaluations = range(1, len(rows) + 1)
    marker = "" if len(rows) > 1 else "o"  # a line through one point shows nothing
    *losses, totals = zip(*rows, strict=True)
    for (kind, layer), values in zip(layers, losses, strict=True):
        axes.plot(evaluations, values, STYLES[kind], label=f"{kind}  {layer}", linewidth=1.3, marker=marker)
    axes.plot(evaluations, totals, label="total", color="black", linewidth=2, marker=marker)


def _scale(axes: Axes, rows: Sequence[Sequence[float]]) -> None:
    """Make both axes logarithmic where the values allow it; label evaluations with plain numbers."""
    from matplotlib.ticker import LogFormatter

    if len(rows) > 1:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(LogFormatter())
        axes.xaxis.set_minor_formatter(LogFormatter())
    if min(map(min, rows)) >= 0 and rows[-1][-1] > 0:
        smallest = max(min(rows[-1]), rows[-1][-1] * SMALLEST_SHARE)
        axes.set_yscale("log")
        axes.set_ylim(bottom=smallest / 3)


def _title(settings: Settings) -> str:
    styles = " and ".join(Path(name).name for name in settings.style_image)
    title = f"{Path(settings.content_image).name} in the style of {styles}"
    return title.encode(errors="replace").decode()
