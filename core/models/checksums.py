"""Checksums of files, and detection of files that are not models by their first bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_CHUNK_BYTES = 1 << 20
HEAD_BYTES = 4096


@dataclass(frozen=True)
class Digests:
    """The checksums (lower-case hexadecimal) and the size in bytes of one file."""

    md5: str
    sha256: str
    bytes: int


def file_digests(path: str | Path, progress: Callable[[int], None] | None = None) -> Digests:
    """Read ``path`` once and return its size, md5 and sha256.

    progress: called with the number of bytes of each portion read.
    Raises OSError if the file cannot be read.
    """
    md5, sha256, size = hashlib.md5(usedforsecurity=False), hashlib.sha256(), 0
    with Path(path).open("rb") as stream:
        while portion := stream.read(_CHUNK_BYTES):
            md5.update(portion)
            sha256.update(portion)
            size += len(portion)
            if progress is not None:
                progress(len(portion))
    return Digests(md5.hexdigest(), sha256.hexdigest(), size)


def foreign_content(head: bytes) -> str | None:
    """What kind of file begins with ``head``, if it cannot be a caffemodel. Otherwise None.

    The text is a predicate and, after a semicolon, advice: "is a web page ...; download it again".
    head: the first ``HEAD_BYTES`` bytes, or all of a shorter file.
    """
    from caffe_loader.sniff import describe  # imports numpy and protobuf, which most commands do not need

    return describe(head) if head else "is an empty file"


def read_head(path: str | Path) -> bytes:
    """Return the first ``HEAD_BYTES`` bytes of ``path``. Raises OSError."""
    with Path(path).open("rb") as stream:
        return stream.read(HEAD_BYTES)
