"""Whether a model is here: by its published file, or by its convolutions alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from core.models.checksums import file_digests
from core.models.entries import ModelEntry
from core.models.proof.equivalents import stands_for
from core.models.verification import Verification, describe_wrong_file, verify

_OTHER_BYTES = ("truncated", "wrong size", "wrong md5", "wrong sha256")


def verify_model(
    entry: ModelEntry,
    path: Path,
    progress: Callable[[int], None] | None = None,
    record: Path | None = None,
) -> Verification:
    """As ``core.models.verification.verify``, but content with a file that serves as well."""
    found = verify(entry, path, progress, record)
    if found.status not in _OTHER_BYTES:
        return found
    how = serves(entry, path)
    return Verification("ok", f"{path}: serves as {entry.name}: {how}", file_digests(path)) if how else found


def serves(entry: ModelEntry, path: Path) -> str | None:
    """Why the file ``path`` is as good as the published one; None if it is not, or is it. Raises OSError."""
    found = stands_for(path)
    return found.how if found is not None and found.model == entry.name else None


def doubt_about(entry: ModelEntry, path: Path) -> str | None:
    """What is visibly wrong with the file ``path``, without its name; None if nothing is, or if it serves.

    Raises OSError.
    """
    wrong = describe_wrong_file(path, entry)
    return None if wrong is None or serves(entry, path) else wrong.removeprefix(f"{path}: ")
