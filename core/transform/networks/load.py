"""Reads transform networks: Torch7 checkpoints, our checkpoints, and files of pytorch/examples."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from caffe_loader.errors import printable, quoted
from core.errors import NeuralStyleError, TransformError
from core.models.checksums import file_digests
from core.t7 import Table, TorchObject, Value, load_t7
from core.transform.networks.channels import output_channels
from core.transform.networks.checkpoint import load_checkpoint
from core.transform.networks.from_t7 import has_inert_norm, to_modules
from core.transform.networks.layers import NAMES, named
from core.transform.networks.t7_fields import short_class
from core.transform.networks.transform_network import TransformNetwork

PREPROCESSINGS = ("vgg", "resnet")


def load_network(path: str | os.PathLike[str], instance_norm: str = "auto") -> TransformNetwork:
    """Read a .t7, .pth or .safetensors file; the extension decides the format.

    instance_norm: see :func:`core.transform.networks.from_t7.to_modules`.
    Raises: T7Error or TransformError naming the file.
    """
    file = Path(path)
    loaders = {".t7": _from_t7, ".safetensors": _from_checkpoint, **dict.fromkeys((".pth", ".pt"), _from_pth)}
    if file.suffix.lower() not in loaders:
        raise TransformError(
            f"{printable(str(file))}: unknown kind of network '{file.suffix}'; known are "
            f"{', '.join(loaders)} and, for ONNX Runtime, .onnx"
        )
    network = loaders[file.suffix.lower()](file, instance_norm)
    network.module.eval().requires_grad_(False)
    try:
        output_channels(network.module)
        _ = network.geometry
    except TransformError as error:
        raise TransformError(f"{printable(str(file))}: {error}") from None
    return network


def source_digest(path: Path) -> str:
    """The SHA-256 of a source file, as recorded in the metadata of the converted file."""
    return file_digests(path).sha256


def _from_t7(path: Path, instance_norm: str) -> TransformNetwork:
    content = load_t7(path).value
    try:
        model, options = split_checkpoint(content)
        modules = to_modules(model, instance_norm)
        _check_is_transform_net(modules)
        module = named(modules)
    except NeuralStyleError as error:
        raise type(error)(f"{printable(str(path))}: {error}") from None
    preprocessing = options.get("preprocessing", "vgg")
    if preprocessing not in PREPROCESSINGS:
        raise TransformError(f"{printable(str(path))}: unknown preprocessing {quoted(str(preprocessing))}")
    network = TransformNetwork(module, preprocessing, path, options)
    return replace(network, notices=tuple(_notices(model, network, instance_norm)))


def split_checkpoint(content: Value) -> tuple[TorchObject, dict[str, Any]]:
    """The network of a .t7 file and its training options, empty if there are none.

    The file is a checkpoint of train.lua, an older checkpoint without options, or a network alone.
    Raises: TransformError.
    """
    model = content.get("model") if isinstance(content, Table) else content
    if not isinstance(model, TorchObject) or short_class(model) != "Sequential":
        raise TransformError(
            "contains no network: it is neither a checkpoint of train.lua (a table with 'model') "
            "nor an nn.Sequential"
        )
    options = content.get("opt") if isinstance(content, Table) else None
    named_options = options.names() if isinstance(options, Table) else {}
    return model, {name: plain(value) for name, value in named_options.items()}


def plain(value: Value) -> Any:
    """An option as a Python value: a string, a number, or a list of these; None for anything else."""
    if isinstance(value, Table):
        return [_plain_item(item) for item in value.sequence()]
    return _plain_item(value)


def _plain_item(value: Value) -> str | float | None:
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, float | bool) else None


def _check_is_transform_net(modules: list[nn.Module]) -> None:
    """Check that the output is a picture. Raises: TransformError: it is not, as in a loss network."""
    inner = [layer for module in modules for layer in module.modules()]
    layers = [layer for layer in inner if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)]
    if not layers or layers[0].in_channels != 3 or layers[-1].out_channels != 3:
        raise TransformError(
            "is not a transform network: it does not turn three channels into three; is it a loss network "
            "such as VGG-16?"
        )
    foreign = [type(layer).__name__ for layer in inner if type(layer) not in NAMES]
    if foreign:
        raise TransformError(f"is not a transform network: it has a {foreign[0]} layer")


def _notices(model: TorchObject, network: TransformNetwork, instance_norm: str) -> list[str]:
    inert, name = has_inert_norm(model), printable(network.path.name)
    if inert and instance_norm == "auto":
        return [
            f"{name}: trained with a Torch of August 2017 or later, whose instance normalisation only scales "
            "and shifts; it runs the same way here (-instance_norm normalise changes this)"
        ]
    if network.normalisation == "frozen" and not inert:
        return [
            f"{name}: -instance_norm affine: runs with inert instance normalisation, but was trained with "
            "real instance normalisation"
        ]
    if inert:
        return [
            f"{name}: -instance_norm normalise: runs with real instance normalisation, but was trained with "
            "inert instance normalisation"
        ]
    return []


def _from_checkpoint(path: Path, instance_norm: str) -> TransformNetwork:
    return load_checkpoint(path)


def _from_pth(path: Path, instance_norm: str) -> TransformNetwork:
    from core.transform.networks.pytorch_examples import from_state_dict

    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise TransformError(f"{printable(str(path))}: no such file; check the path") from None
    except Exception as error:  # a damaged file can make torch.load raise any exception
        first = (str(error).splitlines() or [type(error).__name__])[0]
        if first.startswith("Weights only"):  # PyTorch's message recommends loading it unsafely
            first = "it contains objects besides weights, which could run any code"
        raise TransformError(
            f"{printable(str(path))}: not a file of weights that PyTorch reads safely "
            f"({printable(first[:100])}); save the state_dict of the model with torch.save"
        ) from None
    try:
        return TransformNetwork(from_state_dict(content), "0-255", path)
    except TransformError as error:
        raise TransformError(f"{printable(str(path))}: {error}") from None
