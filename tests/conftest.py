"""Fixtures for all tests: the reference material; a test that needs it is skipped if it is absent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
SHARED_GOLDEN = SHARED / "golden" / "neural_style"
GOLDEN = ROOT / "tests" / "golden"  # the part of it that is ours to bundle


@pytest.fixture(scope="session")
def shared() -> Path:
    """``../shared``, the reference material beside the clone; tests that need it skip without it."""
    if not SHARED.is_dir():
        pytest.skip(f"reference material not found: {SHARED}")
    return SHARED


@pytest.fixture(scope="session")
def golden(shared: Path) -> Path:
    """The reference runs of the real Torch7 program on small models."""
    return SHARED_GOLDEN


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    """Debian's Chromium."""
    from tests.support.browsing import launched

    with launched() as chromium:
        yield chromium
