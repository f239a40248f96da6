"""Peak memory of the fast path for pictures of several sizes, whole and in tiles.

python -m tests.benchmarks.fast_path_memory
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.load_caffemodel import peak_bytes
from tests.conftest import ROOT

SIZES = ((720, 720), (1920, 1080), (3840, 2160))
CASES = {  # kind of model, flags
    "ONNX Runtime": ("onnx", ""),
    "ONNX Runtime, -tile 512": ("onnx", "-tile 512"),
    "PyTorch": ("safetensors", "-runtime torch"),
    "torch7 arithmetic (exact)": ("safetensors", "-arithmetic torch7"),
}


def measure(arguments: list[str]) -> tuple[float, float]:
    """(peak resident MiB, seconds) of one run in its own process."""
    code = "import sys; from tests.benchmarks.fast_path_memory import report; report(sys.argv[1:])"
    started = time.perf_counter()
    shown = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return float(shown.stdout.splitlines()[-1]), time.perf_counter() - started


def report(arguments: list[str]) -> None:
    """In the child: run, then print the peak resident size in MiB."""
    from cli.fast_neural_style import main

    assert main(arguments) == 0
    print(peak_bytes() / 2**20)


def table() -> str:
    """All cases as a Markdown table."""
    # imported here, since the measured process imports this module and would load PyTorch too
    from core.pictures.images import save_image
    from core.transform.convert import convert
    from core.transform.open_model import probe_picture
    from tests.benchmarks.fast_path import write_candy

    lines = ["| one picture, whole process | size | peak memory (MiB) | seconds |", "|---|---|---:|---:|"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        convert(write_candy(folder), folder / "candy.onnx")
        for width, height in SIZES:
            photo = folder / f"{width}.png"
            save_image(photo, probe_picture(height, width))
            for case, (kind, flags) in CASES.items():
                model = folder / f"candy.{kind}"
                arguments = ["-model", str(model), "-input_image", str(photo), "-image_size", "0"]
                peak, seconds = measure(
                    [*arguments, "-output_image", str(folder / "out.png"), *flags.split()]
                )
                lines.append(f"| {case} | {width}x{height} | {peak:.0f} | {seconds:.1f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
