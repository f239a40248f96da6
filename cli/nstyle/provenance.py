"""``nstyle show`` prints how a picture was made; ``nstyle reproduce`` makes it again and compares."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click
from tqdm import tqdm

from caffe_loader.errors import printable
from cli.terminal.output import shows_progress
from core.errors import ImageError, NeuralStyleError
from core.settings.flags import flags_of
from core.settings.neural_style import Settings
from core.settings.text import format_value

if TYPE_CHECKING:
    from core.devices import Placement
    from core.events import Evaluation, Event
    from core.pictures.images import Image
    from core.records.records import Record

SHOWN_DIGITS = 16


@click.command("show")
@click.argument("picture", type=click.Path(path_type=Path))
def show_command(picture: Path) -> None:
    """Show how PICTURE was made: command, inputs, arithmetic, versions, losses."""
    from core.records.records import read_record

    try:
        record = read_record(picture)
        click.echo("\n".join(map(printable, _lines(picture, record))))
    except NeuralStyleError as error:
        _fail("show", str(error))
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError):
        _fail("show", f"{picture}: its record is damaged")


def _lines(picture: Path, record: Record) -> Iterator[str]:
    yield f"{picture}: {_state(picture, record)}"
    yield ""
    yield _command(record)
    yield ""
    for flag, entries in record["inputs"].items():
        for entry in entries:
            yield f"{flag:<16} {entry['file']}  sha256 {entry['sha256'][:SHOWN_DIGITS]}..."
    if "runtime" in record:
        yield f"{'runtime':<16} {record['runtime']}"
    else:
        yield from _of_optimisation(record)
    yield f"{'program':<16} {record['program']} {record['version']}"
    for name, text in record["environment"].items():
        yield f"{name:<16} {text}"


def _of_optimisation(record: Record) -> Iterator[str]:
    devices, losses = ", ".join(record["devices"]), record["losses"]
    yield f"{'arithmetic':<16} {record['arithmetic']} on {devices}"
    yield f"{'evaluation':<16} {record['evaluation']}"
    if "seconds" in record:
        yield f"{'time':<16} {record['seconds']:.1f} seconds with {record['threads']} threads"
    yield f"{'losses':<16} content {_numbers(losses['content'])}; style {_numbers(losses['style'])}"
    yield f"{'total loss':<16} {losses['total']!r}"
    yield f"{'loss trace':<16} sha256 {record['trace_sha256'][:SHOWN_DIGITS]}..."


def _state(picture: Path, record: Record) -> str:
    """Whether the file still has the recorded pixels."""
    from core.report.facts import state_of

    if not picture.exists():
        return "missing; this is its record"
    try:
        state = state_of(picture, record)
    except ImageError as error:
        return f"CHANGED since it was recorded ({str(error).removeprefix(f'{picture}: ')})"
    return state.sentence if state.unchanged else "CHANGED since it was recorded"


def _command(record: Record) -> str:
    """The command line of the recorded flags, without those at their defaults."""
    from core.settings.programs import PROGRAMS

    program = str(record["program"])
    words = [program]
    for name, item in flags_of(PROGRAMS[program].settings).items():
        value = record["settings"].get(name, item.default)
        value = tuple(value) if isinstance(value, list) else value
        if value != item.default:
            words += [f"-{name}"] if value is True else [f"-{name}", format_value(value)]
    return shlex.join(words)


def _numbers(values: list[float]) -> str:
    return " ".join(f"{value:.6g}" for value in values) or "none"


@click.command("reproduce")
@click.argument("picture", type=click.Path(path_type=Path))
@click.option(
    "--inputs", multiple=True, type=click.Path(path_type=Path), help="A folder to search for the inputs."
)
@click.option(
    "--strip",
    type=click.Path(path_type=Path),
    help="Only copy the PNG file PICTURE to this name without our text, as the original would write it.",
)
def reproduce_command(picture: Path, inputs: tuple[Path, ...], strip: Path | None) -> None:
    """Make PICTURE again from its record and compare; the exit status is 1 if it is not identical.

    Inputs are found by checksum in the folders of --inputs, the current folder and the picture's folder.
    """
    from core.records.records import read_record

    if strip is not None:
        _strip(picture, strip)
        return

    try:
        record = read_record(picture)
        repeat = REPEATERS[record["program"]]
        lines, identical = repeat(record, (*inputs, Path(), picture.parent))
    except NeuralStyleError as error:
        _fail("reproduce", f"{picture}: {str(error).removeprefix(f'{picture}: ')}")
    except (KeyError, TypeError):
        _fail("reproduce", f"{picture}: its record is damaged")
    click.echo("\n".join(lines))
    sys.exit(int(not identical))


def _strip(picture: Path, target: Path) -> None:
    from core.pictures.png_file import OTHER_ZLIB, compresses_as_zlib
    from core.pictures.strip import strip_png

    try:
        strip_png(picture, target)
    except NeuralStyleError as error:
        _fail("reproduce", str(error))
    if not compresses_as_zlib():
        _tell(OTHER_ZLIB)
    click.echo(f"{target}: {target.stat().st_size:,} bytes, without the record")


def _repeat_neural_style(record: Record, folders: Sequence[Path]) -> tuple[list[str], bool]:
    """Lines to print, and whether picture and losses are identical to the recorded ones."""
    from core.devices import choose
    from core.records.reproduce import check_repeatable, settings_of
    from core.stylization import output_image, stylize

    settings = settings_of(record, Settings, folders)
    check_repeatable(settings)
    placement = choose(settings)
    return _followed(record, placement, stylize(settings, placement), partial(output_image, settings))


def _repeat_slow_neural_style(record: Record, folders: Sequence[Path]) -> tuple[list[str], bool]:
    """Lines to print, and whether picture and losses are identical to the recorded ones."""
    from core.devices import choose_native
    from core.records.reproduce import check_repeatable, settings_of
    from core.settings.slow_neural_style import SlowSettings
    from core.training.slow import optimise, output_image

    settings = settings_of(record, SlowSettings, folders)
    check_repeatable(settings)
    placement = choose_native(settings.gpu, settings.threads)
    return _followed(record, placement, optimise(settings, placement), partial(output_image, settings))


def _followed(
    record: Record, placement: Placement, events: Iterable[Event], picture_of: Callable[[Evaluation], Image]
) -> tuple[list[str], bool]:
    from core.records.identity import same_bits
    from core.records.provenance import environment
    from core.records.reproduce import reproduce

    if record["arithmetic"] != placement.kind and not same_bits(record["arithmetic"], placement.kind):
        _tell(f"made with {record['arithmetic']} arithmetic; this machine uses {placement.kind}")
    _tell_of_other_versions(record, environment())
    with tqdm(total=record["evaluation"], unit="it", disable=not shows_progress(), leave=False) as bar:
        found = reproduce(events, picture_of, record, bar.update)
    if found.pixels_equal and found.trace_equal:
        return [f"identical: every pixel, and the losses of all {record['evaluation']} evaluations"], True
    lines = ["the pixels are identical, the losses are not" if found.pixels_equal else "not identical"]
    if found.parted is not None:
        number, recorded, ours = found.parted
        lines.append(f"the losses first differ at evaluation {number}: recorded {recorded}, here {ours}")
    elif not found.trace_equal:
        lines.append("the losses differ; at which evaluation is in the picture's .json, which is missing")
    return lines, False


def _repeat_fast_neural_style(record: Record, folders: Sequence[Path]) -> tuple[list[str], bool]:
    """Lines to print, and whether the picture is identical to the recorded one."""
    from core.records.reproduce import settings_of
    from core.settings.fast_neural_style import TransformSettings
    from core.transform.open_model import open_model
    from core.transform.record import environment
    from core.transform.reproduce import is_reproduced

    settings = settings_of(record, TransformSettings, folders)
    settings.validate()
    opened = open_model(settings)
    if record["runtime"] != opened.runner.description:
        _tell(f"made with {record['runtime']}; this machine uses {opened.runner.description}")
    _tell_of_other_versions(record, environment(settings))
    identical = is_reproduced(settings, opened, record)
    return ["identical: every pixel" if identical else "not identical"], identical


REPEATERS = {
    "neural_style": _repeat_neural_style,
    "fast_neural_style": _repeat_fast_neural_style,
    "slow_neural_style": _repeat_slow_neural_style,
}


def _tell_of_other_versions(record: Record, here: dict[str, str]) -> None:
    for name, text in record["environment"].items():
        if here.get(name) != text:
            _tell(f"made with {name} {text}; this machine has {here.get(name, 'an unknown version')}")


def _tell(sentence: str) -> None:
    click.echo(f"nstyle reproduce: {printable(sentence)}", err=True)


def _fail(command: str, message: str) -> NoReturn:
    click.echo(f"nstyle {command}: {message}", err=True)
    sys.exit(1)
