"""Time of every step of the fast path for one picture, compared with ONNX Runtime alone and PyTorch.

python -m tests.benchmarks.fast_path
"""

from __future__ import annotations

import io
import tempfile
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image as PillowImage

from core.pictures.images import load_image, save_image, to_bytes
from core.pictures.png_file import encode_png
from core.settings.fast_neural_style import TransformSettings
from core.transform.networks.architecture import Architecture, build
from core.transform.networks.checkpoint import save_checkpoint
from core.transform.open_model import open_model, probe_picture
from core.transform.stylize import Stylizer, encoded, stylize_file
from tests.benchmarks.timing import medians
from tests.conftest import SHARED

# The published instance-norm networks are of this shape; speed does not depend on the weights.
CANDY = Architecture("c9s1-16,d32,d64,R64,R64,R64,R64,R64,u32,u16,c9s1-3", reflection=40)
WIDTH, HEIGHT, REPEATS = 1024, 680, 7
WINML = SHARED / "onnx_models" / "winml_candy.onnx"


def write_candy(folder: Path) -> Path:
    """A checkpoint of the published size with random weights."""
    torch.manual_seed(0)
    path = folder / "candy.safetensors"
    save_checkpoint(path, CANDY, build(CANDY), "vgg")
    return path


def per_picture(model: Path, folder: Path) -> list[str]:
    """Rows for a JPEG of 1024 pixels: every step, the whole run, and the libraries' calls alone."""
    photo, result = folder / "photo.jpg", folder / "styled.jpg"
    save_image(photo, probe_picture(HEIGHT, WIDTH))
    opened = open_model(TransformSettings(model=str(model)))
    stylizer = Stylizer(opened.runner, WIDTH, 3)
    content = load_image(photo)
    scaled = stylizer.scaled(content)
    batch = encoded(scaled, opened.runner.format)
    styled = opened.runner.run(batch)
    picture = stylizer.finished(styled, scaled)
    session = opened.runner._session  # type: ignore[attr-defined]  # the lower limit
    steps: dict[str, Callable[[], object]] = {
        "load, scale, encode": lambda: encoded(stylizer.scaled(load_image(photo)), opened.runner.format),
        "inference": lambda: opened.runner.run(batch),
        "decode, median filter, save": lambda: save_image(result, stylizer.finished(styled, scaled)),
        "whole": lambda: stylize_file(photo, result, stylizer),
        "bare decode": lambda: np.asarray(PillowImage.open(photo).convert("RGB")),
        "bare session.run": lambda: session.run(None, {"input": batch}),
        "bare encode": lambda: PillowImage.fromarray(to_bytes(picture)).save(io.BytesIO(), "JPEG"),
    }
    found = medians(steps, REPEATS)
    bare = sum(seconds for name, seconds in found.items() if name.startswith("bare"))
    remarks = {
        "inference": f"{found['inference'] / found['bare session.run']:.3f} times bare session.run",
        "whole": f"{found['whole'] / bare:.2f} times bare decode, session.run and encode",
    }
    return [f"| {name} | {1000 * value:.1f} | {remarks.get(name, '')} |" for name, value in found.items()]


def inference(model: Path) -> list[str]:
    """Rows for one forward pass at 720 x 720: runtimes, threads, and the WinML graph if it is present."""
    cases: dict[str, Callable[[], object]] = {}
    for runtime, threads in (("onnx", 1), ("onnx", 2), ("torch", 2)):
        settings = TransformSettings(model=str(model), runtime=runtime, threads=float(threads))
        cases[f"{'ONNX Runtime' if runtime == 'onnx' else 'PyTorch'}, {threads} threads"] = _run(settings)
    for threads in (1, 2):
        settings = TransformSettings(model=str(model), arithmetic="torch7", threads=float(threads))
        cases[f"torch7 arithmetic (exact), {threads} threads"] = _run(settings)
    compiled = _compiled()
    if compiled is not None:
        cases["PyTorch, compiled, 2 threads"] = compiled
    if WINML.is_file():
        cases["ONNX Runtime, the original WinML file, 2 threads"] = _run(TransformSettings(model=str(WINML)))
    found = medians(cases, REPEATS)
    return [f"| {name} | {1000 * seconds:.0f} |" for name, seconds in found.items()]


def _run(settings: TransformSettings) -> Callable[[], object]:
    runner = open_model(settings).runner
    return partial(runner.run, encoded(probe_picture(720, 720), runner.format))


def _compiled() -> Callable[[], object] | None:
    """The same network with torch.compile, or None if there is no C++ compiler."""
    torch.set_num_threads(2)
    network = torch.compile(build(CANDY).eval().requires_grad_(False))
    picture = torch.zeros(1, 3, 720, 720)

    def run() -> object:
        with torch.inference_mode():
            return network(picture)

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            run()
    except Exception:  # any error of a missing compiler
        return None
    return run


def png_files() -> list[str]:
    """Rows for one picture as a PNG: the original's bytes against Pillow's own encoder."""
    pixels = to_bytes(probe_picture(1024, 1024))
    found = medians(
        {
            "ours, the original's bytes": lambda: encode_png(pixels),
            "Pillow": lambda: PillowImage.fromarray(pixels).save(io.BytesIO(), "PNG"),
        },
        REPEATS,
    )
    return [f"| {name} | {1000 * seconds:.0f} |" for name, seconds in found.items()]


def table() -> str:
    """All tables."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = write_candy(folder)
        lines = [f"| a JPEG of {WIDTH}x{HEIGHT} pixels, -median_filter 3 | ms (median) | |", "|---|---:|---|"]
        lines += per_picture(model, folder)
        lines += ["", "| one forward pass, 720x720 | ms (median) |", "|---|---:|", *inference(model)]
        lines += ["", "| a PNG of 1024x1024 pixels with grain | ms (median) |", "|---|---:|", *png_files()]
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
