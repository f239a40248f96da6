"""Shared by ``nstyle models`` and ``nstyle inputs``: errors in one line, selection by name, progress."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from typing import NoReturn, ParamSpec, TypeVar

import click
from tqdm import tqdm

from cli.terminal.output import discard_log
from core.errors import NeuralStyleError, RegistryError
from core.models.download import Event, MirrorFailed, Received, Started, Unusable, Verifying
from core.models.file_entries import FileEntry
from core.models.verification import Verification

Parameters = ParamSpec("Parameters")
Entry = TypeVar("Entry", bound=FileEntry)


def ends_in_one_line(program: str) -> Callable[[Callable[Parameters, None]], Callable[Parameters, None]]:
    """Print an error as one line of ``program`` on stderr; exit status 1 for an error, 130 for Ctrl-C."""

    def decorate(command: Callable[Parameters, None]) -> Callable[Parameters, None]:
        @functools.wraps(command)
        def run(*arguments: Parameters.args, **options: Parameters.kwargs) -> None:
            try:
                command(*arguments, **options)
            except NeuralStyleError as error:
                _fail(program, str(error), 1)
            except BrokenPipeError:  # such as | head
                discard_log()
                sys.exit(1)
            except OSError as error:
                _fail(program, f"{error.filename}: {error.strerror}" if error.filename else str(error), 1)
            except KeyboardInterrupt:
                _fail(program, "interrupted; the partial file is kept, run again to resume", 130)

        return run

    return decorate


def _fail(program: str, message: str, status: int) -> NoReturn:
    click.echo(f"{program}: {message}", err=True)
    sys.exit(status)


def chosen(names: Sequence[str], known: dict[str, Entry], kind: str) -> list[Entry]:
    """The entries called ``names``, each once. Raises: RegistryError: an unknown name."""
    for name in names:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise RegistryError(f"no {kind} is called {name!r}; {hint}choose from {', '.join(known)}")
    return [known[name] for name in dict.fromkeys(names)]


def fetch_each(program: str, entries: Iterable[Entry], fetch_one: Callable[[Entry, Progress], str]) -> None:
    """Fetch every entry. If one fails, the others are still fetched, and the exit status is 1.

    fetch_one: fetches one entry and returns the line to print; raises RegistryError.
    """
    failures = 0
    for entry in entries:
        try:
            with Progress() as progress:
                message = fetch_one(entry, progress)
            click.echo(message)
        except RegistryError as error:
            click.echo(f"{program}: {error}", err=True)
            failures += 1
    if failures:
        sys.exit(1)


def verify_each(entries: Sequence[Entry], verify_one: Callable[[Entry], Verification], remedy: str) -> None:
    """Verify every entry and print the results. Raises: RegistryError: some failed."""
    failures = 0
    for entry in entries:
        found = verify_one(entry)
        click.echo(f"{entry.name}: {found.status}: {found.message}")
        failures += not found.passed
    if failures:
        raise RegistryError(f"verify: {failures} of {len(entries)} failed; {remedy}")


class Progress:
    """Shows the events of a download on stderr: a bar if it is a terminal, and failures of mirrors."""

    def __init__(self) -> None:
        self._bar: tqdm[NoReturn] | None = None

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def __call__(self, event: Event) -> None:
        """Show ``event``."""
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
            click.echo(f"{event.reason}; fetching it again", err=True)

    def advance(self, count: int) -> None:
        """Advance the bar by ``count`` bytes."""
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
