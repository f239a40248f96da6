"""How much memory a run will need, from shapes alone, before any heavy work."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, prod

import psutil

import caffe_loader
from core.blas import COLUMN_CUT
from core.devices import Placement
from core.errors import NeuralStyleError
from core.images import image_size
from core.layers import Module, ReLU, SpatialConvolution, SpatialMaxPooling
from core.losses import ContentLoss, StyleLoss
from core.network import LossNetwork, build_network
from core.registry import find_model_file
from core.resize import scaled_size
from core.settings import Settings
from core.torch7_convolution import BLOCK_BYTES
from core.torch_random import Torch7Random

FLOAT, DOUBLE, INDEX = 4, 8, 8
MEBIBYTE = 1 << 20
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Plan:
    """What a run will do and need; sizes are bytes at the peak of the run.

    program: the interpreter with what it has loaded by now.
    weights: the layers used.
    activations: feature maps, targets and gradients while one picture passes through.
    columns: unfolded windows (im2col) or the kernels' workspace.
    optimizer: L-BFGS history or Adam's moments, and copies of the picture.
    """

    content_size: tuple[int, int]
    style_sizes: tuple[tuple[int, int], ...]
    where: str
    program: int
    weights: int
    activations: int
    columns: int
    optimizer: int

    @property
    def total(self) -> int:
        """Peak resident memory (on a GPU: of host and device together) in bytes."""
        return self.program + self.weights + self.activations + self.columns + self.optimizer

    def lines(self) -> list[str]:
        """The plan for a person."""
        height, width = self.content_size
        styles = ", ".join(f"{w}x{h}" for h, w in self.style_sizes)
        parts = ("program", "weights", "activations", "columns", "optimizer")
        sizes = ", ".join(f"{name} {_mebibytes(getattr(self, name))}" for name in parts)
        return [
            f"result {width}x{height}, style {styles}, computed on {self.where}",
            f"peak memory about {_mebibytes(self.total)}: {sizes}",
        ]

    def check(self) -> None:
        """Raises NeuralStyleError where the machine has less memory available than the run needs."""
        available = psutil.virtual_memory().available
        needed = self.total - self.program
        if self.where.startswith("cpu") and needed > available:
            raise NeuralStyleError(
                f"not enough memory: the run needs about {_mebibytes(needed)}, {_mebibytes(available)} are "
                "available; lower -image_size, or use -optimizer adam or a small -lbfgs_num_correction"
            )


def plan(settings: Settings, placement: Placement) -> Plan:
    """Sizes and peak memory of a run.

    Raises: NeuralStyleError or CaffemodelError, as the run itself would.
    """
    content = scaled_size(*image_size(settings.content_image), settings.image_size)
    style_size = ceil(settings.style_scale * settings.image_size)
    styles = tuple(scaled_size(*image_size(path), style_size) for path in settings.style_image)
    with caffe_loader.open_caffemodel(find_model_file(settings.model_file)) as model:
        chain = caffe_loader.chain(model, grouped=placement.keeps_groups(settings.backend))
        network = build_network(chain, settings, placement.arithmetic_of, Torch7Random())
    placement.check_splits(len(network.modules))
    layers = _trace(network, (3, *content))
    optimization = _kept(layers, placement.kind) + _passing_back(layers)
    captures = [_kept(_trace(network, (3, *size)), placement.kind) for size in styles]
    return Plan(
        content_size=content,
        style_sizes=styles,
        where=f"{', '.join(placement.devices)} in {placement.kind} arithmetic",
        program=psutil.Process().memory_info().rss,
        weights=FLOAT * sum(_weights(module) for module in network.modules),
        activations=max(optimization, *captures),
        columns=_columns(layers, placement),
        optimizer=_optimizer(settings, 3 * prod(content)),
    )


@dataclass(frozen=True)
class _Traced:
    module: Module
    input: int  # elements
    output: int
    positions: int


def _trace(network: LossNetwork, shape: Shape) -> list[_Traced]:
    """Every module with the number of elements at its input and output."""
    traced = []
    for module in network.modules:
        result = module.output_shape(shape)
        traced.append(_Traced(module, prod(shape), prod(result), prod(result[1:])))
        shape = result
    return traced


def _kept(layers: list[_Traced], kind: str) -> int:
    """Bytes of all feature maps and targets that stay until the next forward pass."""
    total = 0
    for layer in layers:
        if isinstance(layer.module, SpatialMaxPooling):
            total += layer.output * (2 * FLOAT if kind == "torch7" else FLOAT + INDEX)
        elif isinstance(layer.module, ContentLoss) or not isinstance(layer.module, ReLU | StyleLoss):
            total += layer.output * FLOAT
    return total


def _passing_back(layers: list[_Traced]) -> int:
    """Bytes of the gradients alive at the widest place of the backward pass."""
    return FLOAT * max(layer.input + layer.output for layer in layers)


def _weights(module: Module) -> int:
    if not isinstance(module, SpatialConvolution):
        return 0
    return prod(module.channels) * prod(module.window.kernel)


def _columns(layers: list[_Traced], placement: Placement) -> int:
    if placement.kind != "torch7":
        return 0
    threads: int = getattr(placement.first, "threads", 1)
    return max(threads * BLOCK_BYTES, *_unfolded_at_once(layers, threads))


def _unfolded_at_once(layers: list[_Traced], threads: int) -> Iterable[int]:
    """Columns of the layers whose product is cut between channels, not positions."""
    for layer in layers:
        if isinstance(layer.module, SpatialConvolution):
            n_in, n_out = layer.module.channels
            if threads > 1 and n_out % COLUMN_CUT not in (0, 4):
                yield n_in * prod(layer.module.window.kernel) * layer.positions * FLOAT
    yield 0


def _optimizer(settings: Settings, elements: int) -> int:
    """The history grows with the iterations, up to its limit; some copies of the picture surround it."""
    if settings.optimizer == "adam":
        return 8 * elements * FLOAT
    corrections = settings.lbfgs_num_correction if settings.lbfgs_num_correction > 0 else 100
    pairs = max(0, min(corrections, settings.num_iterations - 1))
    return int(2 * pairs + 8) * elements * FLOAT


def _mebibytes(size: int) -> str:
    return f"{size / MEBIBYTE:,.0f} MiB"
