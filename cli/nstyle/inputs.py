"""``nstyle inputs``: fetch, list and verify the input pictures of configs/gallery/."""

from __future__ import annotations

from pathlib import Path

import click

from cli.nstyle.downloads import Progress, chosen, ends_in_one_line, fetch_each, verify_each
from core.models.gallery_inputs import INPUTS_DIR, InputEntry, fetch_input, load_manifest, verify_input

_folder = click.option(
    "--to",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=INPUTS_DIR,
    help="Folder of the pictures; by default inputs/ of the clone, which the configs read.",
)


@click.group("inputs")
def inputs_group() -> None:
    """Fetch, list and verify the pictures of the gallery's configs."""


@inputs_group.command("fetch")
@click.argument("names", nargs=-1)
@_folder
@ends_in_one_line("nstyle inputs")
def fetch_command(names: tuple[str, ...], folder: Path) -> None:
    """Fetch the pictures NAMES, or all. Existing files are verified, never replaced."""
    known = load_manifest()

    def fetch_one(entry: InputEntry, progress: Progress) -> str:
        return fetch_input(entry, folder, progress).message

    fetch_each("nstyle inputs", chosen(names or tuple(known), known, "picture"), fetch_one)


@inputs_group.command("verify")
@click.argument("names", nargs=-1)
@_folder
@ends_in_one_line("nstyle inputs")
def verify_command(names: tuple[str, ...], folder: Path) -> None:
    """Compare the files of NAMES, or all present ones, with the recorded checksums and sizes."""
    known = load_manifest()
    entries = chosen(names, known, "picture") or [e for e in known.values() if (folder / e.file).exists()]
    if not entries:
        click.echo(f"none of the pictures is in {folder}; fetch them: nstyle inputs fetch")
    verify_each(
        entries, lambda entry: verify_input(entry, folder), "move these files away, then: nstyle inputs fetch"
    )


@inputs_group.command("list")
@_folder
@ends_in_one_line("nstyle inputs")
def list_command(folder: Path) -> None:
    """List the pictures: name, whether it is present, file, what it shows, rights."""
    for entry in load_manifest().values():
        click.echo(f"{entry.name:<24} {_state(entry, folder)}, {_checksum(entry)}, {entry.file}")
        click.echo(f"{'':<24} {entry.what}")
        click.echo(f"{'':<24} rights: {entry.licence}")


def _state(entry: InputEntry, folder: Path) -> str:
    return "present" if (folder / entry.file).is_file() else "not fetched"


def _checksum(entry: InputEntry) -> str:
    return "checksum known" if entry.has_checksum else "no checksum published"
