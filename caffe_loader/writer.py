"""Writing caffemodels in the V1 format, in which the VGG networks were published.

Layers carry no ``bottom`` and ``top``: Caffe takes weights from a caffemodel by the layer's name, and the
connections from its prototxt.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import IO

import numpy as np
from numpy.typing import NDArray

from caffe_loader.caffe_pb2 import NetParameter, PoolingParameter, V1LayerParameter

Array = NDArray[np.float32]


def convolution_layer(
    name: str, weight: Array, bias: Array, padding: int = 0, stride: int = 1
) -> V1LayerParameter:
    """A convolution with ``weight`` (out, in, size, size) and ``bias`` (out,), both float32.

    padding, stride: pixels, the same in both directions.
    """
    layer = V1LayerParameter(name=name, type=V1LayerParameter.CONVOLUTION)
    for array in (weight, bias):
        _add_blob(layer, array)
    layer.convolution_param.num_output = weight.shape[0]
    layer.convolution_param.kernel_size.append(weight.shape[2])
    layer.convolution_param.pad.append(padding)
    layer.convolution_param.stride.append(stride)
    return layer


def relu_layer(name: str) -> V1LayerParameter:
    """max(x, 0)."""
    return V1LayerParameter(name=name, type=V1LayerParameter.RELU)


def max_pooling_layer(name: str, kernel: int, stride: int) -> V1LayerParameter:
    """The maximum over windows of ``kernel`` x ``kernel`` pixels, every ``stride`` pixels."""
    layer = V1LayerParameter(name=name, type=V1LayerParameter.POOLING)
    layer.pooling_param.pool = PoolingParameter.MAX
    layer.pooling_param.kernel_size = kernel
    layer.pooling_param.stride = stride
    return layer


def write_caffemodel(stream: IO[bytes], name: str, layers: Iterable[V1LayerParameter]) -> None:
    """Write the network ``name`` to ``stream``, a layer at a time; the same layers give the same bytes.

    Raises OSError if the stream cannot be written.
    """
    # Protobuf messages written one after the other are one message with the fields of all.
    stream.write(NetParameter(name=name).SerializeToString(deterministic=True))
    for layer in layers:
        stream.write(NetParameter(layers=[layer]).SerializeToString(deterministic=True))


def _add_blob(layer: V1LayerParameter, array: Array) -> None:
    """Shape as num, channels, height, width, filled with ones on the left, as V1 files have it."""
    num, channels, height, width = _four_axes(array.shape)
    content = np.ascontiguousarray(array, "<f4").tobytes()
    layer.blobs.add(num=num, channels=channels, height=height, width=width, data=[content])


def _four_axes(shape: Sequence[int]) -> tuple[int, int, int, int]:
    num, channels, height, width = (1,) * (4 - len(shape)) + tuple(shape)
    return num, channels, height, width
