"""What a run has finished, kept beside its target until the whole is done, so that it can be resumed.

The folder ``.<target name>.parts`` holds ``state.json`` (which run it belongs to), for a film ``00000.npz``
and so on, one for each finished part, for a sequence ``done.json`` (how many pictures are written), and with
smoothing one ``00120.npy``: what was shown after so many frames, exact. Every file appears under its name
only when complete. A folder of another run is emptied.
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
    """Consecutive frames of a film of ``size`` (width, height); the length of the last in time base units."""

    size: tuple[int, int]
    frames: Sequence[EncodedFrame]
    last_duration: int


class Parts:
    """The folder of one run; all methods raise VideoError where a file cannot be written.

    ``state`` names the run: model, flags and source. Raises: VideoError: the folder cannot be made, or holds
    files that are not ours.
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
            raise VideoError(f"{self.folder}: holds other files than those of a stopped run; move it away")

    def read(self, index: int) -> Part | None:
        """A part, or None where it is absent or damaged."""
        try:
            # np.load would leave a file open that it finds damaged
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
        """Keep a part."""
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
        """How many pictures of a sequence are written."""
        done = self._read_json(DONE)
        return done if isinstance(done, int) else 0

    def store_done(self, count: int) -> None:
        """Keep how many pictures of a sequence are written."""
        self._write_json(DONE, count)

    def shown(self, count: int) -> Image | None:
        """What was shown after ``count`` frames, float64 (3, H, W), or None where it is absent or damaged."""
        try:
            picture: Image = np.load(self.folder / f"{count:05}.npy", allow_pickle=False)
        except UNREADABLE:
            return None
        return picture

    def store_shown(self, count: int, picture: Image) -> None:
        """Keep what was shown after ``count`` frames."""
        self._write(f"{count:05}.npy", lambda file: np.save(file, picture, allow_pickle=False))

    def forget_shown(self, but: int) -> None:
        """Remove pictures shown before that nobody needs: they are large."""
        for path in self.folder.glob("*.npy"):
            if path.name != f"{but:05}.npy":
                path.unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove the folder: the target is complete."""
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
