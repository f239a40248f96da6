"""Other programs' files that hold the weights of a registered model: the registry's ``sources``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.models.checksums import Digests
from core.models.file_entries import FILE_RULES, FileEntry, Rules, is_line, read_table

_FIRST_BYTES = {
    ".h5": (b"\x89HDF\r\n\x1a\n",),
    ".mat": (b"MATLAB 5.0", b"MATLAB 7.3"),
    ".pth": (b"PK\x03\x04", b"\x80\x02"),
}


@dataclass(frozen=True)
class SourceEntry(FileEntry):
    """A file to be fetched and converted.

    of: the registered model whose weights it holds; None: those of another network.
    sha256_begins: the first eight digits of its sha256, which PyTorch's files have in their names; or None.
    """

    of: str | None
    sha256_begins: str | None

    def matches(self, digests: Digests) -> bool:
        """Whether a published checksum says that it is this file."""
        known = self.has_checksum or self.sha256_begins is not None
        return known and super().matches(digests) and digests.sha256.startswith(self.sha256_begins or "")

    def foreign(self, head: bytes) -> str | None:
        """Say that a file beginning with ``head`` is of another format."""
        suffix = Path(self.file).suffix
        if head.startswith(_FIRST_BYTES[suffix]):
            return None
        return f"is no {suffix} file; look for {self.file} by hand"

    def likeness(self) -> str:
        """What is known of a file with the right first bytes; its weights are compared later."""
        return f"may be {self.file}"

    def by_hand(self, target: Path) -> str:
        """Look for it and add it."""
        return f"look for {self.file} by hand, see {self.page}, and place it with: nstyle models add FILE"


def read_sources(path: Path) -> dict[str, SourceEntry]:
    """The sources in the registry file ``path``, in the file's order.

    Raises RegistryError naming file, entry and key if it is unreadable or not as it should be.
    """
    return read_table(path, "sources", SourceEntry, _RULES)


def _has_known_suffix(value: Any) -> bool:
    return is_line(value) and Path(value).suffix in _FIRST_BYTES and Path(value).name == value


def _begins(value: Any) -> bool:
    return value is None or (isinstance(value, str) and re.fullmatch("[0-9a-f]{8}", value) is not None)


_RULES: Rules = {
    **FILE_RULES,
    "file": (_has_known_suffix, "a file name without folders that ends in .h5, .mat or .pth"),
    "of": (lambda value: value is None or is_line(value), "a model's name or null"),
    "sha256_begins": (_begins, "8 lower-case hexadecimal digits or null"),
}
