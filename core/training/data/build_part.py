"""Writes FILE.h5.part, an unfinished dataset with its final structure, and its progress in FILE.h5.part.json.

The HDF5 library writes only the structure, at the beginning. Pictures are written in place as plain bytes, so
the file stays valid if the process is killed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from core.atomic import replaced_when_complete
from core.training.data.hdf5 import SLAB_BYTES, create
from core.training.data.picture_files import Pixels

Shapes = Mapping[str, tuple[int, int, int, int]]
SAVED_EVERY = 1 << 26  # bytes


class PartFile:
    """The unfinished file of ``target`` with uint8 datasets (pictures, 3, H, W).

    shapes: the largest shape of each dataset, by name.  plan: identifies settings and pictures; if it differs
    from that of the existing file, the build starts again.  state: the last value given to ``save``, empty at
    the start. Raises: OSError.
    """

    def __init__(self, target: Path, shapes: Shapes, plan: str) -> None:
        self._target, self._shapes, self._plan = target, shapes, plan
        self._path = target.with_name(f"{target.name}.part")
        self._journal = target.with_name(f"{target.name}.part.json")
        self._unsaved = 0
        journal = self._usable_journal()
        if journal is None:
            self._journal.unlink(missing_ok=True)
            journal = {"begins": create(self._path, shapes), "state": {}}
        self._begins: dict[str, int] = journal["begins"]
        self.state: dict[str, Any] = journal["state"]
        self._file: IO[bytes] = self._path.open("r+b")

    def _usable_journal(self) -> dict[str, Any] | None:
        try:
            journal: dict[str, Any] = json.loads(self._journal.read_text())
            ends = [begin + _bytes(self._shapes[name]) for name, begin in journal["begins"].items()]
            complete = self._path.stat().st_size >= max(ends)
        except (OSError, ValueError, LookupError, TypeError):
            return None
        return journal if complete and journal["plan"] == self._plan else None

    def write(self, name: str, place: int, pixels: Pixels) -> None:
        """Store a picture. Raises: OSError."""
        self._file.seek(self._begins[name] + place * pixels.nbytes)
        self._file.write(pixels.tobytes())
        self._unsaved += pixels.nbytes

    def save(self, state: Mapping[str, Any], *, now: bool = False) -> None:
        """Store ``state`` for a later process, after every 64 MiB written or ``now``. Raises: OSError."""
        if self._unsaved < SAVED_EVERY and not now:
            return
        self._file.flush()
        os.fsync(self._file.fileno())  # the journal may count only what is on disk
        text = json.dumps({"plan": self._plan, "begins": self._begins, "state": state})
        with replaced_when_complete(self._journal) as journal:
            journal.write(text.encode())
        self._unsaved = 0

    def finish(self, counts: Mapping[str, int]) -> None:
        """Rename the file to its target, each dataset shortened to its count. Raises: OSError."""
        self._file.flush()
        os.fsync(self._file.fileno())
        shapes = {name: (counts[name], *shape[1:]) for name, shape in self._shapes.items()}
        if shapes == self._shapes:
            self._path.replace(self._target)
        else:
            self._copy(shapes)
            self._path.unlink()
        self._journal.unlink(missing_ok=True)

    def _copy(self, shapes: Shapes) -> None:
        """Copy to shorter datasets, because damaged pictures were left out; HDF5 cannot shorten in place."""
        path = self._target.with_name(f"{self._target.name}.part.copy")
        begins = create(path, shapes)
        with path.open("r+b") as shorter:
            for name, shape in shapes.items():
                self._file.seek(self._begins[name])
                shorter.seek(begins[name])
                left = _bytes(shape)
                while left:
                    left -= shorter.write(self._file.read(min(left, SLAB_BYTES)))
        path.replace(self._target)

    def close(self) -> None:
        """Close the file and leave it for a later process."""
        self._file.close()


def _bytes(shape: tuple[int, int, int, int]) -> int:
    count, channels, height, width = shape
    return count * channels * height * width
