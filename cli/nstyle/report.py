"""``nstyle report``: write one web page about all runs in a folder."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from tqdm import tqdm

from cli.nstyle.to_lua import lua_words
from cli.terminal.above_bar import notice_above_bar
from cli.terminal.output import notice, shows_progress
from core.errors import NeuralStyleError
from core.settings.flags import flags_of

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

PROGRAM = "nstyle report"


@click.command("report")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default="report",
    show_default=True,
    help="Folder for index.html.",
)
@click.option(
    "--inputs", multiple=True, type=click.Path(path_type=Path), help="A folder to search for the inputs."
)
@click.option(
    "--reference",
    type=click.Path(path_type=Path),
    help="A folder with pictures of the same names, to compare with.",
)
def report_command(folder: Path, output: Path, inputs: tuple[Path, ...], reference: Path | None) -> None:
    """Write one web page about all runs in DIR: pictures, losses, settings, commands.

    The page is a single file and loads nothing else. Inputs are found by checksum in the folders of --inputs,
    the folders of the results and the current folder.
    """
    from core.report.build import Sources, write_report

    with tqdm(unit="run", disable=not shows_progress(), file=sys.stderr, leave=False) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        try:
            page, count = write_report(
                output, Sources(folder, inputs, reference), old_command, _warn, progress
            )
        except NeuralStyleError as error:
            bar.close()
            notice(str(error), PROGRAM)
            sys.exit(1)
    click.echo(f"{page}: {count} run{'s' if count != 1 else ''}")


def _warn(sentence: str) -> None:
    notice_above_bar(sentence, PROGRAM)


def old_command(program: str, settings: DataclassInstance) -> tuple[str, list[str]]:
    """The original's command, one flag a line, and the flags that the original does not have.

    Raises: SettingsError.
    """
    words, ours = lua_words(settings)
    flags = {f"-{name}" for name in flags_of(type(settings))}
    lines = "".join(f" \\\n  {word}" if word in flags else f" {shlex.quote(word)}" for word in words)
    return f"th {program}.lua{lines}", ours
