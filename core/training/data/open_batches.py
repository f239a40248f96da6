"""The pictures of a training, by its flags: from an HDF5 file or from folders, read ahead by threads.

Matches DataLoader.lua of fast-neural-style (813c834): in order, never shuffled, the last batch of a pass
smaller.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from core.errors import DatasetError, SettingsError
from core.settings.neural_style import format_number
from core.settings.training import TrainSettings
from core.training.data.batches import Batch, Batches
from core.training.data.folder import FolderSource
from core.training.data.hdf5 import H5Source, open_h5, style_names, upsample_names
from core.training.data.pieces import Cut, Patches, Squares, is_factor
from core.training.data.readahead import ReadAhead, Source


def open_batches(settings: TrainSettings) -> Batches:
    """Training and validation pictures of -h5_file, or of -train_dir and -val_dir where they are named.

    With -num_val_batches 0 there need be no validation pictures. Warns (UserWarning) of each picture that
    cannot be used, once. Raises: DatasetError, SettingsError.
    """
    with ExitStack() as opened:
        pool = ThreadPoolExecutor(max(1, int(settings.workers)), "pictures")
        opened.callback(pool.shutdown, cancel_futures=True)
        validates = settings.num_val_batches > 0
        if settings.train_dir:
            sources = _of_folders(settings, validates, pool)
        else:
            sources = _of_h5(settings, validates, opened)
        return ReadAheadBatches(sources, settings, pool, opened.pop_all())


class Sources(NamedTuple):
    """train: to learn from.  val: to validate with, if there is to be validation."""

    train: Source
    val: Source | None


def _of_h5(settings: TrainSettings, validates: bool, opened: ExitStack) -> Sources:
    factor = int(settings.upsample_factor)
    file = opened.enter_context(open_h5(Path(settings.h5_file)))

    def source(split: str) -> H5Source:
        if settings.task == "upsample":
            return H5Source(file, upsample_names(split, factor), factor)
        return H5Source(file, style_names(split))

    return Sources(source("train"), source("val") if validates else None)


def _of_folders(settings: TrainSettings, validates: bool, pool: ThreadPoolExecutor) -> Sources:
    if validates and not settings.val_dir:
        raise SettingsError("-train_dir needs -val_dir, or -num_val_batches 0 to train without validation")
    cut, factor = _cut(settings)
    val = FolderSource(Path(settings.val_dir), cut, factor, pool) if validates else None
    return Sources(FolderSource(Path(settings.train_dir), cut, factor, pool), val)


def _cut(settings: TrainSettings) -> tuple[Cut, int]:
    side = settings.train_size
    if side < 1 or side != int(side):
        raise SettingsError(f"-train_size {format_number(side)}: must be a whole number of pixels")
    if settings.task != "upsample":
        return Squares(int(side)), 1
    factor = settings.upsample_factor
    if not is_factor(factor, int(side)):
        raise SettingsError(
            f"-train_size {format_number(side)}: must be a multiple of the whole number "
            f"-upsample_factor {format_number(factor)}"
        )
    return Patches(int(side), int(side)), int(factor)


class ReadAheadBatches:
    """The protocol ``Batches`` over two sources."""

    def __init__(
        self, sources: Sources, settings: TrainSettings, pool: ThreadPoolExecutor, opened: ExitStack
    ) -> None:
        self._sources, self._opened = sources, opened
        self._warned: set[str] = set()
        batch_size, depth = int(settings.batch_size), 2 * max(1, int(settings.workers))
        limit = int(settings.max_train) if settings.max_train > 0 else self.training_size
        self._train = ReadAhead(sources.train, min(limit, self.training_size), batch_size, pool, depth)
        self._val = ReadAhead(sources.val, len(sources.val), batch_size, pool, depth) if sources.val else None
        self._tell()

    @property
    def training_size(self) -> int:
        """All training pictures, of which -max_train takes the first."""
        return len(self._sources.train)

    def training(self) -> Batch:
        """The next batch to train on. Raises: DatasetError."""
        return self._told(self._train.next)

    def validation(self) -> Batch:
        """The next batch to validate with. Raises: DatasetError."""
        if self._val is None:
            raise DatasetError("no validation pictures were opened, because of -num_val_batches 0")
        return self._told(self._val.next)

    def rewind_validation(self) -> None:
        """Begin validation anew."""
        if self._val is not None:
            self._val.seek(0)

    def seek(self, iteration: int) -> None:
        """Go to where training stands after so many batches; validation begins anew."""
        self._train.seek(iteration)
        self.rewind_validation()

    @property
    def seconds_waited(self) -> float:
        """How long training waited for pictures so far."""
        return self._train.seconds_waited

    def close(self) -> None:
        """End reading."""
        self._train.close()
        if self._val is not None:
            self._val.close()
        self._opened.close()

    def _told(self, read: Callable[[], Batch]) -> Batch:
        batch = read()
        self._tell()
        return batch

    def _tell(self) -> None:
        """Warn of what was found unusable meanwhile. Not where it is found: filters belong to no thread."""
        for source in self._sources:
            for sentence in list(source.unusable.values()) if isinstance(source, FolderSource) else ():
                if sentence not in self._warned:
                    self._warned.add(sentence)
                    warnings.warn(f"{sentence}; it is left out", stacklevel=4)
