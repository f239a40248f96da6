"""Reference runs of the original Torch7 program: folders with job.json, stdout.txt, losses.csv and more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.settings.flags import flags_of
from core.settings.neural_style import Settings
from core.settings.text import parse_value

ROOT = Path(__file__).resolve().parent.parent.parent
SHARED = ROOT.parent / "shared" / "golden"
FOLDERS = (SHARED / "neural_style", SHARED / "neural_style_vgg")
BUNDLED = ROOT / "tests" / "golden"


@dataclass(frozen=True)
class ReferenceRun:
    """One run of the original: its flags, the threads of its BLAS, and its exit code."""

    folder: Path
    model: str
    threads: int
    exit_code: int
    flags: dict[str, Any]

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name

    def settings(self, output_folder: Path, **changes: Any) -> Settings:
        """The flags as settings that read the reference run's files and write into ``output_folder``."""
        top = self.folder.parent.parent
        pictures = next(path for path in (top / "images", top / "inputs") if path.is_dir())
        values = {name: _value(name, value) for name, value in self.flags.items()}
        for name in ("content_image", "init_image"):
            if values.get(name):
                values[name] = str(pictures / values[name])
        values["style_image"] = tuple(str(pictures / name) for name in values["style_image"])
        values["output_image"] = str(output_folder / values["output_image"])
        return Settings(**values, model_file=str(self._model_file(top))).replace(**changes)

    def tensors(self) -> dict[str, NDArray[np.float32]]:
        """Everything in tensors.npz."""
        path = self.folder / "tensors.npz"
        if not path.is_file():
            return {}
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}

    def losses(self) -> list[str]:
        """The lines of losses.csv."""
        return (self.folder / "losses.csv").read_text().split()

    def log(self) -> str:
        """The original's log, without its first line, which contains the path of the model."""
        return (self.folder / "stdout.txt").read_text().split("\n", 1)[1]

    def images(self) -> list[Path]:
        """All pictures that the original wrote."""
        return sorted(path for path in self.folder.iterdir() if path.name.startswith("out"))

    def _model_file(self, top: Path) -> Path:
        name = f"{self.model}.caffemodel"
        return top / "models" / name if (top / "models").is_dir() else top / name


def _value(name: str, value: Any) -> Any:
    return value if isinstance(value, bool) else parse_value(flags_of(Settings)[name], str(value))


def reference_runs() -> Iterator[ReferenceRun]:
    """All runs of ../shared, or, if that is absent, the few runs in this repository."""
    present = [folder for folder in FOLDERS if folder.is_dir()] or [BUNDLED]
    for folder in present:
        for path in sorted((folder / "jobs").iterdir()):
            yield _read(path)


def bundled_run(name: str) -> ReferenceRun:
    """The run of this name in this repository."""
    return _read(BUNDLED / "jobs" / name)


def _read(path: Path) -> ReferenceRun:
    job = json.loads((path / "job.json").read_text())
    return ReferenceRun(path, job["model"], job["threads"], job["exit_code"], job["flags"])
