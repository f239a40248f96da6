"""Estimates the memory of a run from shapes alone, before any heavy work."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, prod
from typing import cast

import psutil

import caffe_loader
from core.arithmetic.blas import ROW_CUT
from core.arithmetic.operations import Arithmetic, Array
from core.arithmetic.torch7_convolution import BLOCK_BYTES
from core.arithmetic.torch7_random import Torch7Random
from core.devices import Placement
from core.errors import NeuralStyleError
from core.models.registry import find_model_file
from core.network.layers import Module, ReLU, SpatialConvolution, SpatialMaxPooling
from core.network.losses import ContentLoss, StyleLoss
from core.network.network import LossNetwork, build_network
from core.pictures.images import image_size
from core.pictures.resize import scaled_size
from core.settings.neural_style import Settings

FLOAT, INDEX = 4, 8
MEBIBYTE = 1 << 20
COMPILED = "compiled"
MARKS = {"native": INDEX, COMPILED: 1}  # bytes with which max pooling finds each maximum; else FLOAT
PACKED_BYTES = 1 << 20  # scratch memory of a thread, where the compiled kernel packs
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Plan:
    """The image sizes, the device and the memory of a run. Memory is in bytes, at the peak of the run.

    program: the Python process as it is now.
    weights: the weights of the layers used.
    activations: feature maps, targets and gradients of one evaluation.
    columns: unfolded windows (im2col) or the workspace of the kernels.
    optimizer: the L-BFGS history or Adam's moments, and copies of the image.
    capacity: the whole memory of the OpenCL devices, None on other devices.
    """

    content_size: tuple[int, int]
    style_sizes: tuple[tuple[int, int], ...]
    where: str
    program: int
    weights: int
    activations: int
    columns: int
    optimizer: int
    capacity: int | None = None

    @property
    def total(self) -> int:
        """Peak resident memory in bytes. On a GPU: host and device together."""
        return self.program + self.weights + self.activations + self.columns + self.optimizer

    def lines(self) -> list[str]:
        """The plan as lines of text for the user."""
        height, width = self.content_size
        styles = ", ".join(f"{w}x{h}" for h, w in self.style_sizes)
        parts = ("program", "weights", "activations", "columns", "optimizer")
        sizes = ", ".join(f"{name} {_mebibytes(getattr(self, name))}" for name in parts)
        return [
            f"result {width}x{height}, style {styles}, computed on {self.where}",
            f"peak memory about {_mebibytes(self.total)}: {sizes}",
        ]

    def check(self) -> None:
        """Raises NeuralStyleError if the run needs more memory than the machine or OpenCL device has."""
        available = self.capacity or psutil.virtual_memory().available
        needed = self.total - self.program
        if (self.where.startswith("cpu") or self.capacity) and needed > available:
            raise NeuralStyleError(
                f"not enough memory: the run needs about {_mebibytes(needed)}, {_mebibytes(available)} are "
                "available; use a smaller -image_size, -optimizer adam or a small -lbfgs_num_correction"
            )


class ShapesOnly:
    """Replaces the arithmetic when a network is built only for its shapes. Does not copy weights."""

    def convolution(self, weight: Array, bias: Array, groups: int) -> None:
        """Nothing is kept."""

    def array(self, values: Array) -> None:
        """Nothing is kept."""


def plan(settings: Settings, placement: Placement) -> Plan:
    """Sizes and peak memory of a run.

    Raises: NeuralStyleError or CaffemodelError, as the run itself would.
    """
    content = scaled_size(*image_size(settings.content_image), settings.image_size)
    style_size = ceil(settings.style_scale * settings.image_size)
    styles = tuple(scaled_size(*image_size(path), style_size) for path in settings.style_image)
    program = psutil.Process().memory_info().rss
    with caffe_loader.open_caffemodel(find_model_file(settings.model_file)) as model:
        chain = caffe_loader.chain(model, grouped=placement.keeps_groups(settings.backend))
        network = build_network(
            chain, settings, lambda module: cast(Arithmetic, ShapesOnly()), Torch7Random()
        )
    placement.check_splits(len(network.modules))
    traces = [_trace(network, (3, *size)) for size in (content, *styles)]
    kind = _kind(placement)
    copies = 2 if kind in (COMPILED, "opencl") else 1  # weights in two orders, for the way there and back
    return Plan(
        content_size=content,
        style_sizes=styles,
        where=f"{', '.join(placement.devices)} in {placement.kind} arithmetic",
        program=program,
        weights=copies * FLOAT * sum(_weights(module) for module in network.modules),
        activations=max(_evaluation(traces[0], kind), *(_capture(trace, kind) for trace in traces)),
        columns=max(_columns(trace, placement) for trace in traces),
        optimizer=_optimizer(settings, 3 * prod(content)),
        capacity=sum(getattr(arithmetic, "memory", 0) for arithmetic in placement.arithmetics) or None,
    )


def _kind(placement: Placement) -> str:
    """The placement's kind, but COMPILED for exact arithmetic by the compiled kernel, which needs less."""
    is_compiled = placement.kind == "torch7" and not getattr(placement.first, "unfolds", True)
    return COMPILED if is_compiled else placement.kind


@dataclass(frozen=True)
class _Traced:
    module: Module
    input: int  # elements
    output: int
    positions: int


def _trace(network: LossNetwork, shape: Shape) -> list[_Traced]:
    """Every module with the number of elements of its input and output."""
    traced = []
    for module in network.modules:
        result = module.output_shape(shape)
        traced.append(_Traced(module, prod(shape), prod(result), prod(result[1:])))
        shape = result
    return traced


def _evaluation(layers: list[_Traced], kind: str) -> int:
    """Peak bytes of a forward and backward pass. The backward pass releases feature maps as it goes."""
    targets = FLOAT * sum(layer.output for layer in layers if isinstance(layer.module, ContentLoss))
    alive = peak = 0
    for layer in layers:
        alive += _kept(layer, kind)
        peak = max(peak, alive + _copies(layer, kind))
    for layer in reversed(layers):
        peak = max(peak, alive + FLOAT * (layer.input + layer.output))
        alive -= _kept(layer, kind)
    return targets + peak + (_holes(layers) if kind == "native" else 0)


def _holes(layers: list[_Traced]) -> int:
    """Bytes lost to fragmentation: PyTorch allocates each map anew, and freed maps leave unusable holes.

    Measured from 256 to 512 px: about two of the largest maps (docs/benchmarks.md).
    """
    return 2 * FLOAT * max(layer.output for layer in layers)


def _capture(layers: list[_Traced], kind: str) -> int:
    """Peak bytes of a forward pass that keeps no feature maps."""
    return max(FLOAT * (layer.input + layer.output) + _copies(layer, kind) for layer in layers)


def _kept(layer: _Traced, kind: str) -> int:
    """Bytes that a layer keeps for the backward pass. Losses and ReLU share the memory of their input."""
    if isinstance(layer.module, ReLU | ContentLoss | StyleLoss):
        return 0
    if isinstance(layer.module, SpatialMaxPooling):
        return layer.output * (FLOAT + MARKS.get(kind, FLOAT))
    return layer.output * FLOAT


def _copies(layer: _Traced, kind: str) -> int:
    """Bytes of a convolution's padded input, or of its input in the memory format of PyTorch's kernels."""
    if kind == COMPILED or not isinstance(layer.module, SpatialConvolution):
        return 0
    return FLOAT * layer.input


def _weights(module: Module) -> int:
    if not isinstance(module, SpatialConvolution):
        return 0
    return prod(module.channels) * prod(module.window.kernel)


def _columns(layers: list[_Traced], placement: Placement) -> int:
    kind, threads = _kind(placement), int(getattr(placement.first, "threads", 1))
    if kind == COMPILED:
        return threads * PACKED_BYTES
    if kind == "opencl":
        return _opencl_workspace(layers)
    if kind == "native":
        return 0
    return max(threads * BLOCK_BYTES, *_unfolded_at_once(layers, threads))


def _opencl_workspace(layers: list[_Traced]) -> int:
    from core.arithmetic.opencl.workspace import ConvolutionShape, workspace_bytes

    shapes = [
        ConvolutionShape(layer.positions, layer.module.channels[0] * prod(layer.module.window.kernel))
        for layer in layers
        if isinstance(layer.module, SpatialConvolution)
    ]
    style_maps = [layer.output for layer in layers if isinstance(layer.module, StyleLoss)]
    return workspace_bytes(shapes, max(style_maps, default=0))


def _unfolded_at_once(layers: list[_Traced], threads: int) -> Iterable[int]:
    """Bytes of the columns of small layers, whose product is split by channels, not by positions."""
    for layer in layers:
        if isinstance(layer.module, SpatialConvolution):
            n_in = layer.module.channels[0]
            if threads > 1 and layer.positions < 3 * ROW_CUT:
                yield n_in * prod(layer.module.window.kernel) * layer.positions * FLOAT
    yield 0


def _optimizer(settings: Settings, elements: int) -> int:
    """Bytes of the optimiser: the history, which grows up to its limit, and some copies of the image."""
    copies = 2 if 0 < settings.checkpoint_iter <= settings.num_iterations else 1  # while it is written
    if settings.optimizer == "adam":
        return (4 + 4 * copies) * elements * FLOAT
    corrections = settings.lbfgs_num_correction if settings.lbfgs_num_correction > 0 else 100
    pairs = max(0, min(corrections, settings.num_iterations - 1))
    return copies * int(2 * pairs + 8) * elements * FLOAT


def _mebibytes(size: int) -> str:
    return f"{size / MEBIBYTE:,.0f} MiB"
