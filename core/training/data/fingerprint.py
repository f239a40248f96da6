"""Whether a training's pictures are still the same, without reading all of them.

They may be a hundred thousand files or as many gigabytes, so what is compared stands for the bytes: names and
sizes of a folder's pictures; the size of an HDF5 file and pieces spread over the whole of it.
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
    """The flag that names the pictures, with an entry as records have it; 'unknown' where there are none."""
    name = "train_dir" if settings.train_dir else "h5_file"
    path = getattr(settings, name)
    try:
        fingerprint = _of_folder(Path(path)) if settings.train_dir else _of_file(Path(path))
    except (OSError, DatasetError):  # which the training itself says in better words
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
