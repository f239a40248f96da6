"""Time of one evaluation (losses and gradient): torch7 and native arithmetic on this machine's CPU.

python -m tests.benchmarks.evaluation_speed
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

import caffe_loader
from core.arithmetic.cores import available_cores
from core.arithmetic.torch7 import Torch7Arithmetic, products_in_use
from core.arithmetic.torch7_products import OpenBlasProducts, Products
from core.arithmetic.torch7_random import Torch7Random
from core.arithmetic.workers import Workers
from core.devices import Placement, choose
from core.network.network import LossNetwork, build_network
from core.settings.neural_style import Settings
from tests.benchmarks.full_width import shapes, write_convolutions
from tests.benchmarks.timing import medians
from tests.conftest import SHARED

REAL_LOWER = SHARED / "golden" / "neural_style_vgg" / "vgg19_real_lower.caffemodel"
ORIGINAL_SECONDS = 0.70  # parity.md: 256x191, full width, one thread, on a machine like this one
PEAK = Path(__file__).with_name("peak.c")
Evaluate = Callable[[], np.ndarray]


def prepared(
    model: Path,
    settings: Settings,
    height: int,
    width: int,
    products: Callable[[Workers], Products] | None = None,
) -> Evaluate:
    """A function that evaluates the default losses at a random picture and returns the gradient.

    products: what the torch7 arithmetic computes with; None: what it takes here.
    """
    placement = choose(settings)
    if products:
        arithmetic = Torch7Arithmetic(int(settings.threads), products)
        placement = Placement("torch7", ("cpu",), (arithmetic,))
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


def torch7_rows() -> list[str]:
    """One and two threads, and OpenBLAS in place of the compiled kernel, on the original's lower weights."""
    if not REAL_LOWER.is_file():
        return [f"| torch7 on vgg19_real_lower.caffemodel: not measured, {REAL_LOWER} is absent | | |"]
    one, two = (prepared(REAL_LOWER, exact(threads), 191, 256) for threads in (1, 2))
    blas = prepared(REAL_LOWER, exact(2), 191, 256, OpenBlasProducts)
    first = one()
    same = np.array_equal(first, two()) and np.array_equal(first, blas())
    bits = "equal in every bit" if same else "DIFFERENT"
    seconds = medians({"one": one, "two": two, "blas": blas}, 9)
    ratio, gain = seconds["one"] / seconds["two"], seconds["blas"] / seconds["two"]
    used = products_in_use().description
    return [
        _row("torch7, real lower blocks, 256x191, 1 thread", seconds["one"], used),
        _row("torch7, the same, 2 threads", seconds["two"], f"{ratio:.2f} times one thread; gradient {bits}"),
        _row("torch7, the same, 2 threads, OpenBLAS", seconds["blas"], f"{gain:.2f} times the time before"),
    ]


def full_width_rows(model: Path) -> list[str]:
    """Two threads against the processor's peak, all cores against the original's one."""
    cases = {
        "two": prepared(model, exact(2), 191, 256),
        "blas": prepared(model, exact(2), 191, 256, OpenBlasProducts),
        "all": prepared(model, exact(0), 191, 256),
    }
    seconds, work, peak = medians(cases, 7), operations(191, 256), fused_peak(2)
    sizes = f"{work / 1e9:.1f} GFLOP at the peak of {peak / 1e9:.0f} GFLOP/s"
    shares = {name: f"{taken * peak / work:.2f} times {sizes}" for name, taken in seconds.items()}
    original = (
        f"{ORIGINAL_SECONDS / seconds['all']:.2f} times the original's {ORIGINAL_SECONDS:.2f} s on one core"
    )
    name = "torch7, full-width VGG-19, 256x191"
    return [
        _row(f"{name}, 2 threads", seconds["two"], shares["two"] if peak else "peak not measured"),
        _row(f"{name}, 2 threads, OpenBLAS", seconds["blas"], shares["blas"] if peak else ""),
        _row(f"{name}, {available_cores()} threads", seconds["all"], original),
    ]


def _row(what: str, seconds: float, remark: str) -> str:
    return f"| {what} | {seconds:.3f} | {remark} |"


def operations(height: int, width: int) -> float:
    """Multiplications and additions of all convolutions, both ways, and of three Gram products a loss."""
    layers = shapes(height, width)
    convolutions = sum(4 * 9 * n_in * n_out * rows * columns for n_in, n_out, rows, columns in layers)
    grams = {(n_out, rows, columns) for _, n_out, rows, columns in layers}  # a style layer in each block
    return convolutions + sum(6 * n * n * rows * columns for n, rows, columns in grams)


def fused_peak(threads: int) -> float:
    """Fused multiply-adds a second times two, measured out of registers; 0 where there is no C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if not compiler:
        return 0.0
    with tempfile.TemporaryDirectory() as folder:
        program = str(Path(folder) / "peak")
        flags = ["-O3", "-march=native", "-ffp-contract=fast", "-pthread"]
        subprocess.run([compiler, *flags, str(PEAK), "-o", program], check=True)
        shown = [
            subprocess.run([program, str(threads)], capture_output=True, text=True, check=True)
            for _ in range(5)
        ]
    return statistics.median(float(done.stdout) for done in shown) * 1e9


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
        rows = [*torch7_rows(), *full_width_rows(model), *native_rows(model)]
    return "\n".join(["| one evaluation | seconds (median) | |", "|---|---:|---|", *rows])


if __name__ == "__main__":
    print(table())
