"""The network's layers, each with ``forward(x)`` and ``backward(grad)`` to its input, as in Torch7's nn.

No weights are trained, so no layer computes a gradient for them. A layer keeps what its backward pass needs
of the last forward pass. ``str(layer)`` is the line Torch7 prints for it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import singledispatch

import caffe_loader
from core.arithmetic import Arithmetic, Array, Window
from core.errors import NetworkError
from core.torch_random import Torch7Random


class Module(ABC):
    """One layer on one device; ``name`` is Caffe's."""

    def __init__(self, arithmetic: Arithmetic, name: str) -> None:
        self.arithmetic = arithmetic
        self.name = name

    @abstractmethod
    def forward(self, x: Array) -> Array:
        """The output for an input of shape (C, H, W); may be the input itself, changed in place."""

    @abstractmethod
    def backward(self, grad: Array) -> Array:
        """The gradient at the last input, given the one at the output, which may be changed in place."""

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of the output for an input of ``shape``, computed without running the layer."""
        return shape

    def forget(self) -> None:
        """Release the feature maps kept for the backward pass."""
        for name in ("_input", "_output", "_where", "_scale", "_noise"):
            self.__dict__.pop(name, None)

    def __str__(self) -> str:
        return f"nn.{type(self).__name__}"


class SpatialConvolution(Module):
    """Cross-correlation with bias."""

    def __init__(self, arithmetic: Arithmetic, layer: caffe_loader.Convolution) -> None:
        super().__init__(arithmetic, layer.name)
        self.channels = (layer.in_channels, layer.out_channels)
        self.window = Window(layer.kernel, layer.stride, layer.padding)
        self._parameters = arithmetic.convolution(layer.weight_array(), layer.bias_array(), layer.groups)

    def forward(self, x: Array) -> Array:
        self.output_shape(tuple(x.shape))
        self._input = x
        return self.arithmetic.convolve(x, self._parameters, self.window)

    def backward(self, grad: Array) -> Array:
        return self.arithmetic.convolve_backward(grad, self._parameters, self.window, self._input)

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        if len(shape) != 3 or shape[0] != self.channels[0]:
            raise NetworkError(f"layer '{self.name}' expects {self.channels[0]} channels, not shape {shape}")
        return (self.channels[1], *_positive(self.name, shape, self.window.output_size(*shape[1:])))

    def __str__(self) -> str:
        (n_in, n_out), window = self.channels, self.window
        size = f"{n_in} -> {n_out}, {_across(window.kernel, 'x')}"
        moved = window.stride != (1, 1) or window.padding != (0, 0)
        stride = f", {_across(window.stride)}" if moved else ""
        return f"nn.SpatialConvolution({size}{stride}{_padding(window)})"


class ReLU(Module):
    """Rectification in place: the layer before finds its output overwritten, as in the original."""

    def forward(self, x: Array) -> Array:
        self._output = self.arithmetic.relu_(x)
        return self._output

    def backward(self, grad: Array) -> Array:
        return self.arithmetic.mask_(grad, self._output)


class SpatialMaxPooling(Module):
    """Maximum over windows, the output's size rounded up."""

    def __init__(self, arithmetic: Arithmetic, name: str, window: Window) -> None:
        super().__init__(arithmetic, name)
        self.window = window

    def forward(self, x: Array) -> Array:
        self.output_shape(tuple(x.shape))
        self._input = x
        output, self._where = self.arithmetic.max_pool(x, self.window)
        return output

    def backward(self, grad: Array) -> Array:
        return self.arithmetic.max_pool_backward(grad, self._where, self._input, self.window)

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (shape[0], *_positive(self.name, shape, self.window.output_size(*shape[1:], ceil=True)))

    def __str__(self) -> str:
        return f"nn.{type(self).__name__}({_window(self.window)})"


class SpatialAveragePooling(Module):
    """Mean over windows. Caffe's own rounds the output's size up; ``-pooling avg`` rounds it down."""

    def __init__(self, arithmetic: Arithmetic, name: str, window: Window, ceil: bool) -> None:
        super().__init__(arithmetic, name)
        self.window = window
        self.ceil = ceil

    def forward(self, x: Array) -> Array:
        self.output_shape(tuple(x.shape))
        self._input = x
        return self.arithmetic.average_pool(x, self.window, self.ceil)

    def backward(self, grad: Array) -> Array:
        return self.arithmetic.average_pool_backward(grad, self._input, self.window, self.ceil)

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (shape[0], *_positive(self.name, shape, self.window.output_size(*shape[1:], ceil=self.ceil)))

    def __str__(self) -> str:
        return f"nn.{type(self).__name__}({_window(self.window)})"


class SpatialCrossMapLRN(Module):
    """Local response normalisation across channels (Krizhevsky et al. 2012, section 3.3)."""

    def __init__(self, arithmetic: Arithmetic, layer: caffe_loader.LRN) -> None:
        super().__init__(arithmetic, layer.name)
        self._size, self._alpha, self._beta, self._k = layer.size, layer.alpha, layer.beta, layer.k

    def forward(self, x: Array) -> Array:
        self._input = x
        self._output, self._scale = self.arithmetic.response_norm(
            x, self._size, self._alpha, self._beta, self._k
        )
        return self._output

    def backward(self, grad: Array) -> Array:
        return self.arithmetic.response_norm_backward(
            grad, self._input, self._output, self._scale, self._size, self._alpha, self._beta
        )


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
    """Kept: active during the whole run, since the original never leaves training mode.

    A value is kept with probability 1 - ratio and then divided by it; the run's generator draws.
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
    """A fully connected layer on a flat input."""

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
                f"layer '{self.name}' needs {self.features[0]} inputs, not {shape}: losses on or behind a "
                "fully connected layer work at the image size the model was trained with only"
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


@singledispatch
def make_module(layer: object, arithmetic: Arithmetic, random: Torch7Random) -> Module:
    """The module for one layer of :func:`caffe_loader.chain`."""
    raise NetworkError(f"no module for {layer!r}")


@make_module.register
def _(layer: caffe_loader.Convolution, arithmetic: Arithmetic, random: Torch7Random) -> Module:
    return SpatialConvolution(arithmetic, layer)


@make_module.register
def _(layer: caffe_loader.Pooling, arithmetic: Arithmetic, random: Torch7Random) -> Module:
    if min(layer.kernel) < 1:
        raise NetworkError(
            f"layer '{layer.name}' pools over the whole picture, which the original cannot run"
        )
    window = Window(layer.kernel, layer.stride, layer.padding)
    if layer.kind == "max":
        return SpatialMaxPooling(arithmetic, layer.name, window)
    return SpatialAveragePooling(arithmetic, layer.name, window, ceil=True)


@make_module.register
def _(layer: caffe_loader.LRN, arithmetic: Arithmetic, random: Torch7Random) -> Module:
    return SpatialCrossMapLRN(arithmetic, layer)


@make_module.register
def _(layer: caffe_loader.Linear, arithmetic: Arithmetic, random: Torch7Random) -> Module:
    return Linear(arithmetic, layer)


@make_module.register
def _(layer: caffe_loader.Dropout, arithmetic: Arithmetic, random: Torch7Random) -> Module:
    return Dropout(arithmetic, layer, random)


@make_module.register(caffe_loader.ReLU)
@make_module.register(caffe_loader.Tanh)
@make_module.register(caffe_loader.Sigmoid)
@make_module.register(caffe_loader.View)
@make_module.register(caffe_loader.SoftMax)
def _(layer: caffe_loader.ReLU, arithmetic: Arithmetic, random: Torch7Random) -> Module:
    kinds = {kind.__name__: kind for kind in (ReLU, Tanh, Sigmoid, View, SoftMax)}
    return kinds[type(layer).__name__](arithmetic, layer.name)


def _positive(name: str, shape: tuple[int, ...], size: tuple[int, int]) -> tuple[int, int]:
    if min(size) < 1:
        raise NetworkError(
            f"the picture is too small: layer '{name}' would turn {shape[1]}x{shape[2]} into nothing; "
            "raise -image_size or choose earlier layers"
        )
    return size


def _across(pair: tuple[int, int], separator: str = ",") -> str:
    """(vertical, horizontal) in Torch7's order, horizontal first."""
    return f"{pair[1]}{separator}{pair[0]}"


def _padding(window: Window) -> str:
    return f", {_across(window.padding)}" if window.padding != (0, 0) else ""


def _window(window: Window) -> str:
    return f"{_across(window.kernel, 'x')}, {_across(window.stride)}{_padding(window)}"
