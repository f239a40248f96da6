"""``nstyle dataset``: build HDF5 files of training pictures from folders, and list their contents."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from tqdm import tqdm

from cli.runs.files import check_target
from cli.terminal.output import notice, shows_progress, warnings_as_notices
from cli.terminal.program import ending
from cli.terminal.tables import table
from core.arithmetic.cores import available_cores
from core.errors import SettingsError

if TYPE_CHECKING:
    from core.training.data.build import DatasetPlan, Event

BUILD, SHOW = "nstyle dataset build", "nstyle dataset show"
OPTIONS = {
    "style": ("size", "max_images", "max_resize"),
    "upsample": ("factors", "patch", "stride", "max_patches"),
}
FACTORS = ("2", "4", "8")


@click.group("dataset")
def dataset_group() -> None:
    """Build HDF5 files of training pictures, and list their contents."""


@dataset_group.command("build")
@click.option("--train", required=True, type=click.Path(path_type=Path), help="Folder of training pictures.")
@click.option("--val", type=click.Path(path_type=Path), help="Folder of validation pictures.")
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="File to write, FILE.h5."
)
@click.option("--task", type=click.Choice(["style", "upsample"]), default="style", show_default=True)
@click.option("--size", type=click.IntRange(1), default=256, show_default=True, help="Side in pixels.")
@click.option("--max-images", type=click.IntRange(1), help="Use at most this many pictures of each folder.")
@click.option(
    "--max-resize", type=click.IntRange(1), default=16, show_default=True, help="Crop to multiples of this."
)
@click.option("--factors", default="4", show_default=True, help="For upsample: one or more of 2, 4, 8.")
@click.option(
    "--patch", type=click.IntRange(1), default=288, show_default=True, help="Side of a patch in pixels."
)
@click.option("--stride", type=click.IntRange(1), help="Step from patch to patch; by default --patch.")
@click.option("--max-patches", type=click.IntRange(1), help="Use at most this many patches of each folder.")
@click.option("--workers", type=click.IntRange(1, 256), help="Threads; by default one per core.")
@click.pass_context
def build_command(
    context: click.Context,
    /,
    train: Path,
    val: Path | None,
    output: Path,
    workers: int | None,
    **options: Any,
) -> None:
    """Build FILE.h5 from folders of pictures, for train_fast_neural_style and for th train.lua.

    Pictures are taken in the order of their names (make_style_dataset.py takes the directory's order).
    Files that cannot be used are reported and left out. A stopped build, even by kill -9, continues when it
    is called again, and gives the same file. (th train.lua does not divide the y of -task upsample by 255.)
    """

    def act() -> int:
        from core.training.data.build import build_dataset

        _check_options(context, options["task"])
        check_target("o", str(output))
        folders = {"train": train, **({"val": val} if val else {})}
        plan = _plan(options)
        with warnings_as_notices(partial(notice, program=BUILD)):  # Pillow warns about bad metadata
            _report(build_dataset(output, folders, plan, workers or available_cores()), output)
        return 0

    sys.exit(ending(BUILD, act))


def _check_options(context: click.Context, task: str) -> None:
    other = "upsample" if task == "style" else "style"
    for name in OPTIONS[other]:
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            raise SettingsError(f"--{name.replace('_', '-')} is for --task {other}, not for --task {task}")


def _plan(options: dict[str, Any]) -> DatasetPlan:
    from core.training.data.build import DatasetPlan
    from core.training.data.pieces import Patches, Squares

    if options["task"] == "style":
        return DatasetPlan(Squares(options["size"], options["max_resize"]), (), options["max_images"] or 0)
    words = [word.strip() for word in options["factors"].split(",")]
    if not set(words) <= set(FACTORS):
        raise SettingsError(f"--factors {options['factors']}: must be some of {', '.join(FACTORS)}")
    factors = tuple(sorted({int(word) for word in words}))
    patch = options["patch"]
    for factor in factors:
        if patch % factor:
            raise SettingsError(
                f"--patch {patch}: must be a multiple of every factor; it is not a multiple of {factor}"
            )
    return DatasetPlan(Patches(patch, options["stride"] or patch), factors, options["max_patches"] or 0)


def _report(events: Iterator[Event], output: Path) -> None:
    from core.training.data.build import Begun, Finished, Skipped, Stored

    with tqdm(unit="pieces", disable=not shows_progress(), leave=False) as bar:
        for event in events:
            if isinstance(event, Begun):
                bar.reset(event.total)
                bar.update(event.done)
                if event.done:
                    notice(f"continuing after {event.done:,} of {event.total:,}", BUILD)
            elif isinstance(event, Stored):
                bar.update(event.pieces)
            elif isinstance(event, Skipped):
                with bar.external_write_mode(sys.stderr):
                    notice(f"{event.message}; left out", BUILD)
            elif isinstance(event, Finished):
                _say_finished(event, output)


def _say_finished(event: Any, output: Path) -> None:
    click.echo(str(output))
    for name, shape in event.shapes.items():
        click.echo(f"  {name}  {_by(shape)}")
    if event.skipped:
        click.echo(f"  {event.skipped} files left out")


@dataset_group.command("show")
@click.argument("path", metavar="FILE.h5", type=click.Path(path_type=Path))
def show_command(path: Path) -> None:
    """List the datasets of FILE.h5: shape, type, layout and a checksum of the values."""

    def act() -> int:
        from core.training.data.hdf5 import describe

        rows = [
            (found.name, _by(found.shape), found.dtype, found.layout, f"sha256 {found.sha256}")
            for found in describe(path)
        ]
        click.echo("\n".join(table(rows, left=5)) if rows else "no datasets")
        return 0

    sys.exit(ending(SHOW, act))


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
