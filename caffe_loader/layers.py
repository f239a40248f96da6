"""The layers of a chain. Weights stay in the file until ``weight_array`` or ``bias_array`` reads them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from caffe_loader.blobs import Blob


@dataclass(frozen=True)
class Convolution:
    """A two-dimensional convolution (cross-correlation) with bias. Pairs are (vertical, horizontal)."""

    name: str
    weight: Blob
    bias: Blob
    in_channels: int
    out_channels: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    groups: int = 1

    @property
    def weight_shape(self) -> tuple[int, int, int, int]:
        """(out_channels, in_channels / groups, kernel height, kernel width)."""
        return self.out_channels, self.in_channels // self.groups, *self.kernel

    def weight_array(self) -> NDArray[np.float32]:
        """The weights, ``weight_shape``, read-only, aligned (copied only if the file has them unaligned).

        Raises CaffemodelError for NaN or infinite values.
        """
        return _aligned(self.weight).reshape(self.weight_shape)

    def bias_array(self) -> NDArray[np.float32]:
        """The biases, (out_channels,); otherwise as ``weight_array``."""
        return _aligned(self.bias).reshape(self.out_channels)


@dataclass(frozen=True)
class Linear:
    """A fully connected layer with bias."""

    name: str
    weight: Blob
    bias: Blob
    in_features: int
    out_features: int

    @property
    def weight_shape(self) -> tuple[int, int]:
        """(out_features, in_features)."""
        return self.out_features, self.in_features

    def weight_array(self) -> NDArray[np.float32]:
        """The weights, ``weight_shape``, read-only, aligned (copied only if the file has them unaligned).

        Raises CaffemodelError for NaN or infinite values.
        """
        return _aligned(self.weight).reshape(self.weight_shape)

    def bias_array(self) -> NDArray[np.float32]:
        """The biases, (out_features,); otherwise as ``weight_array``."""
        return _aligned(self.bias).reshape(self.out_features)


@dataclass(frozen=True)
class Pooling:
    """Maximum or average pooling. Output sizes are rounded up (ceil mode); averages count the padding.

    kind: "max" or "average".
    kernel: (0, 0) means Caffe's global pooling. As in loadcaffe, it can be loaded but not run.
    """

    name: str
    kind: str
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]


@dataclass(frozen=True)
class ReLU:
    """max(x, 0)."""

    name: str


@dataclass(frozen=True)
class Tanh:
    """Hyperbolic tangent."""

    name: str


@dataclass(frozen=True)
class Sigmoid:
    """1 / (1 + exp(-x))."""

    name: str


@dataclass(frozen=True)
class LRN:
    """x / (k + alpha / size * sum of x^2 over ``size`` neighbouring channels) ** beta."""

    name: str
    size: int
    alpha: float
    beta: float
    k: float


@dataclass(frozen=True)
class View:
    """Flattens each image to a vector, before the first inner product."""

    name: str = "torch_view"


@dataclass(frozen=True)
class Dropout:
    """Zeroes values with probability ``ratio`` while training and scales the rest by 1 / (1 - ratio)."""

    name: str
    ratio: float


@dataclass(frozen=True)
class SoftMax:
    """Softmax over the channels."""

    name: str


ChainModule = Convolution | Pooling | ReLU | Tanh | Sigmoid | LRN | View | Linear | Dropout | SoftMax


def _aligned(blob: Blob) -> NDArray[np.float32]:
    array = np.require(blob.array(), requirements="A")
    array.setflags(write=False)
    return array
