"""Recognises files that are not caffemodels by their first bytes."""

from __future__ import annotations

import re

HEAD_BYTES = 4096

_PATTERNS: dict[str, re.Pattern[bytes]] = {
    kind: re.compile(pattern, re.IGNORECASE | re.DOTALL)
    for kind, pattern in (
        ("html", rb"(\xef\xbb\xbf)?\s*(<!doctype html|<html|<head|<\?xml|<!--)"),
        ("lfs", rb"version https://git-lfs"),
        ("zip", rb"PK\x03\x04"),
        ("pickle", rb"\x80[\x02-\x05]"),
        ("archive", rb"\x1f\x8b|BZh|\xfd7zXZ|7z\xbc\xaf"),
        ("hdf5", rb"\x89HDF\r\n"),
        ("t7", rb"[\x01-\x04]\x00\x00\x00|[1-4]\r?\n\d+\r?\n"),
        (
            "prototxt",
            rb"(\s|#[^\n]*\n)*(name|layers?|input|input_dim|input_shape|state|force_backward)\s*[:{]",
        ),
    )
}
CAUSES = {
    "html": "is a web page (HTML), not a model; download it again from another mirror",
    "lfs": "is a Git LFS pointer, not the model itself; run `git lfs pull` in its repository",
    "zip": "is a zip archive, perhaps a PyTorch .pth; unpack it, or give the original .caffemodel",
    "pickle": "is a Python pickle, perhaps a PyTorch .pth; give the original .caffemodel",
    "archive": "is a compressed archive; unpack it first",
    "hdf5": "is an HDF5 file (.caffemodel.h5); give the binary protobuf .caffemodel",
    "t7": "is a Torch7 .t7 file; give the original .caffemodel",
    "prototxt": "is a prototxt, a network description without weights; give the .caffemodel",
}


def recognise(head: bytes) -> str | None:
    """The kind of a file that starts with ``head`` (a key of :data:`CAUSES`). None if unknown."""
    return next((kind for kind, pattern in _PATTERNS.items() if pattern.match(head)), None)


def describe(head: bytes) -> str | None:
    """Why a file that starts with ``head`` is not a caffemodel, and what to do. None if unknown."""
    kind = recognise(head)
    return CAUSES[kind] if kind else None
