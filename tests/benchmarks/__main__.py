"""All measurements, written to docs/benchmarks.md (`make bench`).

python -m tests.benchmarks

Every part runs in its own process, so that none inherits another's memory, threads or caches.
"""

from __future__ import annotations

import subprocess
import sys

from tests.benchmarks.report import Part, page, wait_until_quiet, write
from tests.conftest import ROOT

PAGE = ROOT / "docs" / "benchmarks.md"
PARTS = (
    (
        "One evaluation",
        "evaluation_speed",
        "Losses and gradient on the CPU. Aims: torch7 takes at most 1.2 times its floating-point operations "
        "at the processor's peak of fused multiply-adds (measured here, out of registers); native takes at "
        "most 1.15 times as long as the convolutions alone (forward, and backward to the input).",
    ),
    (
        "Peak memory",
        "peak_memory",
        "Whole runs, compared with the estimate of `-dry_run`. Aim: within 20 %.",
    ),
    (
        "Fast path",
        "fast_path",
        "A network of the published size with random weights. Aims: inference takes at most 1.03 times ONNX "
        "Runtime's session.run alone; the whole run at most 1.25 times decoding, session.run and encoding.",
    ),
    (
        "Fast path, memory",
        "fast_path_memory",
        "Whole processes; the time includes start-up. With instance normalisation, tiles repeat work.",
    ),
    (
        "Training",
        "training_speed",
        "The published half-width network with the small loss network. Aim: an iteration takes at most 1.1 "
        "times the forward and backward passes of the two networks alone.",
    ),
    ("Start-up", "startup", "Aim: less than 0.5 s, and PyTorch is not loaded."),
    (
        "Reading a caffemodel",
        "load_caffemodel",
        "A full-size VGG-19 file with random weights. Aims: less than 0.3 s when the file is in the disk "
        "cache, and less than 150 MB.",
    ),
)


def main() -> int:
    """Measure, print and write; returns the exit status."""
    parts, busy = [], 0.0
    for title, name, aim in PARTS:
        busy = max(busy, wait_until_quiet())
        module = f"tests.benchmarks.{name}"
        print(f"{title}: python -m {module}", file=sys.stderr)
        done = subprocess.run([sys.executable, "-m", module], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        if done.returncode:
            print(f"{module} failed with status {done.returncode}; {PAGE} is unchanged", file=sys.stderr)
            return 1
        print(done.stdout)
        parts.append(Part(title, module, aim, done.stdout.strip()))
    write(PAGE, page(parts, busy))
    print(f"written: {PAGE}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
