"""Opens the training pictures that the flags name, from an HDF5 file or folders; threads read ahead.

Matches DataLoader.lua of fast-neural-style (813c834): pictures are not shuffled, and the last batch of a pass
may be smaller.
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
    """Open the training and validation pictures of -h5_file, or of -train_dir and -val_dir if given.

    With -num_val_batches 0 no validation pictures are needed. Gives one UserWarning for each picture that
    cannot be used. Raises: DatasetError, SettingsError.
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
    """The training pictures, and the validation pictures or None."""

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
    """Implements ``Batches`` with reading ahead from two sources."""

    def __init__(
        self, sources: Sources, settings: TrainSettings, pool: ThreadPoolExecutor, opened: ExitStack
    ) -> None:
        self._sources, self._opened = sources, opened
        self._warned: set[str] = set()
        batch_size, depth = int(settings.batch_size), 2 * max(1, int(settings.workers))
        limit = int(settings.max_train) if settings.max_train > 0 else self.training_size
        self._train = ReadAhead(sources.train, min(limit, self.training_size), batch_size, pool, depth)
        self._val = ReadAhead(sources.val, len(sources.val), batch_size, pool, depth) if sources.val else None
        self._warn()

    @property
    def training_size(self) -> int:
        """The number of all training pictures, before -max_train limits them."""
        return len(self._sources.train)

    def training(self) -> Batch:
        """The next batch to train on. Raises: DatasetError."""
        return self._with_warnings(self._train.next)

    def validation(self) -> Batch:
        """The next batch to validate with. Raises: DatasetError."""
        if self._val is None:
            raise DatasetError("no validation pictures were opened, because of -num_val_batches 0")
        return self._with_warnings(self._val.next)

    def rewind_validation(self) -> None:
        """Continue validation with the first batch."""
        if self._val is not None:
            self._val.seek(0)

    def seek(self, iteration: int) -> None:
        """Go to the position of training after ``iteration`` batches; validation starts again."""
        self._train.seek(iteration)
        self.rewind_validation()

    @property
    def seconds_waited(self) -> float:
        """The seconds that training has waited for pictures."""
        return self._train.seconds_waited

    def close(self) -> None:
        """Stop reading and close all files."""
        self._train.close()
        if self._val is not None:
            self._val.close()
        self._opened.close()

    def _with_warnings(self, read: Callable[[], Batch]) -> Batch:
        batch = read()
        self._warn()
        return batch

    def _warn(self) -> None:
        """Warn about unusable pictures, in the main thread: warning filters are not thread-safe."""
        for source in self._sources:
            for sentence in list(source.unusable.values()) if isinstance(source, FolderSource) else ():
                if sentence not in self._warned:
                    self._warned.add(sentence)
                    warnings.warn(f"{sentence}; it is left out", stacklevel=4)
