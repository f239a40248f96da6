"""Wall time of the process `neural_style -help`, and whether it loads PyTorch.

python -m tests.benchmarks.startup
"""

from __future__ import annotations

import subprocess
import sys

from tests.benchmarks.timing import medians
from tests.conftest import ROOT

REPEATS = 10
HELP = [sys.executable, "-m", "cli.neural_style", "-help"]
LOADED = """
import sys
from cli.neural_style import main
main(["-help"])
print(*(name for name in ("torch", "numpy", "scipy") if name in sys.modules))
"""


def table() -> str:
    """The median of `REPEATS` new processes, and of a Python that does nothing."""
    nothing = [sys.executable, "-c", ""]
    seconds = medians({"help": lambda: _run(HELP), "nothing": lambda: _run(nothing)}, REPEATS)
    loaded = _run([sys.executable, "-c", LOADED]).splitlines()[-1] or "no torch, numpy or scipy"
    return "\n".join(
        [
            "| start-up | seconds (median) | |",
            "|---|---:|---|",
            f"| `neural_style -help` | {seconds['help']:.3f} | loads {loaded} |",
            f'| `python -c ""` | {seconds["nothing"]:.3f} | |',
        ]
    )


def _run(command: list[str]) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout


if __name__ == "__main__":
    print(table())
