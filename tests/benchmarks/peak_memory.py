"""Peak memory of whole runs, compared with the estimate of -dry_run.

python -m tests.benchmarks.peak_memory
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.full_width import write_convolutions
from tests.benchmarks.load_caffemodel import peak_bytes
from tests.conftest import ROOT

PICTURES = ROOT / "configs" / "images"
CASES = {
    "torch7, 256 px, L-BFGS, 60 iterations": "-arithmetic torch7 -image_size 256 -num_iterations 60",
    "torch7, 256 px, Adam": "-arithmetic torch7 -image_size 256 -num_iterations 3 -optimizer adam",
    "torch7, 512 px, L-BFGS, 12 iterations": "-arithmetic torch7 -image_size 512 -num_iterations 12",
    "torch7, 256 px, style_scale 2": "-arithmetic torch7 -image_size 256 -style_scale 2 -num_iterations 3",
    "native, 256 px, L-BFGS, 60 iterations": "-arithmetic native -image_size 256 -num_iterations 60",
    "native, 512 px, L-BFGS, 40 iterations": "-arithmetic native -image_size 512 -num_iterations 40",
    "native, 512 px, Adam": "-arithmetic native -image_size 512 -num_iterations 3 -optimizer adam",
}


def measure(model: Path, flags: str, folder: Path) -> tuple[float, float]:
    """(estimate, measured peak) of one run in MiB; each is measured in its own process."""
    arguments = [
        "-content_image", str(PICTURES / "content_coffee.jpg"),
        "-style_image", str(PICTURES / "style_swirls.jpg"),
        "-model_file", str(model), "-gpu", "-1", "-init", "image", "-save_iter", "0",
        "-output_image", str(folder / "out.png"), *flags.split(),
    ]  # fmt: skip
    planned = _run(
        "import cli.neural_style as n, sys; sys.exit(n.main(sys.argv[1:]))", [*arguments, "-dry_run"]
    )
    estimate = re.search(r"peak memory about ([\d,]+) MiB", planned)
    assert estimate
    code = f"from tests.benchmarks.peak_memory import report; report({json.dumps(arguments)})"
    measured = float(_run(code, []).splitlines()[-1])
    return float(estimate[1].replace(",", "")), measured


def report(arguments: list[str]) -> None:
    """In the child: run, then print the peak resident size in MiB."""
    from cli.neural_style import main

    assert main(arguments) == 0
    print(peak_bytes() / 2**20)


def _run(code: str, arguments: list[str]) -> str:
    shown = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return shown.stdout


def table() -> str:
    """All cases as a Markdown table."""
    lines = ["| peak memory, full-width VGG-19 | estimate (MiB) | measured (MiB) | estimate / measured |"]
    lines.append("|---|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = write_convolutions(folder)
        for case, flags in CASES.items():
            estimate, measured = measure(model, flags, folder)
            lines.append(f"| {case} | {estimate:.0f} | {measured:.0f} | {estimate / measured:.2f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
