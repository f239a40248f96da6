"""Stores the finished parts of a run beside its target, so that a stopped run can be resumed.

The folder ``.<target name>.parts`` contains:
- ``state.json``: the run it belongs to,
- ``00000.npz`` and so on: the finished parts of a video,
- ``done.json``: the number of pictures written for a sequence,
- ``00120.npy``: with smoothing, the exact picture shown after 120 frames.
Files are written to a temporary name and renamed. A folder of another run is emptied.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from core.errors import VideoError
from core.pictures.images import Image
from core.transform.video.encoder import EncodedFrame

STATE = "state.json"
DONE = "done.json"
OURS = (".json", ".npz", ".npy", ".part")
UNREADABLE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)


@dataclass(frozen=True)
class Part:
    """Consecutive frames of a video.

    size: (width, height).  last_duration: duration of the last frame in units of the time base.
    """

    size: tuple[int, int]
    frames: Sequence[EncodedFrame]
    last_duration: int


class Parts:
    """The folder of one run. All methods raise VideoError if a file cannot be written.

    ``state`` identifies the run: model, flags and source. Raises: VideoError: the folder cannot be created,
    or contains other files.
    """

    def __init__(self, target: Path, state: dict[str, Any]) -> None:
        self.folder = target.parent / f".{target.name}.parts"
        try:
            if self.folder.exists() and self._read_json(STATE) != state:
                self._check_ours()
                shutil.rmtree(self.folder)
            self.folder.mkdir(exist_ok=True)
        except OSError as error:
            raise VideoError(f"{self.folder}: cannot be used: {error.strerror}") from None
        self._write_json(STATE, state)

    def _check_ours(self) -> None:
        if not self.folder.is_dir() or any(path.suffix not in OURS for path in self.folder.iterdir()):
            raise VideoError(
                f"{self.folder}: contains files that are not from a stopped run; move the folder away"
            )

    def read(self, index: int) -> Part | None:
        """Read a part; None if it is absent or damaged."""
        try:
            # np.load leaves a damaged file open when it opens the file itself
            with (
                (self.folder / f"{index:05}.npz").open("rb") as file,
                np.load(file, allow_pickle=False) as arrays,
            ):
                width, height, last_duration = (int(value) for value in arrays["shape"])
                pieces = np.split(arrays["data"], np.cumsum(arrays["sizes"])[:-1])
                times, keys = arrays["pts"].tolist(), arrays["keys"].tolist()
        except UNREADABLE:
            return None
        frames = [EncodedFrame(*one) for one in zip([p.tobytes() for p in pieces], times, keys, strict=True)]
        return Part((width, height), frames, last_duration)

    def store(self, index: int, part: Part) -> None:
        """Store a part."""
        columns = list(zip(*part.frames, strict=True))
        arrays: dict[str, Any] = {
            "shape": np.array([*part.size, part.last_duration]),
            "data": np.frombuffer(b"".join(columns[0]), np.uint8),
            "sizes": np.array([len(data) for data in columns[0]]),
            "pts": np.array(columns[1]),
            "keys": np.array(columns[2]),
        }
        self._write(f"{index:05}.npz", lambda file: np.savez(file, **arrays))

    def done(self) -> int:
        """The number of pictures of a sequence that are written."""
        done = self._read_json(DONE)
        return done if isinstance(done, int) else 0

    def store_done(self, count: int) -> None:
        """Store the number of pictures of a sequence that are written."""
        self._write_json(DONE, count)

    def shown(self, count: int) -> Image | None:
        """The picture shown after ``count`` frames, float64 (3, H, W); None if it is absent or damaged."""
        try:
            picture: Image = np.load(self.folder / f"{count:05}.npy", allow_pickle=False)
        except UNREADABLE:
            return None
        return picture

    def store_shown(self, count: int, picture: Image) -> None:
        """Store the picture shown after ``count`` frames."""
        self._write(f"{count:05}.npy", lambda file: np.save(file, picture, allow_pickle=False))

    def forget_shown(self, but: int) -> None:
        """Remove all stored pictures except that after ``but`` frames: they are large."""
        for path in self.folder.glob("*.npy"):
            if path.name != f"{but:05}.npy":
                path.unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove the folder when the target is complete."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _read_json(self, name: str) -> Any:
        try:
            return json.loads((self.folder / name).read_bytes())
        except (OSError, ValueError):
            return None

    def _write_json(self, name: str, content: Any) -> None:
        self._write(name, lambda file: file.write(json.dumps(content).encode()))

    def _write(self, name: str, write: Callable[[IO[bytes]], object]) -> None:
        path = self.folder / name
        try:
            with tempfile.NamedTemporaryFile(dir=self.folder, suffix=".part", delete=False) as file:
                write(file)
            Path(file.name).replace(path)
        except OSError as error:
            raise VideoError(f"{path}: cannot be written: {error.strerror or error}") from None
