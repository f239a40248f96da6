"""Writes files so that they appear complete or not at all: under a temporary name first, then renamed."""

from __future__ import annotations

import glob
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def path_when_complete(target: Path) -> Iterator[Path]:
    """Yields the path of an empty temporary file in the folder of ``target``, to be written in the block.

    When the block ends, the file is renamed to ``target``, with the usual permissions of a new file. If the
    block raises, the file is removed. Raises: OSError.
    """
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def remove_unfinished(target: Path) -> None:
    """Remove the temporary files of processes that were killed while writing ``target``. Raises: OSError."""
    for left in target.parent.glob(f".{glob.escape(target.name)}.*.part"):
        if left.is_dir():
            shutil.rmtree(left)
        else:
            left.unlink()


@contextmanager
def folder_beside(target: Path) -> Iterator[Path]:
    """A temporary folder beside ``target`` for a library that makes its own temporary files.

    It is removed after the block.

    Raises: OSError.
    """
    with tempfile.TemporaryDirectory(".part", f".{target.name}.", target.parent) as folder:
        yield Path(folder)


@contextmanager
def replaced_when_complete(target: Path) -> Iterator[IO[bytes]]:
    """Like :func:`path_when_complete`, but yields the file opened for writing."""
    with path_when_complete(target) as temporary, temporary.open("wb") as file:
        yield file
