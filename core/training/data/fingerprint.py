"""Computes a fingerprint of a training's pictures without reading all of them.

There may be a hundred thousand files, or a hundred gigabytes. For a folder, names and sizes of its pictures
are hashed; for an HDF5 file, its size and 256 pieces of 64 KiB spread over it.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from core.errors import DatasetError
from core.records.records import local_path
from core.settings.training import TrainSettings
from core.training.data.picture_files import picture_names

PIECES, PIECE_BYTES = 256, 1 << 16


def training_pictures(settings: TrainSettings) -> dict[str, list[dict[str, str]]]:
    """The flag that names the pictures and its record entry; the hash is 'unknown' if they cannot be read."""
    name = "train_dir" if settings.train_dir else "h5_file"
    path = getattr(settings, name)
    try:
        fingerprint = _of_folder(Path(path)) if settings.train_dir else _of_file(Path(path))
    except (OSError, DatasetError):  # the training itself reports this error
        fingerprint = "unknown"
    return {name: [{"file": local_path(path), "sha256": fingerprint}]}


def _of_folder(folder: Path) -> str:
    sizes = "".join(f"{(folder / name).stat().st_size} {name}\n" for name in picture_names(folder))
    return hashlib.sha256(sizes.encode(errors="surrogateescape")).hexdigest()


def _of_file(path: Path) -> str:
    with path.open("rb") as file:
        size = file.seek(0, 2)
        digest = hashlib.sha256(f"{size}\n".encode())
        for number in range(PIECES):
            file.seek(max(0, size - PIECE_BYTES) * number // (PIECES - 1))
            digest.update(file.read(PIECE_BYTES))
    return digest.hexdigest()
