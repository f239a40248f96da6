"""``nstyle models``: fetch, verify, list and add the model files of vgg_models/registry.yaml."""

from __future__ import annotations

from pathlib import Path

import click

from cli.nstyle.downloads import Progress, chosen, ends_in_one_line, fetch_each, verify_each
from core.errors import RegistryError
from core.models import registry
from core.models.download import Verifying, fetch, install
from core.models.registry import ModelEntry
from core.models.verification import RECORD_NAME, Verification, verify

_ends_in_one_line = ends_in_one_line("nstyle models")


@click.group("models")
def models_group() -> None:
    """Fetch, verify, list and add the original model files."""


@models_group.command("fetch")
@click.argument("names", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Fetch every registered model.")
@_ends_in_one_line
def fetch_command(names: tuple[str, ...], everything: bool) -> None:
    """Fetch the models NAMES. A partial download is continued; a verified file is not fetched again."""
    known = registry.load_registry()
    if not names and not everything:
        raise RegistryError(f"fetch: name a model or use --all; choose from {', '.join(known)}")

    def fetch_one(entry: ModelEntry, progress: Progress) -> str:
        return _placed(entry, fetch(entry, registry.MODELS_DIR, progress))

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
@_ends_in_one_line
def add_command(file: Path) -> None:
    """Identify FILE by its checksums and link or copy it to vgg_models/ under its registered name."""
    with Progress() as progress:
        if file.is_file():
            progress(Verifying(file, file.stat().st_size))
        entry = registry.recognise(file, progress.advance)
        path = install(entry, file, registry.MODELS_DIR, progress)
    click.echo(_placed(entry, path))


def _verify(entry: ModelEntry) -> Verification:
    path = registry.MODELS_DIR / entry.file
    with Progress() as progress:
        progress(Verifying(path, path.stat().st_size if path.exists() else 0))
        return verify(entry, path, progress.advance, registry.MODELS_DIR / RECORD_NAME)


def _placed(entry: ModelEntry, path: Path) -> str:
    unchecked = f" (no checksum was published; the file's own is recorded in {RECORD_NAME})"
    return f"{entry.name}: {path}{'' if entry.has_checksum else unchecked}"


def _state(entry: ModelEntry) -> str:
    path = registry.MODELS_DIR / entry.file
    part = path.with_name(f"{path.name}.part")
    if path.is_file():
        doubt = registry.describe_wrong_file(path, entry)
        return "present" if doubt is None else f"UNUSABLE ({doubt.removeprefix(f'{path}: ')})"
    if part.is_file():
        return f"partly fetched ({part.stat().st_size:,} bytes)"
    return "not fetched"
