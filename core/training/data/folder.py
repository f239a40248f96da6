"""Reads training pictures from a folder, with the same pixels that ``nstyle dataset build`` stores."""

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
    """A piece of a picture: file name and corner in pixels."""

    name: str
    top: int
    left: int


class FolderSource:
    """The pieces of all pictures of a folder, in the order of the pictures' names.

    Files that are not pictures by their headers are left out. A picture that turns out damaged when decoded
    is replaced by the next good one. So the data depend only on the files, not on the order of reading.
    factor: the reduction factor of the network inputs, 1 for none.
    unusable: the error message for each file that is not used, by file name.
    """

    def __init__(self, folder: Path, cut: Cut, factor: int, pool: Executor) -> None:
        self.unusable: dict[str, str] = {}
        self._folder, self._cut, self._factor = folder, cut, factor
        found = planned(folder, picture_names(folder), cut, pool, self._leave_out)
        self._pieces = [Piece(name, *corner) for name, corners in found for corner in corners]
        if not self._pieces:
            raise DatasetError(f"{folder}: contains no usable picture")

    def _leave_out(self, name: str, error: ImageError) -> None:
        self.unusable[name] = str(error)

    def __len__(self) -> int:
        return len(self._pieces)

    def read(self, first: int, end: int) -> Batch:
        """The pieces from ``first`` to ``end`` - 1. Raises: DatasetError: no picture can be decoded."""
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
        raise DatasetError(f"{self._folder}: contains no picture that can be decoded")


class _Decoder:
    """Decodes a picture once for all its consecutive pieces."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._name = folder, ""
        self._picture: PillowImage.Image

    def picture(self, name: str) -> PillowImage.Image:
        if name != self._name:
            self._picture, self._name = load_rgb(self._folder / name), name
        return self._picture
