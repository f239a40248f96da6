"""Compares a prototxt with its caffemodel. The network is always built from the caffemodel.

loadcaffe replaces everything in the prototxt by the contents of the caffemodel, and so do we. We also
warn about differences.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from google.protobuf import text_format

from caffe_loader.caffe_pb2 import NetParameter, PoolingParameter, V1LayerParameter
from caffe_loader.errors import printable, quoted
from caffe_loader.layer_types import v1_type_name
from caffe_loader.reader import Caffemodel, LayerMessage
from caffe_loader.windows import convolution_window, pooling_window

_MAX_BYTES = 4 << 20

# Layer types that a chain can contain. Data, loss and accuracy layers normally differ between the files.
_COMPARED = ("Convolution", "Pooling", "ReLU", "TanH", "Tanh", "Sigmoid", "LRN", "InnerProduct", "Dropout")


def compare_prototxt(path: str | os.PathLike[str], model: Caffemodel) -> list[str]:
    """Differences between a prototxt and a caffemodel, one line each. Empty if they agree.

    Compares names, order, types and parameters of the layers that ``chain`` can keep. If the prototxt
    cannot be read or parsed, the result is one line with the reason. Nothing is raised: it is optional.
    """
    try:
        net = _parse(Path(path))
    except (OSError, ValueError, RecursionError, text_format.ParseError) as error:
        return [f"{printable(str(path))}: {_reason(error)}; it is ignored, as by the original program"]
    text = _by_name((layer.name, _type(layer), layer) for layer in net.layers or net.layer)
    binary = _by_name((layer.name, layer.type, layer.parameters) for layer in model.layers)
    return [f"{printable(str(path))}: {line}" for line in _differences(text, binary)]


_Layers = dict[str, tuple[str, LayerMessage]]


def _parse(path: Path) -> NetParameter:
    if path.exists() and not path.is_file():
        raise ValueError("is not a file")
    with path.open("rb") as file:
        content = file.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise ValueError(f"is larger than {_MAX_BYTES >> 20} MiB, too large for a prototxt")
    net = NetParameter()
    text_format.Parse(content.decode(), net, allow_unknown_field=True)
    return net


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"cannot be opened: {error.strerror}"
    if isinstance(error, UnicodeDecodeError | RecursionError):
        return "is not a prototxt"
    if isinstance(error, text_format.ParseError):
        return printable(f"cannot be parsed as a prototxt, {error}")
    return printable(str(error))


def _by_name(layers: Iterator[tuple[str, str, LayerMessage]]) -> _Layers:
    return {name: (kind, message) for name, kind, message in layers if kind in _COMPARED}


def _type(layer: LayerMessage) -> str:
    return v1_type_name(layer.type) if isinstance(layer, V1LayerParameter) else layer.type


def _differences(text: _Layers, binary: _Layers) -> Iterator[str]:
    for name in (name for name in text if name not in binary):
        yield f"layer {quoted(name)} is only in the prototxt, not in the caffemodel"
    for name in (name for name in binary if name not in text):
        yield f"layer {quoted(name)} is only in the caffemodel, not in the prototxt"
    common = [name for name in text if name in binary]
    if common != [name for name in binary if name in text]:
        yield "the layers are in a different order than in the caffemodel"
    for name in common:
        stated, actual = _facts(*text[name]), _facts(*binary[name])
        for fact in stated:
            if stated[fact] != actual.get(fact, stated[fact]):
                yield f"layer {quoted(name)}: {fact} is {stated[fact]}, in the caffemodel {actual[fact]}"


def _facts(kind: str, layer: LayerMessage) -> dict[str, object]:
    """The parameters of a layer that the chain uses, by name."""
    facts: dict[str, object] = {"type": kind}
    if kind == "Convolution":
        convolution = layer.convolution_param
        facts |= zip(("kernel", "stride", "padding"), convolution_window(convolution), strict=True)
        facts |= {"num_output": convolution.num_output, "group": convolution.group}
    elif kind == "Pooling":
        pooling = layer.pooling_param
        facts |= zip(("kernel", "stride", "padding"), pooling_window(pooling), strict=True)
        facts |= {"pool": PoolingParameter.PoolMethod.Name(pooling.pool)}
    elif kind == "LRN":
        lrn = layer.lrn_param
        facts |= {"local_size": lrn.local_size, "alpha": lrn.alpha, "beta": lrn.beta, "k": lrn.k}
    elif kind == "InnerProduct":
        facts |= {"num_output": layer.inner_product_param.num_output}
    elif kind == "Dropout":
        facts |= {"dropout_ratio": layer.dropout_param.dropout_ratio}
    return facts
