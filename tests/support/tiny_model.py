"""A model of 300,006 bytes and its registry entry, for tests of downloads."""

from __future__ import annotations

import hashlib
import random
from dataclasses import replace
from pathlib import Path

from core.models.entries import ModelEntry

CONTENT = b"\n\x04tiny" + random.Random(7).randbytes(300_000)


def entry_for(*urls: str, **changes: object) -> ModelEntry:
    entry = ModelEntry(
        name="tiny",
        file="tiny.caffemodel",
        what="a test",
        licence="none",
        page="http://example.org/tiny",
        urls=urls,
        bytes=len(CONTENT),
        md5=hashlib.md5(CONTENT).hexdigest(),
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        package=None,
        proto="tiny.prototxt",
        content_layers=("tiny",),
        style_layers=("tiny",),
    )
    return replace(entry, **changes)  # type: ignore[arg-type]


def assert_fetched(folder: Path) -> None:
    assert (folder / "tiny.caffemodel").read_bytes() == CONTENT
    assert not list(folder.glob("*.part"))
