"""The input pictures of the configs in configs/gallery/: reads their manifest, downloads and verifies them.

The pictures are works of others, so they are not part of the clone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from core.errors import RegistryError
from core.models.download import Limits, Report, fetch
from core.models.file_entries import FILE_RULES, FileEntry, read_table
from core.models.verification import RECORD_NAME, Verification, verify

__all__ = ["INPUTS_DIR", "MANIFEST", "InputEntry", "fetch_input", "load_manifest", "verify_input"]

_ROOT = Path(__file__).resolve().parents[2]
MANIFEST = _ROOT / "configs" / "gallery" / "inputs.yaml"
INPUTS_DIR = _ROOT / "inputs"  # the folder that those configs name

_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")


@dataclass(frozen=True)
class InputEntry(FileEntry):
    """One picture of the manifest. ``what``: title, artist and year, if known."""

    def foreign(self, head: bytes) -> str | None:
        """Says if ``head`` is not the beginning of a JPEG or PNG, for example of a "not found" page."""
        if not head:
            return "is an empty file"
        return None if head.startswith(_SIGNATURES) else "is not a JPEG or PNG; get it from another address"

    def likeness(self) -> str:
        """Without a published checksum, only the kind of the file is known."""
        return f"is a picture, assumed to be {self.name}"

    def by_hand(self, target: Path) -> str:
        """How to get the picture by hand."""
        return f"download it by hand (see {self.page}) and save it as {target}"


def load_manifest(path: str | Path | None = None) -> dict[str, InputEntry]:
    """Read and check a manifest, by default configs/gallery/inputs.yaml. Keeps the order of the file.

    Raises RegistryError naming file, entry and key if it cannot be read or is not valid.
    """
    return read_table(MANIFEST if path is None else Path(path), "inputs", InputEntry, FILE_RULES)


def fetch_input(
    entry: InputEntry, directory: str | Path, report: Report, limits: Limits | None = None
) -> Verification:
    """Download the picture of ``entry`` into ``directory``, if it is missing, and verify it.

    An existing file is never replaced. report, limits: see ``core.models.download.fetch``.
    Raises RegistryError if an existing file is another picture, or if the download fails.
    """
    target = Path(directory) / entry.file
    if not target.exists():
        fetch(entry, directory, report, limits)
    found = verify_input(entry, directory)
    if not found.passed:
        raise RegistryError(f"{found.message}; it was not changed: move it away and fetch again")
    return found


def verify_input(entry: InputEntry, directory: str | Path) -> Verification:
    """Verify the picture of ``entry`` in ``directory`` by its published checksum, or by the recorded one."""
    folder = Path(directory)
    return verify(entry, folder / entry.file, record=folder / RECORD_NAME)
