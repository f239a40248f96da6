"""A dataset file that is being made: FILE.h5.part with its final structure, and beside it how far it is.

The HDF5 library writes only the structure, at the beginning. Pictures are written in place as plain bytes, so
that a process may be killed at any moment and the file stays sound.
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
    """Datasets (pictures, 3, H, W) of uint8 on their way into ``target``.

    shapes: of each dataset, by name, as far as is known.  plan: what all this is made of; with another plan
    everything begins anew.  state: what was given to ``save`` last, empty at the start. Raises: OSError.
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
        """Keep ``state`` for a later process, not more often than is worth while. Raises: OSError."""
        if self._unsaved < SAVED_EVERY and not now:
            return
        self._file.flush()
        os.fsync(self._file.fileno())  # what is said to be there must be
        text = json.dumps({"plan": self._plan, "begins": self._begins, "state": state})
        with replaced_when_complete(self._journal) as journal:
            journal.write(text.encode())
        self._unsaved = 0

    def finish(self, counts: Mapping[str, int]) -> None:
        """Give the file its name; datasets keep so many pictures. Raises: OSError."""
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
        """Files turned out damaged: a dataset of fixed length cannot be shortened in place."""
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
        """Leave what is there for a later process."""
        self._file.close()


def _bytes(shape: tuple[int, int, int, int]) -> int:
    count, channels, height, width = shape
    return count * channels * height * width
