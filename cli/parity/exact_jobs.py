"""The byte-exact reference runs of fast_neural_style.lua: whole pictures, and two networks layer by layer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cli.parity.transform import GOLDEN, Distance, picture_distance, runner_of, with_floats
from core.pictures.images import load_image
from core.transform.exact.runner import ExactRunner
from core.transform.stylize import Stylizer, encoded

EXACT = GOLDEN / "exact"
IMAGES = GOLDEN.parent / "neural_style" / "images"
DETAILS = 5


@dataclass(frozen=True)
class Job:
    """A run of the real program: its folder, model, pictures by the names of their results, and flags."""

    folder: Path
    model: Path
    pictures: dict[str, Path]
    flags: dict[str, Any]
    layers: bool

    def stylizer(self, runtime: str) -> Stylizer:
        """What makes its pictures, in one of the runtimes 'onnx', 'torch' and 'torch7'."""
        runner = runner_of(self.model, runtime)
        return Stylizer(runner, self.flags["image_size"], self.flags["median_filter"])

    def floats(self, result: str) -> Path:
        """The tensor that the original gave to image.save."""
        return self.folder / ("float.npy" if len(self.pictures) == 1 else f"{result}.npy")


def read_job(folder: Path, models: Path = GOLDEN, images: Path = IMAGES) -> Job:
    """The run in a folder of the reference data."""
    described = json.loads((folder / "job.json").read_text())
    inputs = (images / name for name in described["inputs"])
    pictures = dict(zip(described["files"], inputs, strict=True))
    return Job(folder, models / described["model"], pictures, described["flags"], described["layers"])


def job_distances(runtime: str) -> Iterator[Distance]:
    """Of every picture of every run; in torch7 arithmetic of every layer that is kept, too."""
    for path in sorted(EXACT.glob("*/job.json")):
        job = read_job(path.parent)
        yield from picture_distances(job, runtime)
        if job.layers and runtime == "torch7":
            yield layers_distance(job)


def picture_distances(job: Job, runtime: str) -> Iterator[Distance]:
    """Of every picture of a run."""
    stylizer = job.stylizer(runtime)
    for result, source in job.pictures.items():
        found = stylizer(load_image(source))
        name = f"{job.folder.name}/{result}"
        yield picture_distance(name, runtime, found, job.folder / result, job.floats(result))


def layers_distance(job: Job) -> Distance:
    """Of a network's input and every layer's output, in the order they run."""
    stylizer = job.stylizer("torch7")
    assert isinstance(stylizer.runner, ExactRunner)
    scaled = stylizer.scaled(load_image(next(iter(job.pictures.values()))))
    batch = encoded(scaled, stylizer.runner.format)
    outputs = [("preprocessed", batch[0]), *stylizer.runner.layers(batch[0])]
    with np.load(job.folder / "layers.npz") as archive:
        kept = [
            (name, archive[name][0]) for name in archive.files if not name.endswith(("processed", "saved"))
        ]
        kept.insert(0, ("000_preprocessed", archive["000_preprocessed"][0]))
    unequal, details = 0, []
    for (name, wanted), (kind, found) in zip(kept, outputs, strict=True):
        here = with_floats(Distance(name, "torch7", wanted.shape), found, wanted, 1)
        assert here.floats is not None
        unequal += here.floats[0]
        if here.floats[0] or name.partition("_")[2] != kind:
            details.append(
                f"{name}: {here.floats[0]} of {here.floats[1]} unequal, at most {here.difference:g}"
            )
    return Distance(
        f"{job.folder.name.removesuffix('_layers')}, {len(kept) - 1} layers",
        "torch7",
        batch.shape[2:],
        floats=(unequal, sum(wanted.size for _, wanted in kept)),
        passed=not details,
        details=tuple(details[:DETAILS]),
    )
