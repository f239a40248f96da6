"""``nstyle figure``: draw the results of a config side by side, as in the papers."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from cli.nstyle.run_config import stages_of
from cli.terminal.program import ending
from core.pictures.images import create_folder
from core.stages.config import read_config


@click.command("figure")
@click.argument("config", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The PNG file to write.")
@click.option("--results", type=click.Path(), help="Folder of the results, as for nstyle run.")
def figure_command(config: Path, output: Path, results: str | None) -> None:
    """Draw the results of CONFIG in one picture: the values of vary as rows and columns, or stages in a row.

    Run the config first: nstyle run CONFIG.
    """
    from core.report.figures import figure_of, save_figure

    def act() -> int:
        stages, _ = stages_of(config, results=results)
        create_folder(output.parent)
        save_figure(output, figure_of(read_config(config), stages))
        return 0

    sys.exit(ending("nstyle figure", act))
