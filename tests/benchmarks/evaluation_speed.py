"""Time of one evaluation (losses and gradient): torch7 and native arithmetic on this machine's CPU.

python -m tests.benchmarks.evaluation_speed
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

import caffe_loader
from core.arithmetic import blas, torch7, torch7_convolution
from core.arithmetic.cores import available_cores
from core.arithmetic.torch7_random import Torch7Random
from core.devices import Placement, choose
from core.network.network import LossNetwork, build_network
from core.settings.neural_style import Settings
from tests.benchmarks.full_width import shapes, write_convolutions
from tests.benchmarks.timing import medians
from tests.conftest import SHARED

REAL_LOWER = SHARED / "golden" / "neural_style_vgg" / "vgg19_real_lower.caffemodel"
ORIGINAL_SECONDS = 0.70  # parity.md: 256x191, full width, one thread, on a machine like this one
RANDOM = np.random.default_rng(1)
Evaluate = Callable[[], np.ndarray]


def prepared(model: Path, settings: Settings, height: int, width: int) -> Evaluate:
    """A function that evaluates the default losses at a random picture and returns the gradient."""
    placement = choose(settings)
    network = _network(model, settings, placement)
    first = placement.first
    content, style, start = (
        first.array(np.random.default_rng(seed).standard_normal((3, height, width), np.float32) * 60)
        for seed in range(3)
    )
    network.capture_content(content)
    network.capture_style(style, 1.0)
    return lambda: first.numpy(network.evaluate(start)[1])


def _network(path: Path, settings: Settings, placement: Placement) -> LossNetwork:
    with caffe_loader.open_caffemodel(path) as model:
        chain = caffe_loader.chain(model)
        return build_network(chain, settings, placement.arithmetic_of, Torch7Random(0))


def exact(threads: int) -> Settings:
    return Settings(arithmetic="torch7", gpu="-1", threads=float(threads))


@contextmanager
def timed_sgemm() -> Iterator[list[float]]:
    """Collects the seconds spent in every sgemm (with one thread)."""
    spent: list[float] = []
    original = blas.sgemm

    def timed(*arguments: object) -> None:
        started = time.perf_counter()
        original(*arguments)  # type: ignore[arg-type]
        spent.append(time.perf_counter() - started)

    modules = (torch7, torch7_convolution)
    try:
        for module in modules:
            module.sgemm = timed  # type: ignore[attr-defined]
        yield spent
    finally:
        for module in modules:
            module.sgemm = original  # type: ignore[attr-defined]


def torch7_rows() -> list[str]:
    """Rows for one and two threads, and the share of sgemm, with the original's lower weights."""
    if not REAL_LOWER.is_file():
        return [f"| torch7 on vgg19_real_lower.caffemodel: not measured, {REAL_LOWER} is absent | | |"]
    one, two = (prepared(REAL_LOWER, exact(threads), 191, 256) for threads in (1, 2))
    same = np.array_equal(one(), two())
    seconds = medians({"one": one, "two": two}, 9)
    with timed_sgemm() as spent:
        started = time.perf_counter()
        for _ in range(5):
            one()
        share = sum(spent) / (time.perf_counter() - started)
    ratio = seconds["one"] / seconds["two"]
    return [
        f"| torch7, real lower blocks, 256x191, 1 thread | {seconds['one']:.3f} | {share:.0%} inside sgemm |",
        f"| torch7, the same, 2 threads | {seconds['two']:.3f} | {ratio:.2f} times one thread; gradient "
        f"{'equal in every bit' if same else 'DIFFERENT'} |",
    ]


def full_width_row(model: Path) -> str:
    """A row for all cores, compared with the original on one core."""
    seconds = medians({"all": prepared(model, exact(0), 191, 256)}, 5)["all"]
    return (
        f"| torch7, full-width VGG-19, 256x191, {available_cores()} threads | {seconds:.3f} | "
        f"{ORIGINAL_SECONDS / seconds:.2f} times the original's {ORIGINAL_SECONDS:.2f} s on one core |"
    )


def native_rows(model: Path) -> list[str]:
    """Rows for native evaluations and for the convolutions alone, in PyTorch's two memory formats."""
    rows = []
    for height, width, repeats in ((191, 256, 15), (383, 512, 9)):
        native = prepared(model, Settings(arithmetic="native", gpu="-1"), height, width)
        plain, last = (bare(height, width, kind) for kind in (torch.contiguous_format, torch.channels_last))
        seconds = medians({"native": native, "plain": plain, "last": last}, repeats)
        best = min(seconds["plain"], seconds["last"])
        rows += [
            f"| convolutions alone, {width}x{height}, contiguous | {seconds['plain']:.3f} | |",
            f"| convolutions alone, {width}x{height}, channels-last | {seconds['last']:.3f} | |",
            f"| native, full-width VGG-19, {width}x{height} | {seconds['native']:.3f} | "
            f"{seconds['native'] / best:.2f} times the faster of the two |",
        ]
    return rows


def bare(height: int, width: int, memory_format: torch.memory_format) -> Callable[[], None]:
    """A function that runs only the convolutions of the network, forward and backward to the input."""
    layers = []
    for n_in, n_out, rows, columns in shapes(height, width):
        sizes = ((1, n_in, rows, columns), (1, n_out, rows, columns), (n_out, n_in, 3, 3))
        x, grad, weight = (torch.randn(size).contiguous(memory_format=memory_format) for size in sizes)
        layers.append((x, grad, weight, torch.zeros(n_out)))

    def run() -> None:
        for x, _, weight, bias in layers:
            torch.nn.functional.conv2d(x, weight, bias, 1, 1)
        for x, grad, weight, _ in reversed(layers):
            torch.ops.aten.convolution_backward(
                grad, x, weight, None, (1, 1), (1, 1), (1, 1), False, (0, 0), 1, (True, False, False)
            )

    return run


def table() -> str:
    """All measurements as a Markdown table."""
    with tempfile.TemporaryDirectory() as folder:
        model = write_convolutions(Path(folder))
        rows = [*torch7_rows(), full_width_row(model), *native_rows(model)]
    return "\n".join(["| one evaluation | seconds (median) | |", "|---|---:|---|", *rows])


if __name__ == "__main__":
    print(table())
