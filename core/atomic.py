"""Files that appear complete or not at all."""

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
    """The name of an empty file beside ``target`` that takes its name once the block has ended well.

    Otherwise it is removed. It gets the permissions of any new file. Raises: OSError.
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
    """What processes left that were killed while they wrote ``target``. Raises: OSError."""
    for left in target.parent.glob(f".{glob.escape(target.name)}.*.part"):
        if left.is_dir():
            shutil.rmtree(left)
        else:
            left.unlink()


@contextmanager
def folder_beside(target: Path) -> Iterator[Path]:
    """A folder beside ``target``, gone behind the block, for a library with temporary files of its own.

    Raises: OSError.
    """
    with tempfile.TemporaryDirectory(".part", f".{target.name}.", target.parent) as folder:
        yield Path(folder)


@contextmanager
def replaced_when_complete(target: Path) -> Iterator[IO[bytes]]:
    """As :func:`path_when_complete`, the file being open for writing."""
    with path_when_complete(target) as temporary, temporary.open("wb") as file:
        yield file
