"""``nstyle compare``: measure how two pictures differ, and draw a heat map of the differences."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import click

from core.errors import NeuralStyleError


@click.command("compare")
@click.argument("ours", metavar="A", type=click.Path(path_type=Path))
@click.argument("theirs", metavar="B", type=click.Path(path_type=Path))
@click.option("--heat-map", type=click.Path(path_type=Path), help="Draw the differences to a PNG file.")
def compare_command(ours: Path, theirs: Path, heat_map: Path | None) -> None:
    """Compare the pictures A and B of equal size: PSNR, SSIM, differing pixels, largest difference.

    The exit status is 0 for any difference, and 1 if the pictures cannot be compared.
    """
    from core.pictures.compare import compare_files, save_heat_map

    try:
        found = compare_files(ours, theirs)
        if heat_map is not None:
            save_heat_map(heat_map, found)
    except NeuralStyleError as error:
        click.echo(f"nstyle compare: {error}", err=True)
        sys.exit(1)
    pixels = found.width * found.height
    click.echo(f"size        {found.width}x{found.height}")
    click.echo(f"PSNR        {'equal' if math.isinf(found.psnr) else f'{found.psnr:.2f} dB'}")
    click.echo(f"SSIM        {found.ssim:.6f}")
    click.echo(
        f"differing   {round(found.differing * pixels):,} of {pixels:,} pixels ({found.differing:.3%})"
    )
    click.echo(f"largest     {found.largest:g} of 255 levels")
    click.echo(f"mean        {found.mean:.4f} levels")
    if heat_map is not None:
        click.echo(f"heat map    {heat_map} (brightest: {found.largest:g} levels)")
