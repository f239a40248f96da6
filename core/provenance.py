"""What made a picture: flags, inputs, weights, arithmetic and losses, kept with the picture itself.

A PNG carries what shaped it as text; every format gets a file ``PICTURE.json`` beside it with the whole
record, so that JPEG files stay byte-identical to the original's. Records hold no folders outside the one that
the program ran in.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from core.atomic import replaced_when_complete
from core.blas import blas_build
from core.checksums import file_digests
from core.cores import available_cores
from core.devices import Placement
from core.errors import ImageError
from core.events import Evaluation
from core.flags import flags_of
from core.images import Image, save_image, to_bytes
from core.registry import find_model_file
from core.settings import Settings

FORMAT = 1
KEYWORD = "neural_style"  # of the text in a PNG
LARGEST = 16 << 20
PACKAGES = ("torch", "numpy", "scipy", "pillow")
NOT_SHAPING = ("threads", "seconds", "print_iter", "save_iter", "output_image")
INPUTS = ("content_image", "style_image", "init_image")
Record = dict[str, Any]


class Provenance:
    """The record of a run as it goes on. Files are hashed beside the work; large models take seconds."""

    def __init__(self, settings: Settings, placement: Placement) -> None:
        self._settings = settings
        self._placement = placement
        self._started = time.perf_counter()
        self._trace: list[str] = []
        with ThreadPoolExecutor(1) as pool:
            self._inputs = pool.submit(_hashed_inputs, settings)
            pool.shutdown(wait=False)

    def add(self, evaluation: Evaluation) -> None:
        """Remember the loss of every evaluation."""
        self._trace.append(repr(evaluation.total))

    def save(self, path: str | os.PathLike[str], picture: Image, evaluation: Evaluation) -> None:
        """Write a picture with its record, then the file beside it. Raises: ImageError."""
        record = self._record(picture, evaluation)
        save_image(path, picture, {KEYWORD: json.dumps(_repeatable(record))})
        _write_beside(Path(path), {**record, "sha256": file_digests(Path(path)).sha256, "trace": self._trace})

    def _record(self, picture: Image, evaluation: Evaluation) -> Record:
        return {
            "format": FORMAT,
            "program": "neural_style",
            "version": _version("neural-style-exact"),
            "settings": _without_folders(self._settings),
            "inputs": self._inputs.result(),
            "arithmetic": self._placement.kind,
            "devices": list(self._placement.devices),
            "threads": int(self._settings.threads) or available_cores(),
            "environment": environment(),
            "seconds": round(time.perf_counter() - self._started, 3),
            "evaluation": evaluation.number,
            "losses": {
                "content": list(evaluation.content_losses),
                "style": list(evaluation.style_losses),
                "total": evaluation.total,
            },
            "trace_sha256": trace_digest(self._trace),
            "pixels_sha256": pixels_digest(to_bytes(picture)),
        }


def environment() -> dict[str, str]:
    """What, beside the flags, may change the bits: versions and the BLAS kernel."""
    build = blas_build()
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "blas": f"{build.library} {build.version}, kernel {build.kernel}",
        **{name: _version(name) for name in PACKAGES},
    }


def _without_folders(settings: Settings) -> Record:
    values = asdict(settings)
    for name, item in flags_of(Settings).items():
        if item.metadata["path"]:
            value = values[name]
            values[name] = _local(value) if isinstance(value, str) else [_local(path) for path in value]
    return values


def _local(path: str) -> str:
    """A path inside the working directory as it is from there, of any other the name alone."""
    full = Path(path).absolute()
    if not path or not full.is_relative_to(Path.cwd()):
        return Path(path).name
    return str(full.relative_to(Path.cwd()))


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # run from the source tree
        return "not installed"


def _repeatable(record: Record) -> Record:
    """Without what does not shape the picture: the same run gives the same PNG, byte for byte."""
    settings = {name: value for name, value in record["settings"].items() if name not in NOT_SHAPING}
    return {name: value for name, value in record.items() if name not in NOT_SHAPING} | {"settings": settings}


def _hashed_inputs(settings: Settings) -> dict[str, list[dict[str, str]]]:
    files = {name: getattr(settings, name) for name in INPUTS}
    named = {
        name: [value] if isinstance(value, str) else list(value) for name, value in files.items() if value
    }
    if settings.init != "image":
        named.pop("init_image", None)
    found = {
        name: [{"file": _local(path), "sha256": _digest(path)} for path in paths]
        for name, paths in named.items()
    }
    model = find_model_file(settings.model_file)
    found["model_file"] = [{"file": _local(settings.model_file), "sha256": _digest(model)}]
    return found


def _digest(path: str | Path) -> str:
    """A file that has gone meanwhile must not cost the picture."""
    try:
        return file_digests(path).sha256 if Path(path).is_file() else "unknown"
    except OSError:
        return "unknown"


def trace_digest(totals: list[str]) -> str:
    """sha256 of the losses of all evaluations so far, one a line, in Python's shortest exact form."""
    return hashlib.sha256("\n".join(totals).encode()).hexdigest()


def pixels_digest(pixels: NDArray[np.uint8]) -> str:
    """sha256 of (H, W, 3) bytes and their size. Of a PNG it is that of the decoded file."""
    height, width = pixels.shape[:2]
    return hashlib.sha256(f"{width}x{height}\n".encode() + pixels.tobytes()).hexdigest()


def beside(picture: Path) -> Path:
    """The file that holds the record of a picture."""
    return picture.with_name(f"{picture.name}.json")


def _write_beside(picture: Path, record: Record) -> None:
    try:
        with replaced_when_complete(beside(picture)) as file:
            file.write(json.dumps(record, indent=1).encode() + b"\n")
    except OSError as error:
        raise ImageError(f"{beside(picture)}: cannot be written: {error.strerror or error}") from None


def read_record(picture: Path) -> Record:
    """The record of a picture: of the file beside it, or of its own text. Raises: ImageError."""
    source = beside(picture)
    try:
        text = source.read_text() if source.exists() else _text_of(picture)
        record = json.loads(text) if len(text) <= LARGEST else None
    except (OSError, UnicodeDecodeError) as error:
        raise ImageError(f"{picture}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    except (json.JSONDecodeError, RecursionError):
        raise ImageError(f"{source}: damaged record; it should be JSON") from None
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise ImageError(f"{picture}: its record is damaged, or of a newer version of this program")
    return record


def _text_of(picture: Path) -> str:
    try:
        with PillowImage.open(picture) as opened:
            text = getattr(opened, "text", {}).get(KEYWORD)
    except FileNotFoundError:
        raise ImageError(f"{picture}: no such file; check the path") from None
    except (OSError, ValueError, SyntaxError) as error:
        raise ImageError(f"{picture}: no picture that can be read: {error}") from None
    if text is None:
        raise ImageError(f"{picture}: says nothing about its making, and there is no {beside(picture).name}")
    return str(text)
