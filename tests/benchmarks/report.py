"""Write docs/benchmarks.md: the measured machine and the tables."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import psutil

from core.arithmetic.cores import available_cores
from core.arithmetic.torch7 import products_in_use

PACKAGES = ("torch", "numpy", "scipy", "protobuf", "onnxruntime")
QUIET = 10.0  # percent of all cores that others may use while we measure
PATIENCE = 30  # seconds to wait for a quiet machine before each part

HEAD = """# Speed and memory

Written by `make bench`. Times are medians. Cases that are compared are measured in turn, within a minute.
The command above each table repeats that table alone.

{facts}

On a GPU (native, and the exact `-backend clnn`): not measured; no GPU was available.
"""


class Part(NamedTuple):
    """One table: heading, module that prints it, aim and text."""

    title: str
    module: str
    aim: str
    table: str


def page(parts: Sequence[Part], busy: float) -> str:
    """The text of docs/benchmarks.md. busy: percent of the cores that other programs used at most."""
    sections = [
        f"\n## {part.title}\n\n{part.aim}\n\n    python -m {part.module}\n\n{part.table}\n" for part in parts
    ]
    return HEAD.format(facts=_facts(busy)) + "".join(sections)


def wait_until_quiet() -> float:
    """Wait up to ``PATIENCE`` seconds for other programs to stop; returns the percent of the cores in use."""
    deadline = time.monotonic() + PATIENCE
    busy = psutil.cpu_percent(interval=1)
    while busy > QUIET and time.monotonic() < deadline:
        busy = psutil.cpu_percent(interval=2)
    return busy


def _facts(busy: float) -> str:
    gibibytes = psutil.virtual_memory().total / 2**30
    lines = [
        f"date: {date.today().isoformat()}",
        f"processor: {_processor()}, {available_cores()} cores, {gibibytes:.0f} GiB",
        f"system: {platform.system()} {platform.release()}, Python {platform.python_version()}",
        f"products: {products_in_use().description}",
        ", ".join(f"{name} {version(name)}" for name in PACKAGES),
        f"other programs used at most {busy:.0f} % of the cores at the start of a part",
    ]
    return "\n".join(f"- {line}" for line in lines)


def _processor() -> str:
    """The model name from /proc/cpuinfo on Linux, elsewhere from Python's platform module."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def write(path: Path, text: str) -> None:
    """Write under a temporary name, then rename."""
    path.parent.mkdir(exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_text(text)
    unfinished.replace(path)
