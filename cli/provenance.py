"""``nstyle show`` and ``nstyle reproduce``: how a picture was made, and whether it can be made again."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import click
from tqdm import tqdm

from cli.terminal import shows_progress
from core.errors import NeuralStyleError
from core.flags import flags_of
from core.settings import Settings
from core.settings_text import format_value

SHOWN_DIGITS = 16


@click.command("show")
@click.argument("picture", type=click.Path(path_type=Path))
def show_command(picture: Path) -> None:
    """Show how PICTURE was made: command, inputs, arithmetic, versions, losses."""
    from core.provenance import read_record

    try:
        record = read_record(picture)
        click.echo("\n".join(_lines(picture, record)))
    except NeuralStyleError as error:
        _fail("show", str(error))
    except (KeyError, TypeError, AttributeError, ValueError):
        _fail("show", f"{picture}: its record is damaged")


def _lines(picture: Path, record: dict[str, Any]) -> Iterator[str]:
    yield f"{picture}: {_state(picture, record)}"
    yield ""
    yield _command(record["settings"])
    yield ""
    for flag, entries in record["inputs"].items():
        for entry in entries:
            yield f"{flag:<16} {entry['file']}  sha256 {entry['sha256'][:SHOWN_DIGITS]}..."
    devices = ", ".join(record["devices"])
    yield f"{'arithmetic':<16} {record['arithmetic']} on {devices}"
    yield f"{'evaluation':<16} {record['evaluation']}"
    if "seconds" in record:
        yield f"{'time':<16} {record['seconds']:.1f} seconds with {record['threads']} threads"
    losses = record["losses"]
    yield f"{'losses':<16} content {_numbers(losses['content'])}; style {_numbers(losses['style'])}"
    yield f"{'total loss':<16} {losses['total']!r}"
    yield f"{'loss trace':<16} sha256 {record['trace_sha256'][:SHOWN_DIGITS]}..."
    yield f"{'program':<16} {record['program']} {record['version']}"
    for name, text in record["environment"].items():
        yield f"{name:<16} {text}"


def _state(picture: Path, record: dict[str, Any]) -> str:
    """Whether the file is still the one that was recorded."""
    from PIL import Image as PillowImage

    from core.checksums import file_digests
    from core.provenance import pixels_digest

    if "sha256" in record and file_digests(picture).sha256 == record["sha256"]:
        return "the recorded file, byte for byte"
    import numpy as np

    with PillowImage.open(picture) as opened:
        pixels = pixels_digest(np.asarray(opened.convert("RGB")))
    if pixels == record["pixels_sha256"]:
        return "the recorded pixels"
    return "CHANGED since it was recorded"


def _command(settings: dict[str, Any]) -> str:
    """The command line that gives these flags, without those at their defaults."""
    words = ["neural_style"]
    for name, item in flags_of(Settings).items():
        value = settings.get(name, item.default)
        value = tuple(value) if isinstance(value, list) else value
        if value == item.default:
            continue
        words += [f"-{name}"] if value is True else [f"-{name}", format_value(value)]
    return shlex.join(words)


def _numbers(values: list[float]) -> str:
    return " ".join(f"{value:.6g}" for value in values) or "none"


@click.command("reproduce")
@click.argument("picture", type=click.Path(path_type=Path))
@click.option(
    "--inputs", multiple=True, type=click.Path(path_type=Path), help="A folder to look for the inputs in."
)
def reproduce_command(picture: Path, inputs: tuple[Path, ...]) -> None:
    """Make PICTURE again from its record and say whether it is identical; exit status 1 if it is not.

    Inputs are looked for by checksum in the folders of --inputs, here, and beside the picture.
    """
    from core.devices import choose
    from core.provenance import read_record
    from core.reproduce import reproduce, settings_of

    try:
        record = read_record(picture)
        settings = settings_of(record, (*inputs, Path(), picture.parent))
        placement = choose(settings)
        for sentence in _other_circumstances(record, placement.kind):
            click.echo(f"nstyle reproduce: {sentence}", err=True)
        with tqdm(total=record["evaluation"], unit="it", disable=not shows_progress(), leave=False) as bar:
            found = reproduce(settings, placement, record, bar.update)
    except NeuralStyleError as error:
        _fail("reproduce", f"{picture}: {error}")
    except (KeyError, TypeError):
        _fail("reproduce", f"{picture}: its record is damaged")
    if found.pixels_equal and found.trace_equal:
        click.echo(f"identical: every pixel, and the losses of all {record['evaluation']} evaluations")
        return
    click.echo("the pixels are identical, the losses are not" if found.pixels_equal else "not identical")
    if found.parted is not None:
        number, recorded, ours = found.parted
        click.echo(f"the losses part at evaluation {number}: recorded {recorded}, here {ours}")
    elif not found.trace_equal:
        click.echo("the losses differ; the picture's .json, which tells where, is not beside it")
    sys.exit(1)


def _other_circumstances(record: dict[str, Any], arithmetic: str) -> Iterator[str]:
    from core.provenance import environment

    if record["arithmetic"] != arithmetic:
        yield f"made in {record['arithmetic']} arithmetic; here it is {arithmetic}"
    here = environment()
    for name, text in record["environment"].items():
        if here.get(name) != text:
            yield f"made with {name} {text}; here it is {here.get(name, 'unknown')}"


def _fail(command: str, message: str) -> NoReturn:
    click.echo(f"nstyle {command}: {message}", err=True)
    sys.exit(1)
