"""Draws a labelled grid of the results of a config's ``vary:`` or of its stages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.atomic import replaced_when_complete
from core.errors import SettingsError
from core.pictures.images import load_image
from core.settings.flags import flags_of
from core.settings.text import format_value
from core.stages.config import Config, Stage
from core.stages.files import makes_many_files

INCHES, GAP, DOTS = 2.4, 0.06, 160  # picture width in inches, gap as a share of it, dots per inch


@dataclass(frozen=True)
class Figure:
    """Results of stages in rows of equal length, with a label for each row and column ('' for none)."""

    cells: tuple[tuple[Stage, ...], ...]
    rows: tuple[str, ...]
    columns: tuple[str, ...]


def figure_of(config: Config, stages: Sequence[Stage]) -> Figure:
    """Lay out the stages of a config. One varied flag gives one row; two give rows and columns.

    Without ``vary:`` the stages form one row, labelled with their names. Raises: SettingsError: more than two
    varied flags, or runs that do not make one picture each.
    """
    kind = type(stages[0].settings)
    if any(
        makes_many_files(stage.settings) or not hasattr(stage.settings, "output_image") for stage in stages
    ):
        raise SettingsError(f"{config.path}: a figure needs runs that make one picture each")
    labels = [
        tuple(_label(kind, flag, value, flag_too=number == 0) for number, value in enumerate(values))
        for flag, values in config.grid.items()
    ]
    if len({stage.base for stage in stages}) > 1:
        if config.grid:
            raise SettingsError(f"{config.path}: a figure shows stages or a grid, not both")
        return Figure((tuple(stages),), ("",), tuple(stage.name for stage in stages))
    if len(labels) > 2:
        raise SettingsError(f"{config.path}: a figure has rows and columns; vary one flag or two")
    if len(labels) < 2:
        return Figure((tuple(stages),), ("",), labels[0] if labels else ("",))
    width = len(labels[1])
    cells = tuple(tuple(stages[start : start + width]) for start in range(0, len(stages), width))
    return Figure(cells, labels[0], labels[1])


def save_figure(path: Path, figure: Figure) -> None:
    """Draw a figure into a PNG file. Raises: ImageError: a result is missing; SettingsError: not writable."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    pictures = [[load_image(stage.settings.output_image) for stage in row] for row in figure.cells]
    height, width = pictures[0][0].shape[1:]
    rows, columns = len(figure.rows), len(figure.columns)
    drawn, axes = pyplot.subplots(
        rows,
        columns,
        figsize=(INCHES * columns, INCHES * rows * height / width),
        squeeze=False,
        gridspec_kw={"wspace": GAP, "hspace": GAP},
    )
    try:
        for row in range(rows):
            for column in range(columns):
                _draw(axes[row][column], pictures[row][column])
            axes[row][0].set_ylabel(figure.rows[row], fontsize=8, parse_math=False)
        for column in range(columns):
            axes[0][column].set_title(figure.columns[column], fontsize=8, parse_math=False)
        with replaced_when_complete(path) as file:
            drawn.savefig(file, dpi=DOTS, format="png", bbox_inches="tight", metadata={"Software": None})
    except OSError as error:
        raise SettingsError(f"{path}: cannot be written: {error.strerror or error}") from None
    finally:
        pyplot.close(drawn)


def _draw(axes: Any, picture: Any) -> None:
    axes.imshow(picture.transpose(1, 2, 0).clip(0, 1), interpolation="lanczos")
    axes.set_xticks([])
    axes.set_yticks([])
    for side in axes.spines.values():
        side.set_visible(False)


def _label(kind: type, flag: str, value: Any, flag_too: bool) -> str:
    """The label of a value: a file's name, the first and last of several layers, else the value itself."""
    if flags_of(kind)[flag].metadata["path"]:
        text = " + ".join(Path(part).stem for part in (value if isinstance(value, tuple) else (value,)))
    elif flag.endswith("_layers") and isinstance(value, tuple) and len(value) > 1:
        text = f"{value[0]} to {value[-1]}"
    else:
        text = format_value(value)
    return f"{flag} {text}" if flag_too else text
