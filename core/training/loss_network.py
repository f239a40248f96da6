"""The loss network: a trained classifier, cut after the last layer that a loss uses."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from torch import Tensor, nn

from caffe_loader import load_caffemodel
from caffe_loader.errors import printable
from core.errors import NetworkError, NeuralStyleError
from core.models.registry import find_model_file
from core.t7 import load_t7
from core.transform.networks.from_t7 import to_modules
from core.transform.networks.load import split_checkpoint


class LossNetwork(nn.Module):
    """Computes the activations of some layers of a frozen network in evaluation mode.

    modules: all layers in order.  names: their names, such as ``relu2_2``.  layers: the wanted layers, each
    given by number from 1 on (``9``), name, or numbers of nested containers (``3-2``, for ResNets).
    Raises: NetworkError: no such layer. (train.lua silently uses 0 as its loss.)
    """

    def __init__(self, modules: Sequence[nn.Module], names: Sequence[str], layers: Sequence[str]) -> None:
        super().__init__()
        self._wanted = {layer: _addressed(layer, modules, names) for layer in layers}
        last = max((position for position, _ in self._wanted.values()), default=-1)
        self.body = nn.Sequential(*modules[: last + 1])
        for module in self.body.modules():
            if isinstance(module, nn.ReLU):
                module.inplace = False  # in place, it would overwrite the activations of the layer before
        self.eval().requires_grad_(False)

    def check_different(self, layers: Iterable[str]) -> None:
        """Check that no layer is named twice (by number and name), which would count its loss twice.

        Raises: NetworkError.
        """
        known: dict[nn.Module, str] = {}
        for layer in layers:
            other = known.setdefault(self._wanted[layer][1], layer)
            if other != layer:
                raise NetworkError(f"'{other}' and '{layer}' are the same layer; leave one out")

    def forward(self, x: Tensor, layers: Collection[str] | None = None) -> dict[str, Tensor]:
        """The activations (N, C, H, W) of each wanted layer for x (N, 3, H, W) in the network's pixel format.

        layers: only these of the wanted layers; layers after the last of them are not computed.
        """
        seen: dict[str, Tensor] = {}
        wanted = {layer: self._wanted[layer] for layer in (self._wanted if layers is None else layers)}
        last = max((position for position, _ in wanted.values()), default=-1)

        def keep(layer: str, module: nn.Module, inputs: object, output: Tensor) -> None:
            seen[layer] = output

        with ExitStack() as hooks:
            for layer, (_, module) in wanted.items():
                hooks.callback(module.register_forward_hook(partial(keep, layer)).remove)
            for module in itertools.islice(self.body, last + 1):
                x = module(x)
        return seen


def load_loss_network(path: str, layers: Sequence[str]) -> LossNetwork:
    """Load a .t7 file of an nn.Sequential or a caffemodel; also looked up in vgg_models/ by its base name.

    Raises: RegistryError, T7Error, CaffemodelError, NetworkError, each naming the file.
    """
    file = find_model_file(path)
    try:
        modules, names = _from_t7(file) if file.suffix.lower() == ".t7" else _from_caffe(file)
        return LossNetwork(modules, names, layers)
    except NetworkError as error:
        raise NetworkError(f"{printable(path)}: {error}") from None


def _from_t7(file: Path) -> tuple[list[nn.Module], list[str]]:
    try:
        modules = to_modules(split_checkpoint(load_t7(file).value)[0])
    except NeuralStyleError as error:
        raise NetworkError(str(error)) from None
    return modules, list(_vgg_names(modules))


def _from_caffe(file: Path) -> tuple[list[nn.Module], list[str]]:
    network = load_caffemodel(file)
    return list(network), [name for name, _ in network.named_children()]


def _vgg_names(modules: Sequence[nn.Module]) -> Iterator[str]:
    """Layer names as in VGG: the block number counts poolings, the second number convolutions in a block."""
    block, number = 1, 0
    for position in itertools.count():
        if position == len(modules):
            return
        module = modules[position]
        if isinstance(module, nn.Conv2d):
            number += 1
            yield f"conv{block}_{number}"
        elif isinstance(module, nn.ReLU):
            yield f"relu{block}_{number}"
        elif isinstance(module, nn.MaxPool2d | nn.AvgPool2d):
            yield f"pool{block}"
            block, number = block + 1, 0
        else:
            yield f"layer{position + 1}"


def _addressed(layer: str, modules: Sequence[nn.Module], names: Sequence[str]) -> tuple[int, nn.Module]:
    """The position of the outermost module that contains the layer, and the layer."""
    if layer in names:
        return names.index(layer), modules[names.index(layer)]
    try:
        numbers = [int(part) for part in layer.split("-")]
        module: nn.Module = nn.Sequential(*modules)
        for number in numbers:
            if number < 1:
                raise IndexError(number)
            module = list(module.children())[number - 1]
    except (ValueError, IndexError):
        raise NetworkError(
            f"no layer '{layer}' in the loss network; it has 1 to {len(modules)}: {', '.join(names)}"
        ) from None
    return numbers[0] - 1, module
