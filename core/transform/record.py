"""Writes the records of pictures made by ``fast_neural_style``."""

from __future__ import annotations

from pathlib import Path

from core.pictures.images import Image, to_bytes
from core.records import records
from core.records.identity import NUMERIC_VERSION
from core.settings.fast_neural_style import TransformSettings
from core.transform.runners import Runner

PROGRAM = "fast_neural_style"
PACKAGES = ("numpy", "pillow")
NOT_SHAPING = (
    *("output_image", "timing", "verbose", "jobs", "recursive", "sorted", "skip_existing", "threads"),
    *("require_gpu", "input_video", "output_video", "fps", "temporal_alpha", "input_dir", "output_dir"),
    "png_text",
)


class Recorder:
    """Saves the pictures of one network with their records."""

    def __init__(self, settings: TransformSettings, runner: Runner) -> None:
        self._settings = settings
        self._runtime = runner.description
        self._model = records.hashed_file(settings.model)

    def save(self, source: Path, target: Path, picture: Image) -> None:
        """Write a picture and its record: the settings that make this picture only. Raises: ImageError."""
        alone = self._settings.replace(
            input_image=str(source), output_image=str(target), input_dir="", output_dir=""
        )
        record: records.Record = {
            **run_identity(alone, self._model),
            "runtime": self._runtime,
            "environment": environment(self._settings),
            "pixels_sha256": records.pixels_digest(to_bytes(picture)),
        }
        records.save_with_record(target, picture, record, NOT_SHAPING)


def run_identity(settings: TransformSettings, model: dict[str, str] | None = None) -> records.Record:
    """The part of the record that is known before the run and decides its result.

    model: the record entry of the model file, if its hash is known already.
    """
    return {
        **records.new_record(PROGRAM, settings),
        "inputs": {
            "input_image": [records.hashed_file(settings.input_image)],
            "model": [model or records.hashed_file(settings.model)],
        },
        "numeric_version": NUMERIC_VERSION,
    }


def environment(settings: TransformSettings) -> dict[str, str]:
    """Machine and package versions: besides flags and runtime, these may change the bits of a result."""
    found = {**records.machine(), **{name: records.package_version(name) for name in PACKAGES}}
    if settings.arithmetic == "torch7":
        from core.arithmetic.torch7 import products_in_use

        found["products"] = products_in_use().description
    return found
