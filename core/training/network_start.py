"""The initial network of a training, new or from a checkpoint, padded to give the right output size."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import NamedTuple

from torch import nn

from caffe_loader.errors import printable
from core.arithmetic.torch7_random import Torch7Random
from core.errors import TransformError
from core.settings.training import TrainSettings
from core.training.data.batches import Batch
from core.training.initial_weights import initialise
from core.transform.networks.architecture import Architecture, build
from core.transform.networks.geometry import geometry, output_side
from core.transform.networks.layers import (
    FrozenInstanceNorm2d,
    MulConstant,
    ResidualBlock,
    TotalVariation,
)
from core.transform.networks.load import load_network

UNPADDED = ("reflect-start", "none")
FAR = 1024  # multiples of the stride


class Start(NamedTuple):
    """A network and its architecture."""

    architecture: Architecture
    network: nn.Sequential


def with_inherited(settings: TrainSettings, given: Collection[str]) -> TrainSettings:
    """Settings with the -tv_strength of the checkpoint, unless the user set this flag (``given``).

    Raises: T7Error, TransformError.
    """
    if not settings.resume_from_checkpoint or "tv_strength" in given:
        return settings
    return settings.replace(tv_strength=_checkpoint(settings)[0].tv_strength)


def starting_network(settings: TrainSettings, batch: Batch) -> Start:
    """The network to train: new, or from -resume_from_checkpoint with -tv_strength from the settings.

    batch: a batch of the training; its sizes decide the padding.
    Raises: T7Error, TransformError.
    """
    start = _of_checkpoint(settings) if settings.resume_from_checkpoint else _new(settings)
    if not list(start.network.parameters()):
        raise TransformError(f"-arch {settings.arch}: has no layer with weights to train")
    return _fitted(start, settings.padding_type, batch)


def _new(settings: TrainSettings) -> Start:
    architecture = Architecture(
        settings.arch,
        "instance" if settings.use_instance_norm == 1 else "batch",
        settings.padding_type,
        settings.tanh_constant,
        settings.tv_strength,
    )
    network = build(architecture)
    initialise(network, Torch7Random(settings.seed if settings.seed >= 0 else None))
    return Start(architecture, network)


def _of_checkpoint(settings: TrainSettings) -> Start:
    architecture, module = _checkpoint(settings)
    architecture = replace(architecture, tv_strength=settings.tv_strength)
    return Start(architecture, _rebuilt(architecture, module))


def _checkpoint(settings: TrainSettings) -> tuple[Architecture, nn.Module]:
    path = settings.resume_from_checkpoint
    module = load_network(path).module
    try:
        architecture = architecture_of(module, settings.padding_type)
    except TransformError as error:
        raise TransformError(f"-resume_from_checkpoint {printable(path)}: {error}") from None
    return architecture, module


def _rebuilt(architecture: Architecture, module: nn.Module) -> nn.Sequential:
    network = build(architecture)
    network.load_state_dict(module.state_dict())
    return network


def _fitted(start: Start, padding_type: str, batch: Batch) -> Start:
    """Insert the reflection padding of 'reflect-start' if the output would be too small.

    The original does this in the first step. Here it follows from the sizes alone: a forward pass would
    change the statistics of batch normalisation.
    """
    architecture, network = start
    sides = list(zip(batch.x.shape[2:], batch.y.shape[2:], strict=True))
    if padding_type == "none":  # the target is cropped instead
        return start
    widths = {_missing(network, side, wanted) for side, wanted in sides}
    width = max(widths)
    if (
        padding_type == "reflect-start"
        and not architecture.reflection
        and width > 0
        and width.denominator == 1
    ):
        architecture = replace(architecture, reflection=int(width))
        network = _rebuilt(architecture, network)
    if all(_missing(network, side, wanted) == 0 for side, wanted in sides):
        return Start(architecture, network)
    shown = "x".join(str(side) for side, _ in sides[::-1])
    wanted = "x".join(str(side) for _, side in sides[::-1])
    raise TransformError(
        f"the network does not turn pictures of {shown} into {wanted}; their sides must be multiples of "
        f"{geometry(network).multiple}, and -padding_type and -upsample_factor must suit -arch"
    )


def _missing(network: nn.Sequential, side: int, wanted: int) -> Fraction:
    """The input pixels missing on each border for an output side of ``wanted``.

    Computed for a far larger picture, because a small one may vanish in layers without padding.
    """
    sizes = geometry(network)
    larger = FAR * sizes.multiple
    enlargement = Fraction(sizes.enlargement).limit_denominator(FAR)
    return (wanted + larger * enlargement - output_side(network, side + larger)) / enlargement / 2


def architecture_of(network: nn.Sequential, padding_type: str) -> Architecture:
    """The architecture that a network was built from.

    padding_type: used if the layers do not decide it; 'none' and 'reflect-start' differ only in training.
    Raises: TransformError: it is not a network of train.lua, or its training cannot be continued.
    """
    modules = list(network)
    if any(isinstance(layer, FrozenInstanceNorm2d) for layer in network.modules()):
        raise TransformError(
            "its instance normalisation was inert in training (Torch of August 2017 or later); it cannot be "
            "trained further"
        )
    tail = modules[-3:]
    if not (len(tail) == 3 and isinstance(tail[1], MulConstant) and isinstance(tail[2], TotalVariation)):
        raise TransformError(
            "is not a network of train.lua: it does not end with tanh, constant, total variation"
        )
    reflection = _reflection(modules)
    body = modules[1 if reflection else 0 : -3]
    architecture = Architecture(
        ",".join(_words(body)),
        "batch" if any(isinstance(layer, nn.BatchNorm2d) for layer in network.modules()) else "instance",
        _padding_type(body, padding_type),
        tail[1].constant,
        tail[2].strength,
        reflection,
    )
    if _text(build(architecture)) != _text(network):
        raise TransformError("has layers in an order that -arch cannot describe")
    return architecture


def _text(network: nn.Module) -> str:
    return str(network).replace("(inplace=True)", "()")


def _reflection(modules: Sequence[nn.Module]) -> int:
    """Width of the reflection padding before the network; 0 if it belongs to the first convolution."""
    first, second = modules[0], modules[1]
    if not isinstance(first, nn.ReflectionPad2d):
        return 0
    if isinstance(second, nn.Conv2d) and second.padding == (0, 0) and second.kernel_size[0] > 1:
        return 0
    return int(first.padding[0])


def _words(modules: Sequence[nn.Module]) -> Iterator[str]:
    for layer in modules:
        if isinstance(layer, ResidualBlock):
            yield f"R{_first_convolution(layer.body).out_channels}"
        elif isinstance(layer, nn.Sequential):
            yield f"C{_first_convolution(layer).out_channels}"
        elif isinstance(layer, nn.Upsample):
            yield f"U{float(str(layer.scale_factor)):.0f}"
        elif isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            yield _word(layer)


def _word(layer: nn.Conv2d | nn.ConvTranspose2d) -> str:
    kernel, stride = layer.kernel_size[0], layer.stride[0]
    transposed = isinstance(layer, nn.ConvTranspose2d)
    if (kernel, stride, layer.padding) == (3, 2, (1, 1)):
        return f"{'u' if transposed else 'd'}{layer.out_channels}"
    return f"{'f' if transposed else 'c'}{kernel}s{stride}-{layer.out_channels}"


def _first_convolution(block: nn.Module) -> nn.Conv2d:
    return next(layer for layer in block.modules() if isinstance(layer, nn.Conv2d))


def _padding_type(modules: Sequence[nn.Module], wanted: str) -> str:
    inner = [layer for module in modules for layer in module.modules()]
    if any(isinstance(layer, nn.ReflectionPad2d) for layer in inner):
        return "reflect"
    if any(isinstance(layer, nn.ReplicationPad2d) for layer in inner):
        return "replicate"
    blocks = [module for module in modules if isinstance(module, nn.Sequential | ResidualBlock)]
    if blocks and _first_convolution(blocks[0]).padding != (0, 0):
        return "zero"
    if blocks:
        return wanted if wanted in UNPADDED else "reflect-start"
    return wanted if wanted in (*UNPADDED, "zero") else "zero"
