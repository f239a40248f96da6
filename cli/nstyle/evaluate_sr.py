"""``nstyle evaluate-sr``: compare a super-resolution network with bicubic enlargement on a folder."""

from __future__ import annotations

import csv
import io
import math
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
from tqdm import tqdm

from cli.runs.files import check_target
from cli.terminal.output import notice, shows_progress, warnings_as_notices
from cli.terminal.program import ending
from cli.terminal.tables import table

if TYPE_CHECKING:
    from core.training.superres import Evaluation, Measured

PROGRAM = "nstyle evaluate-sr"
COLUMNS = ("picture", "psnr_network", "ssim_network", "psnr_bicubic", "ssim_bicubic")


@click.command("evaluate-sr")
@click.argument("model", metavar="MODEL", type=click.Path())
@click.argument("folder", metavar="FOLDER", type=click.Path(path_type=Path))
@click.option(
    "--factor", type=click.IntRange(2, 64), required=True, help="Enlargement factor of the network."
)
@click.option("--border", type=click.IntRange(0), help="Pixels left out at each side; by default the factor.")
@click.option(
    "--histogram/--no-histogram",
    default=True,
    help="Match the output's histogram to the input's, as in the paper.",
)
@click.option("--csv", "csv_path", type=click.Path(path_type=Path), help="Write the figures to this file.")
@click.option("--gpu", type=click.IntRange(-1), default=-1, show_default=True, help="-1 is the CPU.")
def evaluate_command(
    model: str,
    folder: Path,
    factor: int,
    border: int | None,
    histogram: bool,
    csv_path: Path | None,
    gpu: int,
) -> None:
    """Shrink the pictures of FOLDER, enlarge them with MODEL (.t7, .onnx, .safetensors), and compare.

    PSNR and SSIM are of the Y channel (ITU-R BT.601, 16 to 235). A picture is shrunk with a Gaussian blur of
    sigma 1.0 and Pillow's bicubic filter. The same figures are given for Pillow's bicubic enlargement.
    """

    def act() -> int:
        from core.settings.fast_neural_style import TransformSettings
        from core.training.superres import Evaluation, mean, similarity
        from core.transform.open_model import open_model

        similarity()  # fails before the work starts if scikit-image is not installed
        if csv_path is not None:
            check_target("-csv", str(csv_path))
        opened = open_model(TransformSettings(model=model, gpu=float(gpu)))
        for sentence in opened.notices:
            notice(sentence, PROGRAM)
        evaluation = Evaluation(opened.runner, factor, factor if border is None else border, histogram)
        with warnings_as_notices(partial(notice, program=PROGRAM)):  # Pillow warns about bad metadata
            measured = list(_measured(evaluation, folder))
        rows = [*measured, mean(measured)]
        click.echo("\n".join(_lines(rows)))
        if csv_path is not None:
            _write_csv(csv_path, rows)
        return 0

    sys.exit(ending(PROGRAM, act))


def _measured(evaluation: Evaluation, folder: Path) -> Iterator[Measured]:
    """Measure each picture. Unusable ones are reported and left out. Raises: DatasetError, TransformError."""
    from core.errors import DatasetError, ImageError
    from core.training.data.picture_files import picture_names

    some = False
    for name in tqdm(picture_names(folder), unit="pictures", disable=not shows_progress(), leave=False):
        try:
            yield evaluation.measure(folder / name)
            some = True
        except ImageError as error:
            notice(f"{error}; left out", PROGRAM)
    if not some:
        raise DatasetError(f"{folder}: contains no picture that can be measured")


def _lines(rows: list[Measured]) -> Iterator[str]:
    cells: list[tuple[str, ...]] = [("", "PSNR network", "bicubic", "SSIM network", "bicubic")]
    for name, network, bicubic in rows:
        decibels = (
            "equal" if math.isinf(value) else f"{value:.2f} dB" for value in (network.psnr, bicubic.psnr)
        )
        cells.append((name, *decibels, f"{network.ssim:.4f}", f"{bicubic.ssim:.4f}"))
    yield from table(cells, left=1)


def _write_csv(path: Path, rows: list[Measured]) -> None:
    from core.atomic import replaced_when_complete
    from core.errors import DatasetError

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows((row.name, *row.network, *row.bicubic) for row in rows)
    try:
        with replaced_when_complete(path) as file:
            file.write(text.getvalue().encode())
    except OSError as error:
        raise DatasetError(f"{path}: cannot be written: {error.strerror or error}") from None
