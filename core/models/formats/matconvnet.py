"""VGG networks as MatConvNet publishes them, in MATLAB's files: imagenet-vgg-verydeep-19.mat and -16.mat.

A cell ``layers`` of structs; a convolution's has the filters (height, width, in, out) and biases in a cell
``weights``, or in the fields ``filters`` and ``biases`` in files of 2014. Inputs are R, G, B there: the
channels of the first layer are reversed here, to Caffe's B, G, R.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from core.errors import RegistryError
from core.models.formats.weights import Convolution, Convolutions, check_shapes

LARGEST = 1 << 30  # bytes that a file may become when uncompressed; a VGG-19 with all its layers has 0.6e9
_HEADER, _TAG, _COMPRESSED, _PIECE = 128, 8, 15, 1 << 20


def read_matconvnet(path: Path) -> Convolutions:
    """The convolutions in ``path``; fully connected layers are left alone.

    Raises RegistryError; scipy's own errors where the file is damaged.
    """
    from scipy.io import loadmat

    _refuse_bombs(path)
    content = loadmat(path, variable_names=("layers", "net"))
    layers = content.get("layers")
    if layers is None and "net" in content:  # saved as a whole: net.layers
        layers = _field(content["net"], "layers")
    found = dict(_convolutions(layers))
    if not found:
        raise RegistryError("it has no cell of layers with a conv1_1, as MatConvNet's VGG files have")
    names = check_shapes({name: (pair.weight.shape, pair.bias.shape) for name, pair in found.items()})
    first = found[names[0]]
    reversed_inputs = Convolution(np.ascontiguousarray(first.weight[:, ::-1]), first.bias)
    return {**{name: found[name] for name in names}, names[0]: reversed_inputs}


def _refuse_bombs(path: Path) -> None:
    """Uncompress without keeping anything, since scipy would keep it all. Raises RegistryError."""
    total = 0
    with path.open("rb") as stream:
        stream.seek(_HEADER)
        while len(tag := stream.read(_TAG)) == _TAG:
            kind, size = (int.from_bytes(tag[at : at + 4], "little") for at in (0, 4))
            if kind != _COMPRESSED:
                stream.seek(size, 1)
                continue
            for count in _uncompressed_counts(stream, size):
                total += count
                if total > LARGEST:
                    raise RegistryError(
                        f"it holds more than {LARGEST:,} bytes when uncompressed; no VGG does"
                    )


def _uncompressed_counts(stream: IO[bytes], size: int) -> Iterator[int]:
    """How many bytes each step of uncompressing the next ``size`` bytes gives."""
    machine = zlib.decompressobj()
    while size > 0 and (piece := stream.read(min(size, _PIECE))):
        size -= len(piece)
        while piece:
            yield len(machine.decompress(piece, _PIECE))
            piece = machine.unconsumed_tail


def _convolutions(layers: Any) -> Iterator[tuple[str, Convolution]]:
    if not isinstance(layers, np.ndarray) or layers.dtype != object:
        return
    for layer in layers.ravel():
        name = _text(_field(layer, "name"))
        if not re.fullmatch(r"conv\d_\d", name):
            continue
        weights = _field(layer, "weights")
        if isinstance(weights, np.ndarray) and weights.dtype == object and weights.size >= 2:
            filters, biases = weights.ravel()[:2]
        else:
            filters, biases = _field(layer, "filters"), _field(layer, "biases")
        yield name, Convolution(_filters(name, filters), _single(name, biases).ravel())


def _filters(name: str, value: Any) -> Any:
    filters = _single(name, value)
    if filters.ndim != 4:
        raise RegistryError(f"its {name} has filters of {filters.ndim} axes, not 4")
    return np.ascontiguousarray(filters.transpose(3, 2, 0, 1))


def _single(name: str, value: Any) -> Any:
    if not isinstance(value, np.ndarray) or value.dtype != np.float32:
        raise RegistryError(f"its {name} has no arrays of single precision; only these can be the original's")
    return value


def _field(struct: Any, name: str) -> Any:
    """The value of a field of a 1x1 struct, as scipy has it; None if there is none."""
    if (
        isinstance(struct, np.ndarray)
        and struct.dtype.names
        and name in struct.dtype.names
        and struct.size == 1
    ):
        return struct[name].item()
    return None


def _text(value: Any) -> str:
    """A char array's text."""
    return (
        str(value.item())
        if isinstance(value, np.ndarray) and value.dtype.kind == "U" and value.size == 1
        else ""
    )
