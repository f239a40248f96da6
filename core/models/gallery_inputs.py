"""The pictures that the configs of configs/gallery/ start from: their manifest, fetching and verifying them.

They are the works of others, so none is part of the clone.
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
INPUTS_DIR = _ROOT / "inputs"  # where those configs look

_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")


@dataclass(frozen=True)
class InputEntry(FileEntry):
    """One picture of the manifest; ``what`` is title, artist and year where they are known."""

    def foreign(self, head: bytes) -> str | None:
        """Say so if ``head`` begins neither a JPEG nor a PNG, as a server's "not found" page does."""
        if not head:
            return "is an empty file"
        return None if head.startswith(_SIGNATURES) else "is no JPEG or PNG picture; get it from elsewhere"

    def likeness(self) -> str:
        """Of an unpublished checksum nothing but the kind of file is known."""
        return f"is a picture, taken for {self.name}"

    def by_hand(self, target: Path) -> str:
        """Look for it on its page."""
        return f"look for it by hand, see {self.page}, and save it as {target}"


def load_manifest(path: str | Path | None = None) -> dict[str, InputEntry]:
    """Read and check a manifest, by default configs/gallery/inputs.yaml; the order is the file's.

    Raises RegistryError naming file, entry and key if it is unreadable or not as it should be.
    """
    return read_table(MANIFEST if path is None else Path(path), "inputs", InputEntry, FILE_RULES)


def fetch_input(
    entry: InputEntry, directory: str | Path, report: Report, limits: Limits | None = None
) -> Verification:
    """See to it that the picture of ``entry`` lies in ``directory``, and say what it was verified by.

    A file that lies there is never replaced. report, limits: as for ``core.models.download.fetch``.
    Raises RegistryError if another file has its name, or if it cannot be fetched.
    """
    target = Path(directory) / entry.file
    if not target.exists():
        fetch(entry, directory, report, limits)
    found = verify_input(entry, directory)
    if not found.passed:
        raise RegistryError(f"{found.message}; it is left as it is: move it away and fetch again")
    return found


def verify_input(entry: InputEntry, directory: str | Path) -> Verification:
    """Compare the picture of ``entry`` in ``directory`` with what was published, else with the first one."""
    folder = Path(directory)
    return verify(entry, folder / entry.file, record=folder / RECORD_NAME)
