"""``nstyle convert``: write transform networks as ONNX files."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from core.errors import NeuralStyleError
from core.settings.fast_neural_style import INSTANCE_NORMS


@click.command("convert")
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--fp16", is_flag=True, help="Half precision, except instance normalisation; for GPUs.")
@click.option(
    "--instance-norm",
    type=click.Choice(INSTANCE_NORMS),
    default="auto",
    show_default=True,
    help="For a .t7: as trained, normalise, or affine (only scale and shift: Torch since August 2017).",
)
@click.option("--exact", is_flag=True, help="Compare the result with the run in torch7 arithmetic, too.")
def convert_command(source: Path, target: Path, fp16: bool, instance_norm: str, exact: bool) -> None:
    """Write the network SOURCE (.t7, .pth, .safetensors, or an old .onnx) as the ONNX file TARGET.

    The result takes batches and pictures of any size. Its output is compared with the source's before the
    file is kept.
    """
    from core.transform.convert import convert

    try:
        done = convert(source, target, half=fp16, instance_norm=instance_norm, exact=exact)
    except NeuralStyleError as error:
        click.echo(f"nstyle convert: {error}", err=True)
        sys.exit(1)
    for sentence in (*done.notices, *done.changes):
        click.echo(f"nstyle convert: {sentence}", err=True)
    sizes = " and ".join(f"{number} of {width}x{height}" for number, height, width in done.probes)
    click.echo(f"{target}: {target.stat().st_size:,} bytes")
    click.echo(
        f"largest difference to {source.name}: {done.difference:.2e} of the output's range ({sizes} pixels)"
    )
    if done.exact is not None:
        click.echo(done.exact.sentence)
