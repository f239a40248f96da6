"""``nstyle models``: fetch, verify, list and add the model files of vgg_models/registry.yaml."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import NoReturn, ParamSpec

import click
from tqdm import tqdm

from core import registry
from core.download import Event, MirrorFailed, Received, Started, Unusable, Verifying, fetch, install
from core.errors import NeuralStyleError, RegistryError
from core.registry import ModelEntry
from core.verification import RECORD_NAME, verify

Parameters = ParamSpec("Parameters")


def _ends_in_one_line(command: Callable[Parameters, None]) -> Callable[Parameters, None]:
    """Turn what a user can mend into one line on stderr and exit status 1, Ctrl-C into 130."""

    @functools.wraps(command)
    def run(*arguments: Parameters.args, **options: Parameters.kwargs) -> None:
        try:
            command(*arguments, **options)
        except NeuralStyleError as error:
            _fail(str(error), 1)
        except OSError as error:
            _fail(f"{error.filename}: {error.strerror}" if error.filename else str(error), 1)
        except KeyboardInterrupt:
            _fail("interrupted; a partial file is kept, run again to resume", 130)

    return run


def _fail(message: str, status: int) -> NoReturn:
    click.echo(f"nstyle models: {message}", err=True)
    sys.exit(status)


@click.group("models")
def models_group() -> None:
    """Fetch, verify, list and add the original model files."""


@models_group.command("fetch")
@click.argument("names", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Fetch every registered model.")
@_ends_in_one_line
def fetch_command(names: tuple[str, ...], everything: bool) -> None:
    """Fetch the models NAMES; a partial file is continued, a verified one left alone."""
    known = registry.load_registry()
    if not names and not everything:
        raise RegistryError(f"fetch: name a model or say --all; known are {', '.join(known)}")
    failures = 0
    for entry in list(known.values()) if everything else _entries(names, known):
        try:
            with _Progress() as progress:
                path = fetch(entry, registry.MODELS_DIR, progress)
            _announce(entry, path)
        except RegistryError as error:  # the other models are fetched all the same
            click.echo(f"nstyle models: {error}", err=True)
            failures += 1
    if failures:
        sys.exit(1)


@models_group.command("verify")
@click.argument("names", nargs=-1)
@_ends_in_one_line
def verify_command(names: tuple[str, ...]) -> None:
    """Compare the files of NAMES, or all that are there, with size and checksums."""
    known = registry.load_registry()
    entries = _entries(names, known) or [e for e in known.values() if (registry.MODELS_DIR / e.file).exists()]
    failures = 0
    for entry in entries:
        path = registry.MODELS_DIR / entry.file
        with _Progress() as progress:
            progress(Verifying(path, path.stat().st_size if path.exists() else 0))
            found = verify(entry, path, progress.advance, registry.MODELS_DIR / RECORD_NAME)
        click.echo(f"{entry.name}: {found.status}: {found.message}")
        failures += not found.passed
    if failures:
        raise RegistryError(
            f"verify: {failures} of {len(entries)} failed; fetch again: nstyle models fetch NAME"
        )


@models_group.command("list")
@_ends_in_one_line
def list_command() -> None:
    """List the registered models: name, state, size, file, what it is and its licence."""
    for entry in registry.load_registry().values():
        size = "size not published" if entry.bytes is None else f"{entry.bytes:,} bytes"
        click.echo(f"{entry.name:<17} {_state(entry)}, {size}, {entry.file}")
        click.echo(f"{'':<17} {entry.what}")
        click.echo(f"{'':<17} licence: {entry.licence}")


@models_group.command("add")
@click.argument("file", type=click.Path(path_type=Path))
@_ends_in_one_line
def add_command(file: Path) -> None:
    """Recognise FILE by its checksums and place it in vgg_models/ under its own name."""
    with _Progress() as progress:
        if file.is_file():
            progress(Verifying(file, file.stat().st_size))
        entry = registry.recognise(file, progress.advance)
        path = install(entry, file, registry.MODELS_DIR, progress)
    _announce(entry, path)


def _announce(entry: ModelEntry, path: Path) -> None:
    unchecked = f" (no checksum was ever published; its own is kept in {RECORD_NAME})"
    click.echo(f"{entry.name}: {path}{'' if entry.has_checksum else unchecked}")


def _entries(names: Sequence[str], known: dict[str, ModelEntry]) -> list[ModelEntry]:
    for name in names:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise RegistryError(f"no model is called {name!r}; {hint}known are {', '.join(known)}")
    return [known[name] for name in dict.fromkeys(names)]


def _state(entry: ModelEntry) -> str:
    path = registry.MODELS_DIR / entry.file
    part = path.with_name(f"{path.name}.part")
    if path.is_file():
        doubt = registry.describe_wrong_file(path, entry)
        return "present" if doubt is None else f"UNUSABLE ({doubt.removeprefix(f'{path}: ')})"
    if part.is_file():
        return f"partly fetched ({part.stat().st_size:,} bytes)"
    return "not fetched"


class _Progress:
    """Shows events of a download: a bar on a terminal, refusals of mirrors always; all of it on stderr."""

    def __init__(self) -> None:
        self._bar: tqdm[NoReturn] | None = None

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def __call__(self, event: Event) -> None:
        if isinstance(event, Received):
            self.advance(event.count)
        elif isinstance(event, Started):
            self._close()
            click.echo(f"fetching {event.url}", err=True)
            self._open("fetch", event.done, event.total)
        elif isinstance(event, Verifying):
            self._open("verify", 0, event.total)
        elif isinstance(event, MirrorFailed):
            self._close()
            click.echo(f"{event.url}: {event.reason}{'; trying again' if event.retrying else ''}", err=True)
        elif isinstance(event, Unusable):
            self._close()
            click.echo(f"{event.reason}; fetching it anew", err=True)

    def advance(self, count: int) -> None:
        """Move the bar on by ``count`` bytes."""
        if self._bar is not None:
            self._bar.update(count)

    def _open(self, what: str, done: int, total: int | None) -> None:
        self._close()
        self._bar = tqdm(
            desc=what,
            initial=done,
            total=total,
            unit="B",
            unit_scale=True,
            file=sys.stderr,
            disable=not sys.stderr.isatty(),
            leave=False,
        )

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
