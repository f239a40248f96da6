"""The record of a run of ``neural_style``: flags, inputs, weights, arithmetic and losses."""

from __future__ import annotations

import hashlib
import os
import time
from concurrent.futures import ThreadPoolExecutor

from core.blas import blas_build
from core.cores import available_cores
from core.devices import Placement
from core.events import Evaluation
from core.images import Image, to_bytes
from core.records import (
    Record,
    hashed_file,
    machine,
    new_record,
    package_version,
    pixels_digest,
    save_with_record,
)
from core.registry import find_model_file
from core.settings import Settings

PROGRAM = "neural_style"
PACKAGES = ("torch", "numpy", "scipy", "pillow")
NOT_SHAPING = ("threads", "seconds", "print_iter", "save_iter", "output_image")
INPUTS = ("content_image", "style_image", "init_image")


class Provenance:
    """The record of a run as it goes on. Files are hashed beside the work; large models take seconds."""

    def __init__(self, settings: Settings, placement: Placement) -> None:
        self._settings = settings
        self._placement = placement
        self._started = time.perf_counter()
        self._trace: list[str] = []
        pool = ThreadPoolExecutor(1)
        self._inputs = pool.submit(_hashed_inputs, settings)
        pool.shutdown(wait=False)

    def add(self, evaluation: Evaluation) -> None:
        """Remember the loss of every evaluation."""
        self._trace.append(repr(evaluation.total))

    def save(self, path: str | os.PathLike[str], picture: Image, evaluation: Evaluation) -> None:
        """Write a picture with its record, then the file beside it. Raises: ImageError."""
        save_with_record(path, picture, self._record(picture, evaluation), NOT_SHAPING, trace=self._trace)

    def _record(self, picture: Image, evaluation: Evaluation) -> Record:
        return {
            **new_record(PROGRAM, self._settings),
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
        **machine(),
        "blas": f"{build.library} {build.version}, kernel {build.kernel}",
        **{name: package_version(name) for name in PACKAGES},
    }


def _hashed_inputs(settings: Settings) -> dict[str, list[dict[str, str]]]:
    files = {name: getattr(settings, name) for name in INPUTS}
    named = {
        name: [value] if isinstance(value, str) else list(value) for name, value in files.items() if value
    }
    if settings.init != "image":
        named.pop("init_image", None)
    found = {name: [hashed_file(path) for path in paths] for name, paths in named.items()}
    found["model_file"] = [hashed_file(settings.model_file, find_model_file(settings.model_file))]
    return found


def trace_digest(totals: list[str]) -> str:
    """sha256 of the losses of all evaluations so far, one a line, in Python's shortest exact form."""
    return hashlib.sha256("\n".join(totals).encode()).hexdigest()
