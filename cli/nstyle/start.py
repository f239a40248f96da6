"""``nstyle start``: a contact sheet of previews, and the commands for full size."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.terminal.output import notice
from cli.terminal.program import ending

if TYPE_CHECKING:
    from core.settings.neural_style import Settings
    from core.stages.config import Stage
    from core.stages.previews import Files

PROGRAM = "nstyle start"
TURNED = "its EXIF orientation is ignored, as in the original: the picture may lie on its side; turn it first"


@click.command("start")
@click.argument("photo", type=click.Path(path_type=Path))
@click.argument("painting", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="Folder to write into.")
@click.option("--image-size", type=click.FloatRange(1), default=512, show_default=True, help="Of full size.")
@click.option("--model-file", type=click.Path(), help="Default: the original VGG-19, or the nearest.")
def start_command(
    photo: Path, painting: Path, output: Path, image_size: float, model_file: str | None
) -> None:
    """Make small previews of PHOTO in the look of PAINTING, and say how to get each at full size.

    They differ in style weight, style scale and content layer. A second call makes what is not up to date.
    """

    def act() -> int:
        return _start(_settings(photo, painting, image_size, model_file), output)

    sys.exit(ending(PROGRAM, act))


def _settings(photo: Path, painting: Path, image_size: float, model_file: str | None) -> Settings:
    """Of a picture at full size, in the fast arithmetic, on a GPU if there is one.

    Raises: NeuralStyleError.
    """
    from core.devices import has_gpu
    from core.models.registry import find_model_file
    from core.models.stand_in import best_weights
    from core.pictures.images import check_readable
    from core.pictures.orientation import is_turned
    from core.settings.neural_style import Settings
    from core.stages.previews import FULL

    for path in (photo, painting):
        check_readable(path)
        if is_turned(path):
            notice(f"{path}: {TURNED}", PROGRAM)
    return Settings(
        content_image=str(photo),
        style_image=(str(painting),),
        model_file=str(find_model_file(model_file) if model_file else best_weights()),
        image_size=image_size,
        gpu="0" if has_gpu() else "-1",
        **FULL,
    )


def _start(settings: Settings, folder: Path) -> int:
    from cli.nstyle.run_config import stages_of
    from core.pictures.images import create_folder
    from core.report.figures import contact_sheet, save_figure
    from core.stages.previews import ROW, flags_text, write_configs

    settings.validate()
    create_folder(folder)
    files = write_configs(folder, settings)
    stages, _ = stages_of(files.previews, checkpoint_iter=0)
    status = _make(stages)
    if status == 0:
        captions = [f"{number}: {flags_text(stage)}" for number, stage in enumerate(stages, 1)]
        save_figure(files.sheet, contact_sheet(stages, captions, ROW))
        _tell_commands(settings, stages, files)
    return status


def _make(stages: Sequence[Stage]) -> int:
    """Make the previews that are not up to date; the original's log goes into a file beside each.

    Returns the exit status: 0, or of an interruption. Raises: NeuralStyleError, CaffemodelError.
    """
    from cli.executors.schedule import Schedule
    from cli.executors.stage_runs import log_file, work
    from core.pictures.images import create_folder

    def run(stage: Stage) -> int:
        create_folder(log_file(stage).parent)
        with log_file(stage).open("w") as log, redirect_stdout(log):
            return work(stage)

    numbers = {stage.name: number for number, stage in enumerate(stages, 1)}

    def tell(sentence: str, _: Sequence[str]) -> None:
        name, _, state = sentence.rpartition(": ")
        if state != "done":
            notice(f"preview {numbers[name]} of {len(stages)}: {state}", PROGRAM)

    return Schedule(stages, {stage.name: () for stage in stages}, tell).run_in_turn(run)


def _tell_commands(settings: Settings, stages: Sequence[Stage], files: Files) -> None:
    from core.settings.neural_style import format_number
    from core.stages.previews import command, full_size_seconds

    program = Path(sys.argv[0]).with_name("neural_style")
    called = str(program) if program.is_file() else program.name
    seconds = full_size_seconds(stages, settings)
    click.echo(f"Weights: {Path(settings.model_file).name}")
    click.echo(f"The previews: {files.sheet}")
    size = format_number(settings.image_size)
    click.echo(f"Each at {size} pixels, which takes {duration(seconds)} on this machine:")
    for number, stage in enumerate(stages, 1):
        output = files.sheet.parent / f"{number}.png"
        click.echo(f"{number:2}  {command(called, stage, files, output)}")


def duration(seconds: float) -> str:
    """Seconds as a person says them."""
    for unit, length in (("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"about {seconds / length:.0f} {unit}"
    return f"about {max(1, seconds):.0f} seconds"
