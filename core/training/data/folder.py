"""Training straight from a folder of pictures, with the pixels that ``nstyle dataset build`` would store."""

from __future__ import annotations

from concurrent.futures import Executor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image as PillowImage

from core.errors import DatasetError, ImageError
from core.training.data.batches import Batch
from core.training.data.picture_files import Pixels, load_rgb, picture_names
from core.training.data.pieces import Cut, low_resolution, planned


class Piece(NamedTuple):
    """A piece of a picture of the folder."""

    name: str
    top: int
    left: int


class FolderSource:
    """The pieces of all pictures, in the order of their names.

    Files that are no pictures by their first bytes are left out. In place of one that turns out damaged
    where it is decoded stands the next sound one, so that what is at a place depends on the files alone, not
    on when or by which thread it is read. factor: how much smaller network inputs are; 1 takes the pieces.
    unusable: why, of each file that is not used, in the words for the person at the terminal.
    """

    def __init__(self, folder: Path, cut: Cut, factor: int, pool: Executor) -> None:
        self.unusable: dict[str, str] = {}
        self._folder, self._cut, self._factor = folder, cut, factor
        found = planned(folder, picture_names(folder), cut, pool, self._leave_out)
        self._pieces = [Piece(name, *corner) for name, corners in found for corner in corners]
        if not self._pieces:
            raise DatasetError(f"{folder}: holds no picture that can be used")

    def _leave_out(self, name: str, error: ImageError) -> None:
        self.unusable[name] = str(error)

    def __len__(self) -> int:
        return len(self._pieces)

    def read(self, first: int, end: int) -> Batch:
        """The pieces from ``first`` to before ``end``. Raises: DatasetError: not one can be decoded."""
        decoder = _Decoder(self._folder)
        y = np.stack([self._sound(decoder, place) for place in range(first, end)])
        x = y if self._factor == 1 else np.stack([low_resolution(piece, self._factor) for piece in y])
        return Batch(x, y)

    def _sound(self, decoder: _Decoder, place: int) -> Pixels:
        for ahead in range(len(self._pieces)):
            piece = self._pieces[(place + ahead) % len(self._pieces)]
            if piece.name in self.unusable:
                continue
            try:
                return self._cut.cut(decoder.picture(piece.name), piece.top, piece.left)
            except ImageError as error:
                self._leave_out(piece.name, error)
        raise DatasetError(f"{self._folder}: holds no picture that can be decoded")


class _Decoder:
    """Decodes a picture once for all its pieces that follow one another."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._name = folder, ""
        self._picture: PillowImage.Image

    def picture(self, name: str) -> PillowImage.Image:
        if name != self._name:
            self._picture, self._name = load_rgb(self._folder / name), name
        return self._picture
