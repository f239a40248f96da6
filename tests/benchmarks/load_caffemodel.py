"""Time and memory to read a full-size VGG-19 file up to conv5_1.

    python -m tests.benchmarks.load_caffemodel

The file (V1 format, random weights, all three inner products, 574 MB) is written to a temporary folder
and deleted afterwards. Each measurement is a process of its own, warm cache, median of five; memory is
the peak resident size above that of the process with its imports, mapped pages of the file included.
Beside it: the usual way, the whole file through protobuf with `repeated float data`.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from tests.conftest import ROOT
from tests.support import caffemodel_factory as factory

REPEATS = 5
BLOCKS = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))  # filters and convolutions of each block
INNER_PRODUCTS = (("fc6", 25088, 4096), ("fc7", 4096, 4096), ("fc8", 4096, 1000))
NAMES = [f"conv{i}_{j}" for i, (_, count) in enumerate(BLOCKS, 1) for j in range(1, count + 1)]
WANTED = NAMES[: NAMES.index("conv5_1") + 1]


class Row(NamedTuple):
    """One way to read the file: seconds (median), and peak memory in MB without that of the imports."""

    what: str
    seconds: float
    megabytes: float


def rows() -> list[Row]:
    """Measure both ways on a freshly written file."""
    with tempfile.TemporaryDirectory(prefix="load_caffemodel.") as folder:
        path = Path(folder) / "vgg19.caffemodel"
        with path.open("wb") as file:
            write_vgg19(file)
        return [measured(what, path) for what in WAYS]


def table() -> str:
    """The measurements as a Markdown table."""
    lines = ["| VGG-19 caffemodel, 574 MB, to the arrays of conv1_1 to conv5_1 | time (s) | memory (MB) |"]
    lines.append("|---|---:|---:|")
    lines += [f"| {row.what} | {row.seconds:.3f} | {row.megabytes:.0f} |" for row in rows()]
    return "\n".join(lines)


def write_vgg19(file: BinaryIO) -> None:
    """All weighted layers of VGG-19; weights are streamed, so that writing takes little memory."""
    file.write(factory.content(1, b"VGG_ILSVRC_19_layers"))
    inputs = 3
    names = iter(NAMES)
    for filters, count in BLOCKS:
        for _ in range(count):
            head = {"convolution_param": {"num_output": filters, "pad": [1], "kernel_size": [3]}}
            _write_layer(file, next(names), "Convolution", (filters, inputs, 3, 3), head)
            inputs = filters
    for name, width, outputs in INNER_PRODUCTS:
        head = {"inner_product_param": {"num_output": outputs}}
        _write_layer(file, name, "InnerProduct", (1, 1, outputs, width), head)


def _write_layer(
    file: BinaryIO, name: str, kind: str, shape: tuple[int, ...], parameters: dict[str, Any]
) -> None:
    """Write a layer: its tag, the parameters, then weight and bias, one row of weights at a time."""
    outputs = shape[0] if kind == "Convolution" else shape[2]
    bias = factory.content(6, factory.blob(np.zeros((1, 1, 1, outputs), np.float32), legacy=True))
    head = factory.layer("V1", name, kind, **parameters)[2:]  # without its tag and one-byte length
    size = int(4 * np.prod(shape))
    blob = factory.legacy_shape(shape) + factory.prefix(5, size)
    before = head + factory.prefix(6, len(blob) + size) + blob
    file.write(factory.prefix(2, len(before) + size + len(bias)) + before)
    random = np.random.default_rng(0)
    for _ in range(outputs):
        file.write(random.standard_normal(size // 4 // outputs, np.float32).tobytes())
    file.write(bias)


def measured(what: str, path: Path) -> Row:
    """Measure one way in new processes: once to fill the disk cache, then ``REPEATS`` times."""
    command = [sys.executable, "-m", "tests.benchmarks.load_caffemodel", what, str(path)]
    found = []
    for _ in range(REPEATS + 1):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        found.append(json.loads(done.stdout))
    seconds = statistics.median(one["seconds"] for one in found[1:])
    return Row(what, seconds, statistics.median(one["megabytes"] for one in found[1:]))


def _lazily(path: Path) -> list[np.ndarray]:
    from caffe_loader import Convolution, chain, open_caffemodel

    with open_caffemodel(path) as model:
        modules = [module for module in chain(model).modules if module.name in WANTED]
        return [module.weight_array() for module in modules if isinstance(module, Convolution)]


def _usually(path: Path) -> list[np.ndarray]:
    net = factory.usual_schema()()
    net.ParseFromString(path.read_bytes())
    layers = [layer for layer in net.layers if layer.name in WANTED]
    return [np.array(layer.blobs[0].data, np.float32) for layer in layers]


WAYS = {"caffe_loader": _lazily, "full protobuf parse": _usually}


def _measure_here(what: str, path: Path) -> dict[str, float]:
    """One measurement in this process; the imports of both ways are done before the clock starts."""
    import caffe_loader  # noqa: F401

    before = peak_bytes()
    start = time.perf_counter()
    arrays = WAYS[what](path)
    seconds = time.perf_counter() - start
    assert (len(arrays), arrays[-1].size) == (len(WANTED), 512 * 512 * 9)
    return {"seconds": seconds, "megabytes": (peak_bytes() - before) / 1e6}


def peak_bytes() -> int:
    """Peak resident size in bytes. (Linux's ru_maxrss includes the parent process's.)"""
    status = Path("/proc/self/status")
    if not status.exists():  # macOS, in bytes
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(json.dumps(_measure_here(sys.argv[1], Path(sys.argv[2]))))
    else:
        print(table())
