"""The last layers of classification networks (Linear, Dropout, SoftMax), and activations other than ReLU."""

from __future__ import annotations

import caffe_loader
from core.arithmetic.operations import Arithmetic, Array
from core.arithmetic.torch7_random import Torch7Random
from core.errors import NetworkError
from core.network.layers import Module


class Tanh(Module):
    """Hyperbolic tangent."""

    def forward(self, x: Array) -> Array:
        self._output = self.arithmetic.tanh(x)
        return self._output

    def backward(self, grad: Array) -> Array:
        return grad * (1 - self._output * self._output)


class Sigmoid(Module):
    """Logistic function."""

    def forward(self, x: Array) -> Array:
        self._output = self.arithmetic.sigmoid(x)
        return self._output

    def backward(self, grad: Array) -> Array:
        return grad * (1 - self._output) * self._output


class Dropout(Module):
    """Dropout. As in the original, it is active during the whole run, as in training.

    A value is kept with probability 1 - ratio and divided by 1 - ratio; otherwise it becomes 0. Uses the
    random generator of the run.
    """

    def __init__(self, arithmetic: Arithmetic, layer: caffe_loader.Dropout, random: Torch7Random) -> None:
        super().__init__(arithmetic, layer.name)
        self._ratio, self._random = layer.ratio, random

    def forward(self, x: Array) -> Array:
        kept = self._random.bernoulli(1 - self._ratio, tuple(x.shape))
        self._noise = self.arithmetic.divide_(self.arithmetic.array(kept), 1 - self._ratio)
        return x * self._noise

    def backward(self, grad: Array) -> Array:
        return grad * self._noise

    def __str__(self) -> str:
        return f"nn.Dropout({self._ratio:f})"


class View(Module):
    """Flattens (C, H, W) to (C H W,)."""

    def forward(self, x: Array) -> Array:
        self._shape = tuple(x.shape)
        return x.reshape(-1)

    def backward(self, grad: Array) -> Array:
        return grad.reshape(self._shape)

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        count = 1
        for size in shape:
            count *= size
        return (count,)

    def __str__(self) -> str:
        return "nn.View(-1)"


class Linear(Module):
    """A fully connected layer. Its input has the shape (nIn,)."""

    def __init__(self, arithmetic: Arithmetic, layer: caffe_loader.Linear) -> None:
        super().__init__(arithmetic, layer.name)
        self.features = (layer.in_features, layer.out_features)
        self._weight = arithmetic.array(layer.weight_array())
        self._bias = arithmetic.array(layer.bias_array())

    def forward(self, x: Array) -> Array:
        self.output_shape(tuple(x.shape))
        return self.arithmetic.linear(x, self._weight, self._bias)

    def backward(self, grad: Array) -> Array:
        return self.arithmetic.linear_backward(grad, self._weight)

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        if shape != (self.features[0],):
            raise NetworkError(
                f"layer '{self.name}' needs {self.features[0]} inputs, not {shape}: losses at or after a "
                "fully connected layer work only at the image size the model was trained with"
            )
        return (self.features[1],)

    def __str__(self) -> str:
        return f"nn.Linear({self.features[0]} -> {self.features[1]})"


class SoftMax(Module):
    """Softmax over the first axis."""

    def forward(self, x: Array) -> Array:
        self._output = self.arithmetic.softmax(x)
        return self._output

    def backward(self, grad: Array) -> Array:
        return (grad - (grad * self._output).sum(0)) * self._output
