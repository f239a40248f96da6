"""Starts or continues the download of a file with one HTTP request."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import RegistryError
from core.models.checksums import HEAD_BYTES

if TYPE_CHECKING:  # importing requests takes a quarter of a second: functions import it when they need it
    import requests

_CHUNK_BYTES = 1 << 16
_SPARE_BYTES = 1 << 20  # left free on the disk
_PASSING_STATUS = frozenset((429, 500, 502, 503, 504))


class RefusedError(Exception):
    """This address cannot deliver the file. A new attempt will not help."""


class SilentError(RefusedError):
    """The host does not answer, whatever it is asked for."""


class BrokenError(Exception):
    """The transfer was interrupted or the server is busy. A new attempt may help."""


@dataclass(frozen=True)
class Limits:
    """Time-outs and retries: seconds for a connection and for the next bytes, attempts per address, and the
    pause between attempts in seconds, which doubles each time.
    """

    connect_seconds: float = 10.0
    read_seconds: float = 30.0
    attempts: int = 4
    pause_seconds: float = 1.0


@dataclass(frozen=True)
class Started:
    """``url`` has answered. ``done`` of ``total`` bytes are already there. total: None if unknown."""

    url: str
    done: int
    total: int | None


@dataclass(frozen=True)
class Received:
    """``count`` more bytes were received or, after ``Verifying``, verified."""

    count: int


def transfer(
    url: str,
    part: Path,
    size: int | None,
    limits: Limits,
    report: Callable[[Started | Received], None],
    foreign: Callable[[bytes], str | None],
) -> None:
    """Download ``url`` into the file ``part``, after the bytes it already has.

    size: of the whole file in bytes, if known.  report: called when the server answers and for each portion.
    foreign: returns what the first bytes are if they are another kind of file, else None.
    If the server does not support continuing, it sends the whole file and ``part`` is overwritten.
    Raises RefusedError or BrokenError (the bytes received are kept), RegistryError if the disk is too full,
    OSError if the file cannot be written.
    """
    import requests

    start = part.stat().st_size if part.exists() else 0
    if size is not None and start >= size:
        if start == size:
            return
        part.unlink()
        start = 0
    headers = {"Accept-Encoding": "identity", "User-Agent": "neural-style-exact"}
    if start:
        headers["Range"] = f"bytes={start}-"
    timeouts = (limits.connect_seconds, limits.read_seconds)
    try:
        with requests.get(url, headers=headers, stream=True, timeout=timeouts) as response:
            if not _is_whole_already(response, start):
                placed = _placed(response, part, start, size)
                portions = _portions(response, None if placed[0] else foreign)
                _receive(portions, url, part, placed, size, report)
    except requests.exceptions.RequestException as error:
        raise _translated(error, limits) from error


def _is_whole_already(response: requests.Response, start: int) -> bool:
    whole = response.headers.get("Content-Range", "") == f"bytes */{start}"
    return response.status_code == 416 and start > 0 and whole


def _placed(response: requests.Response, part: Path, start: int, size: int | None) -> tuple[int, int | None]:
    """Return the offset of the answer in the file, and the size of the whole file if the server sends it."""
    status = f"HTTP {response.status_code} {response.reason}".rstrip()
    if response.status_code in _PASSING_STATUS:
        raise BrokenError(status)
    if response.status_code == 200:
        encoded = response.headers.get("Content-Encoding", "identity") != "identity"
        length = response.headers.get("Content-Length", "")
        return 0, int(length) if length.isdecimal() and not encoded else None
    if response.status_code not in (206, 416) or not start:
        raise RefusedError(status)
    told = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
    total = int(told[2]) if told and told[2] != "*" else size
    if told is None or int(told[1]) != start:
        part.unlink()
        raise BrokenError(f"cannot continue at byte {start:,} ({status}), starting again")
    return start, total


def _receive(
    portions: Iterator[bytes],
    url: str,
    part: Path,
    placed: tuple[int, int | None],
    size: int | None,
    report: Callable[[Started | Received], None],
) -> None:
    offset, told = placed
    if None not in (size, told) and told != size:
        raise RefusedError(f"has a file of {told:,} bytes instead of {size:,}")
    total = told if size is None else size
    _require_space(part, total)
    report(Started(url, offset, total))
    done = offset
    with part.open("ab" if offset else "wb") as stream:
        for portion in portions:
            done += len(portion)
            if total is not None and done > total:
                raise RefusedError(f"sends more than {total:,} bytes")
            stream.write(portion)
            report(Received(len(portion)))
    if total is not None and done < total:
        raise BrokenError(f"ended after {done:,} of {total:,} bytes")


def _portions(response: requests.Response, foreign: Callable[[bytes], str | None] | None) -> Iterator[bytes]:
    """The answer in portions. Raises RefusedError if ``foreign`` rejects the first bytes."""
    portions, head = response.iter_content(_CHUNK_BYTES), b""
    while len(head) < HEAD_BYTES and (portion := next(portions, b"")):
        head += portion
    if foreign is not None and (doubt := foreign(head[:HEAD_BYTES])):
        raise RefusedError(f"sent what {doubt.partition(';')[0]}")
    return chain([head], portions)


def _require_space(part: Path, total: int | None) -> None:
    if total is None:
        return
    present = part.stat().st_size if part.exists() else 0
    needed = total - present + _SPARE_BYTES
    free = shutil.disk_usage(part.parent).free
    if free < needed:
        raise RegistryError(
            f"{part.parent}: needs {needed:,} bytes, but only {free:,} are free; free some disk space"
        )


def _translated(error: requests.exceptions.RequestException, limits: Limits) -> RefusedError | BrokenError:
    """``error`` in a few words, as a RefusedError or (if a new attempt may help) a BrokenError."""
    import requests
    import urllib3

    cause = error.args[0] if error.args else None
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return BrokenError("closed the connection before the end")
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return SilentError(f"no connection within {limits.connect_seconds:g} s")
    if isinstance(error, requests.exceptions.ReadTimeout) or isinstance(
        cause, urllib3.exceptions.ReadTimeoutError
    ):
        return SilentError(f"stalled: sent nothing for {limits.read_seconds:g} s")
    if isinstance(error, requests.exceptions.SSLError):
        return RefusedError("its certificate is not trusted")
    if isinstance(cause, urllib3.exceptions.ProtocolError):
        return BrokenError("closed the connection without an answer")
    if isinstance(error, requests.exceptions.ConnectionError):
        return SilentError(f"cannot be reached ({_system_reason(error)})")
    return RefusedError(" ".join(str(error).split()) or type(error).__name__)


def _system_reason(error: BaseException) -> str:
    """The operating system's message in a chain of wrapped errors, such as "Connection refused"."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    return type(error).__name__
