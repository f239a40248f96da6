"""Downloads a file of a registry: tries its mirrors in order, resumes, and verifies the file.

During the transfer the file is named ``FILE.part``. It is kept if the transfer is interrupted, and removed if
its content is wrong. Only a verified file is renamed to ``FILE``.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from core.errors import RegistryError
from core.models.file_entries import FileEntry
from core.models.transfer import BrokenError, Limits, Received, RefusedError, SilentError, Started, transfer
from core.models.verification import RECORD_NAME, Verification, verify

__all__ = [
    "Event",
    "Limits",
    "MirrorFailed",
    "Received",
    "Report",
    "Started",
    "Unusable",
    "Verifying",
    "fetch",
    "install",
]


@dataclass(frozen=True)
class Verifying:
    """The verification of the file ``path`` with ``total`` bytes begins."""

    path: Path
    total: int


@dataclass(frozen=True)
class MirrorFailed:
    """``url`` failed because of ``reason``. It is tried again if ``retrying``, else given up."""

    url: str
    reason: str
    retrying: bool


@dataclass(frozen=True)
class Unusable:
    """The existing file is wrong and will be replaced. ``reason`` says what is wrong and names the file."""

    reason: str


Event = Started | Received | Verifying | MirrorFailed | Unusable
Report = Callable[[Event], None]


def _ignore(event: Event) -> None:
    """Report nothing."""


@dataclass(frozen=True)
class _Job:
    entry: FileEntry
    target: Path
    report: Report
    limits: Limits
    silent: set[str] | None

    @property
    def part(self) -> Path:
        return self.target.with_name(f"{self.target.name}.part")


def fetch(
    entry: FileEntry,
    directory: str | Path,
    report: Report = _ignore,
    limits: Limits | None = None,
    *,
    silent: set[str] | None = None,
) -> Path:
    """Return the verified file of ``entry`` in ``directory``. Downloads it if it is missing or wrong.

    report: called with every event, for progress and notices.  limits: time-outs and retries.
    silent: hosts that did not answer and are not asked; those found so are added. None: all are asked.
    A file without a published checksum is not resumed, because a mixture of two files would not be noticed.
    Raises RegistryError if every mirror fails (with the reasons, and how to get the file by hand) or if the
    disk is full or cannot be written. KeyboardInterrupt is not caught; the partial file is kept.
    """
    job = _Job(entry, Path(directory) / entry.file, report, limits or Limits(), silent)
    failures = []
    try:
        if job.target.exists():
            present = _verify(entry, job.target, job.target.parent, report)
            if present.passed:
                return job.target
            report(Unusable(present.message))
        job.target.parent.mkdir(parents=True, exist_ok=True)
        for url in entry.urls:
            failure = _fetch_from(url, job)
            if failure is None:
                return job.target
            failures.append(f"{url}: {failure}")
    except OSError as error:
        place = error.filename or job.part
        raise RegistryError(f"{place}: {error.strerror or error}; the part received is kept") from error
    raise RegistryError(_given_up(job, failures))


def install(entry: FileEntry, source: str | Path, directory: str | Path, report: Report = _ignore) -> Path:
    """Verify that ``source`` is the file of ``entry`` and put it into ``directory``. Returns its new path.

    The file is hard-linked if the file system supports it, else copied.
    Raises RegistryError if it is not that file, OSError if it cannot be read or written.
    """
    source, target = Path(source).resolve(), Path(directory) / entry.file
    verification = _verify(entry, source, target.parent, report)
    if not verification.passed:
        raise RegistryError(verification.message)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        _link_or_copy(source, temporary)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    return target


def _fetch_from(url: str, job: _Job) -> str | None:
    """Download from one mirror. Returns None, or why it failed."""
    host = urlsplit(url).netloc
    if job.silent and host in job.silent:
        return f"{host} did not answer before"
    resumed = job.part.exists()
    failure = _fetch_once(url, job)
    if failure is not None and resumed and not job.part.exists():
        # The partial file was the beginning of another file and is removed: try again from byte 0.
        job.report(MirrorFailed(url, failure, retrying=True))
        failure = _fetch_once(url, job)
    if failure is not None:
        job.report(MirrorFailed(url, failure, retrying=False))
    return failure


def _fetch_once(url: str, job: _Job) -> str | None:
    try:
        _transfer_with_retries(url, job)
    except RefusedError as refusal:
        if job.silent is not None and isinstance(refusal, SilentError):
            job.silent.add(urlsplit(url).netloc)
        return str(refusal)
    verification = _verify(job.entry, job.part, job.target.parent, job.report)
    if verification.passed:
        job.part.replace(job.target)
        return None
    job.part.unlink()
    return f"sent a file that {verification.message.removeprefix(f'{job.part}: ')}"


def _transfer_with_retries(url: str, job: _Job) -> None:
    for attempt in range(1, job.limits.attempts + 1):
        if not job.entry.has_checksum:
            job.part.unlink(missing_ok=True)
        try:
            return transfer(url, job.part, job.entry.bytes, job.limits, job.report, job.entry.foreign)
        except BrokenError as failure:
            if attempt == job.limits.attempts:
                raise RefusedError(f"{failure} (asked {attempt} times)") from failure
            job.report(MirrorFailed(url, str(failure), retrying=True))
            time.sleep(job.limits.pause_seconds * 2 ** (attempt - 1))
    return None


def _verify(entry: FileEntry, path: Path, directory: Path, report: Report) -> Verification:
    report(Verifying(path, path.stat().st_size if path.exists() else 0))
    return verify(entry, path, lambda count: report(Received(count)), record=directory / RECORD_NAME)


def _given_up(job: _Job, failures: list[str]) -> str:
    by_hand = job.entry.by_hand(job.target)
    if not job.entry.urls:
        return f"{job.entry.name}: {by_hand}"
    kept = "; the part received is kept, run again to continue" if job.part.exists() else ""
    return f"{job.entry.name} could not be downloaded: {'; '.join(failures)}{kept}; or {by_hand}"


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without hard links
        shutil.copyfile(source, target)
