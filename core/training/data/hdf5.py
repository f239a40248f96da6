"""Reads and creates HDF5 files of pictures in the layouts of make_style_dataset.py and -task upsample."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from core.errors import DatasetError
from core.training.data.batches import Batch

if TYPE_CHECKING:
    import h5py

INSTALL = "HDF5 files need h5py: pip install h5py"
SLAB_BYTES = 1 << 24
SPLITS = ("train", "val")


class Names(NamedTuple):
    """The names of a split's datasets. x: network inputs.  y: wanted outputs; '' if they are the inputs."""

    x: str
    y: str = ""


def style_names(split: str) -> Names:
    """The dataset names of make_style_dataset.py."""
    return Names(f"/{split}2014/images")


def upsample_names(split: str, factor: int) -> Names:
    """The dataset names of train.lua with -task upsample."""
    return Names(f"/{split}/x_{factor}", f"/{split}/y")


def open_h5(path: Path, mode: str = "r") -> h5py.File:
    """Open an HDF5 file. Raises: DatasetError: h5py or the file is missing, or it is not an HDF5 file."""
    try:
        import h5py
    except ImportError:
        raise DatasetError(f"{path}: {INSTALL}") from None
    try:
        with path.open("rb" if mode == "r" else "ab"):
            pass  # h5py's message for a missing file is three lines about its internals
        return h5py.File(path, mode)
    except OSError as error:
        if error.errno is not None and error.strerror and not path.is_file():
            raise DatasetError(f"{path}: cannot be opened: {error.strerror}") from None
        reason = error.strerror or "damaged, incomplete, or not an HDF5 file"
        raise DatasetError(f"{path}: cannot be opened as HDF5: {reason}") from None


class H5Source:
    """The pictures of a split in an opened file; h5py lets only one thread read at a time."""

    def __init__(self, file: h5py.File, names: Names, factor: int = 1) -> None:
        self._path = file.filename
        self._x = _pictures(file, names.x)
        self._y = _pictures(file, names.y) if names.y else None
        if self._y is not None:
            self._check_pair(names, factor)

    def _check_pair(self, names: Names, factor: int) -> None:
        assert self._y is not None
        if len(self._x) != len(self._y):
            raise DatasetError(
                f"{self._path}: {names.x} has {len(self._x)} pictures but {names.y} has {len(self._y)}"
            )
        (h, w), (height, width) = self._x.shape[2:], self._y.shape[2:]
        if (h * factor, w * factor) != (height, width):
            raise DatasetError(
                f"{self._path}: {names.y} has {width}x{height} pixels and {names.x} {w}x{h}, "
                f"which does not match -upsample_factor {factor}"
            )

    def __len__(self) -> int:
        return len(self._x)

    def read(self, first: int, end: int) -> Batch:
        """The pictures from ``first`` to ``end`` - 1. Raises: DatasetError."""
        x = self._slice(self._x, first, end)
        return Batch(x, x if self._y is None else self._slice(self._y, first, end))

    def _slice(
        self, dataset: h5py.Dataset, first: int, end: int
    ) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        try:
            return np.asarray(dataset[first:end])
        except (OSError, ValueError) as error:
            raise DatasetError(
                f"{self._path}: {dataset.name}: pictures {first + 1} to {end} cannot be read: {error}"
            ) from None


def _pictures(file: h5py.File, name: str) -> h5py.Dataset:
    import h5py

    found = file.get(name)
    if not isinstance(found, h5py.Dataset):
        there = ", ".join(f"/{other}" for other in _datasets(file)) or "nothing"
        raise DatasetError(f"{file.filename}: has no dataset {name}; it contains {there}")
    if found.dtype != np.uint8:
        raise DatasetError(
            f"{file.filename}: {name} is {found.dtype}; it must be uint8, as nstyle dataset build writes it"
        )
    if found.ndim != 4 or found.shape[1] != 3 or 0 in found.shape:
        raise DatasetError(
            f"{file.filename}: {name} has shape {found.shape}; it must be (pictures, 3, height, width)"
        )
    return found


def _datasets(file: h5py.File) -> list[str]:
    import h5py

    names: list[str] = []
    file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
    return names


class Description(NamedTuple):
    """A dataset of a file. layout: 'contiguous' or 'chunked'.  sha256: hash of its values in order."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    layout: str
    sha256: str


def describe(path: Path) -> Iterator[Description]:
    """Describe all datasets of a file, each read once. Raises: DatasetError."""
    with open_h5(path) as file:
        for name in _datasets(file):
            found = file[name]
            layout = "chunked" if found.chunks else "contiguous"
            yield Description(f"/{name}", found.shape, str(found.dtype), layout, _sha256(path, found))


def _sha256(path: Path, dataset: h5py.Dataset) -> str:
    digest = hashlib.sha256()
    if dataset.ndim == 0:
        digest.update(np.asarray(dataset[()]).tobytes())
        return digest.hexdigest()
    step = max(1, SLAB_BYTES // max(1, dataset.dtype.itemsize * int(np.prod(dataset.shape[1:]))))
    for first in range(0, dataset.shape[0], step):
        try:
            digest.update(np.ascontiguousarray(dataset[first : first + step]).tobytes())
        except OSError as error:
            raise DatasetError(f"{path}: {dataset.name} cannot be read: {error}") from None
    return digest.hexdigest()


def create(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, int]:
    """Create a file with contiguous uint8 datasets without values; returns their byte offsets in the file.

    The structure is complete: values can be written as plain bytes, and the file stays valid if the process
    is killed. Raises: DatasetError.
    """
    import h5py

    layout = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    layout.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    layout.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    layout.set_obj_track_times(False)  # the same pictures give the same bytes
    links = h5py.h5p.create(h5py.h5p.LINK_CREATE)
    links.set_create_intermediate_group(True)
    with open_h5(path, "w") as file:
        begins = {}
        for name, shape in shapes.items():
            space = h5py.h5s.create_simple(shape)
            made = h5py.h5d.create(file.id, name.encode(), h5py.h5t.NATIVE_UINT8, space, layout, links)
            begins[name] = int(made.get_offset())
        return begins
