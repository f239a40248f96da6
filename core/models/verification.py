"""Verifies that a file is the one of a registry entry.

The registry has the published sizes and checksums. If no sha256 was published, the sha256 of the first file
that passes is recorded in ``verified.json`` beside it. Later files must have the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from core.models.checksums import Digests, file_digests, foreign_content, read_head
from core.models.file_entries import FileEntry
from core.models.verified import RECORD_NAME, read_record, write_record

__all__ = ["RECORD_NAME", "Status", "Verification", "describe_wrong_file", "verify"]

Status = Literal[
    "ok",
    "unchecked",
    "missing",
    "foreign",
    "truncated",
    "wrong size",
    "wrong layers",
    "wrong md5",
    "wrong sha256",
]


@dataclass(frozen=True)
class Verification:
    """The result of ``verify``. ``message`` is one sentence that begins with the path.

    status: ``ok``; ``unchecked`` if neither size nor checksum was published; otherwise what is wrong.
    digests: of the file; None if it was wrong before its checksums were computed.
    """

    status: Status
    message: str
    digests: Digests | None = None

    @property
    def passed(self) -> bool:
        """Whether the file may be used."""
        return self.status in ("ok", "unchecked")


def verify(
    entry: FileEntry,
    path: str | Path,
    progress: Callable[[int], None] | None = None,
    record: Path | None = None,
) -> Verification:
    """Compare the file ``path`` with everything known about ``entry``. Reads the file at most once.

    progress: called with the number of bytes of each portion read.
    record: the ``verified.json`` to compare with and add to, if no sha256 was published. None: not used.
    Raises OSError if an existing file cannot be read, RegistryError if ``record`` is damaged.
    """
    path = Path(path)
    doubt = _first_doubt(path, entry)
    if doubt is not None:
        return Verification(doubt[0], f"{path}: {doubt[1]}")
    digests = file_digests(path, progress)
    if entry.md5 not in (None, digests.md5):
        return Verification("wrong md5", f"{path}: {_damaged(entry, 'md5', digests.md5, entry.md5)}", digests)
    sha256 = entry.sha256 or (_recorded(record, entry) if record else None)
    if sha256 not in (None, digests.sha256):
        origin = "" if entry.sha256 else f", the sha256 of the first verified file (see {record})"
        message = f"{path}: {_damaged(entry, 'sha256', digests.sha256, sha256)}{origin}"
        return Verification("wrong sha256", message, digests)
    if record is not None and entry.sha256 is None:
        _add_to_record(record, entry, digests)
    return _passed(entry, path, digests)


def describe_wrong_file(path: str | Path, entry: FileEntry | None = None) -> str | None:
    """What is wrong with the file ``path``, in one sentence. None if nothing is found.

    Checks only size and first bytes, so it is quick. entry: the expected file; None: any caffemodel.
    Raises OSError if an existing file cannot be read.
    """
    doubt = _first_doubt(Path(path), entry)
    return None if doubt is None else f"{path}: {doubt[1]}"


def _first_doubt(path: Path, entry: FileEntry | None) -> tuple[Status, str] | None:
    if not path.is_file():
        return "missing", "no such file"
    head = read_head(path)
    foreign = foreign_content(head) if entry is None else entry.foreign(head)
    if foreign is not None:
        return "foreign", foreign
    if entry is None:
        return None
    size = path.stat().st_size
    if entry.bytes is not None and size != entry.bytes:
        return _wrong_size(entry, size, entry.bytes)
    if not entry.has_checksum and (absent := entry.absent(path)):
        return "wrong layers", absent
    return None


def _wrong_size(entry: FileEntry, size: int, wanted: int) -> tuple[Status, str]:
    sizes = f"{size:,} bytes instead of {wanted:,}"
    if size < wanted:
        return "truncated", f"is truncated to {100 * size / wanted:.1f} % of {entry.name}: {sizes}"
    return "wrong size", f"is not {entry.name}: {sizes}"


def _damaged(entry: FileEntry, kind: str, found: str, wanted: str | None) -> str:
    return f"is damaged or not {entry.name}: its {kind} is {found} instead of {wanted}"


def _passed(entry: FileEntry, path: Path, digests: Digests) -> Verification:
    known = [kind for kind in ("md5", "sha256") if getattr(entry, kind)]
    size = f"{digests.bytes:,} bytes"
    if known:
        return Verification(
            "ok", f"{path}: is {entry.name}, {size}, {' and '.join(known)} as published", digests
        )
    found = f"no checksum was published, its sha256 is {digests.sha256}"
    if entry.bytes is not None:
        return Verification("ok", f"{path}: has the size of {entry.name}, {size}; {found}", digests)
    return Verification("unchecked", f"{path}: {entry.likeness()}, {size}; {found}", digests)


def _recorded(record: Path, entry: FileEntry) -> str | None:
    values = read_record(record).get(entry.file)
    return values.get("sha256") if isinstance(values, dict) else None


def _add_to_record(record: Path, entry: FileEntry, digests: Digests) -> None:
    values = read_record(record)
    if entry.file not in values:
        values[entry.file] = {"bytes": digests.bytes, "md5": digests.md5, "sha256": digests.sha256}
        write_record(record, values)
