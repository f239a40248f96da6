"""Builds an HDF5 file of training pictures from folders, with several threads; a stopped build can continue.

Pictures are stored in the order of their names, so every build, also a continued one, gives the same bytes.
make_style_dataset.py uses the order of the directory.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

from core.errors import DatasetError, ImageError
from core.training.data.build_part import PartFile
from core.training.data.hdf5 import style_names, upsample_names
from core.training.data.picture_files import Pixels, load_rgb, picture_names
from core.training.data.pieces import Patches, Planned, Squares, low_resolution, planned
from core.training.data.readahead import in_order

PICTURES_AHEAD = 4  # for each thread


@dataclass(frozen=True)
class DatasetPlan:
    """How pictures are converted for training.

    cut: how a picture is cut into pieces.  factors: the reduction factors of the small copies of each piece;
    empty for style.  limit: largest number of pieces in a split, 0 for all.
    """

    cut: Squares | Patches
    factors: tuple[int, ...] = ()
    limit: int = 0

    def shapes(self, split: str, count: int) -> dict[str, tuple[int, int, int, int]]:
        """The shapes of the datasets of a split, by name."""
        side = self.cut.side
        if not self.factors:
            return {style_names(split).x: (count, 3, side, side)}
        shapes = {upsample_names(split, self.factors[0]).y: (count, 3, side, side)}
        for factor in self.factors:
            shapes[upsample_names(split, factor).x] = (count, 3, side // factor, side // factor)
        return shapes

    def made_of(self, path: Path, corners: Sequence[tuple[int, int]]) -> list[list[Pixels]]:
        """For every piece, its pixels for each dataset, in the order of ``shapes``. Raises: ImageError."""
        picture = load_rgb(path)
        pieces = [self.cut.cut(picture, top, left) for top, left in corners]
        return [[piece, *(low_resolution(piece, factor) for factor in self.factors)] for piece in pieces]


class Begun(NamedTuple):
    """The build started: number of pieces to store, and how many of them are stored already."""

    total: int
    done: int


class Stored(NamedTuple):
    """This number of further pieces was stored."""

    pieces: int


class Skipped(NamedTuple):
    """A picture was left out because it cannot be used."""

    message: str


class Finished(NamedTuple):
    """The file is complete: shape of each dataset, and the number of pictures left out."""

    shapes: dict[str, tuple[int, int, int, int]]
    skipped: int


Event = Begun | Stored | Skipped | Finished


@dataclass
class _Split:
    """A split and its progress: pictures looked at, pieces stored, unusable files left out."""

    name: str
    folder: Path
    pictures: list[Planned]
    total: int
    looked_at: int = 0
    stored: int = 0
    unusable: int = 0

    def state(self) -> dict[str, int]:
        return {"looked_at": self.looked_at, "stored": self.stored, "unusable": self.unusable}

    def fingerprint(self, picture: Planned) -> tuple[str, int, int, int]:
        """Name, number of pieces, size in bytes and modification time: they change if the picture does."""
        found = (self.folder / picture.name).stat()
        return picture.name, len(picture.corners), found.st_size, found.st_mtime_ns


def build_dataset(
    target: Path, folders: Mapping[str, Path], plan: DatasetPlan, workers: int
) -> Iterator[Event]:
    """Build ``target`` from the folder 'train' and, if given, the folder 'val'.

    Raises: DatasetError: no pictures, or the file cannot be written.
    """
    pool = ThreadPoolExecutor(workers, "pictures")
    try:
        yield from _build(target, folders, plan, pool, workers * PICTURES_AHEAD)
    except OSError as error:
        raise DatasetError(
            f"{target}.part: cannot be written: {_reason(error)}; run the command again to continue"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _reason(error: OSError) -> str:
    """The operating system's message, which HDF5 hides in a long message of its own."""
    number = error.errno or next(map(int, re.findall(r"errno = (\d+)", str(error))), 0)
    return os.strerror(number) if number else str(error)


def _build(
    target: Path, folders: Mapping[str, Path], plan: DatasetPlan, pool: ThreadPoolExecutor, depth: int
) -> Iterator[Event]:
    splits = []
    for name, folder in folders.items():
        split, refused = _examined(name, folder, plan, pool)
        splits.append(split)
        yield from map(Skipped, refused)
    with closing(_part_file(target, splits, plan)) as part:
        for split in splits:
            for key, value in part.state.get(split.name, {}).items():
                setattr(split, key, value)
        yield Begun(sum(split.total for split in splits), sum(split.stored for split in splits))
        try:
            for split in splits:
                for event in _filled(part, split, plan, pool, depth):
                    yield event
                    part.save(_state(splits))
        finally:
            part.save(_state(splits), now=True)
        shapes = _shapes(splits, plan)
        part.finish({name: shape[0] for name, shape in shapes.items()})
    yield Finished(shapes, sum(split.unusable for split in splits))


def _examined(
    name: str, folder: Path, plan: DatasetPlan, pool: ThreadPoolExecutor
) -> tuple[_Split, list[str]]:
    """A split planned from the files' headers, and the messages about files left out."""
    refused: list[str] = []

    def refuse(_: str, error: ImageError) -> None:
        refused.append(str(error))

    pictures = list(planned(folder, picture_names(folder), plan.cut, pool, refuse))
    count = sum(len(picture.corners) for picture in pictures)
    if not count:
        raise DatasetError(f"{folder}: contains no usable picture; the first problem: {refused[0]}")
    total = min(count, plan.limit or count)
    return _Split(name, folder, pictures, total, unusable=len(refused)), refused


def _part_file(target: Path, splits: Sequence[_Split], plan: DatasetPlan) -> PartFile:
    files = [(split.name, str(split.folder), [*map(split.fingerprint, split.pictures)]) for split in splits]
    made_of = json.dumps([type(plan.cut).__name__, asdict(plan), files])
    shapes = {name: shape for split in splits for name, shape in plan.shapes(split.name, split.total).items()}
    return PartFile(target, shapes, hashlib.sha256(made_of.encode()).hexdigest())


def _state(splits: Sequence[_Split]) -> dict[str, dict[str, int]]:
    return {split.name: split.state() for split in splits}


def _shapes(splits: Sequence[_Split], plan: DatasetPlan) -> dict[str, tuple[int, int, int, int]]:
    shapes: dict[str, tuple[int, int, int, int]] = {}
    for split in splits:
        if not split.stored:
            raise DatasetError(f"{split.folder}: contains no picture that can be decoded")
        shapes |= plan.shapes(split.name, split.stored)
    return shapes


def _filled(
    part: PartFile, split: _Split, plan: DatasetPlan, pool: ThreadPoolExecutor, depth: int
) -> Iterator[Event]:
    """Store the missing pieces of a split."""
    names = list(plan.shapes(split.name, split.total))

    def made(picture: Planned) -> list[list[Pixels]] | ImageError:
        try:
            return plan.made_of(split.folder / picture.name, picture.corners)
        except ImageError as error:
            return error

    with closing(in_order(pool, made, split.pictures[split.looked_at :], depth)) as results:
        while split.stored < split.total and (pieces := next(results, None)) is not None:
            if isinstance(pieces, ImageError):
                split.looked_at, split.unusable = split.looked_at + 1, split.unusable + 1
                yield Skipped(str(pieces))
                continue
            wanted = pieces[: split.total - split.stored]
            for place, piece in enumerate(wanted, split.stored):
                for name, pixels in zip(names, piece, strict=True):
                    part.write(name, place, pixels)
            # counted after all writes: if a write fails, the picture is stored again later
            split.looked_at, split.stored = split.looked_at + 1, split.stored + len(wanted)
            yield Stored(len(wanted))
