"""Draws a labelled grid of the results of a config's ``vary:`` or stages, with the weights' name below."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from core.atomic import replaced_when_complete
from core.errors import SettingsError
from core.pictures.images import load_image
from core.records.records import read_record
from core.settings.flags import flags_of
from core.settings.text import format_value
from core.stages.config import Config, Stage
from core.stages.files import makes_many_files

INCHES, CAPTION, DOTS = 2.4, 0.3, 160  # width of a picture, height of two lines of text, dots per inch
LINE = 40  # letters below a picture
TEXT: dict[str, Any] = {"fontsize": 7, "parse_math": False}
T = TypeVar("T")


@dataclass(frozen=True)
class Figure:
    """Results of stages in rows of equal length, with a label for each row and column ('' for none).

    captions: of every picture, for what is no grid of rows and columns.
    """

    cells: tuple[tuple[Stage, ...], ...]
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    captions: tuple[tuple[str, ...], ...] = ()


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
    return Figure(_in_rows(stages, len(labels[1])), labels[0], labels[1])


def contact_sheet(stages: Sequence[Stage], captions: Sequence[str], width: int) -> Figure:
    """Stages in rows of ``width``, which divides their number, each with its caption in short lines."""
    cells = _in_rows(stages, width)
    lines = [textwrap.fill(caption, LINE, break_on_hyphens=False) for caption in captions]
    return Figure(cells, ("",) * len(cells), ("",) * width, _in_rows(lines, width))


def _in_rows(items: Sequence[T], width: int) -> tuple[tuple[T, ...], ...]:
    return tuple(tuple(items[start : start + width]) for start in range(0, len(items), width))


def save_figure(path: Path, figure: Figure) -> None:
    """Draw a figure into a PNG file. Raises: ImageError: a result is missing; SettingsError: not writable."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    pictures = [[load_image(stage.settings.output_image) for stage in row] for row in figure.cells]
    height, width = pictures[0][0].shape[1:]
    rows, columns = len(figure.rows), len(figure.columns)
    tall = INCHES * height / width + (CAPTION if figure.captions else 0)
    drawn, axes = pyplot.subplots(
        rows, columns, figsize=(INCHES * columns, tall * rows + CAPTION), squeeze=False, layout="constrained"
    )
    try:
        for row, column in itertools.product(range(rows), range(columns)):
            _draw(axes[row][column], pictures[row][column])
            if figure.captions:
                axes[row][column].set_xlabel(figure.captions[row][column], **TEXT)
        for row in range(rows):
            axes[row][0].set_ylabel(figure.rows[row], **TEXT)
        for column in range(columns):
            axes[0][column].set_title(figure.columns[column], **TEXT)
        drawn.supxlabel(_made_with(figure), x=0.99, ha="right", **TEXT)
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


def _made_with(figure: Figure) -> str:
    """The weights, as the pictures' records name them; '' for programs whose networks need no such file."""
    records = [read_record(Path(stage.settings.output_image)) for row in figure.cells for stage in row]
    used = [file["file"] for record in records for file in record["inputs"].get("model_file", ())]
    return "weights: " + ", ".join(dict.fromkeys(Path(name).name for name in used)) if used else ""


def _label(kind: type, flag: str, value: Any, flag_too: bool) -> str:
    """The label of a value: a file's name, the first and last of several layers, else the value itself."""
    if flags_of(kind)[flag].metadata["path"]:
        text = " + ".join(Path(part).stem for part in (value if isinstance(value, tuple) else (value,)))
    elif flag.endswith("_layers") and isinstance(value, tuple) and len(value) > 1:
        text = f"{value[0]} to {value[-1]}"
    else:
        text = format_value(value)
    return f"{flag} {text}" if flag_too else text
