"""The layers of the loss network, each with ``forward(x)`` and ``backward(grad)``, as in Torch7's nn.

Weights are not trained, so ``backward`` computes only the gradient of the input. A layer keeps what its
backward pass needs from the last forward pass. ``str(layer)`` is the line that Torch7 prints for it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import caffe_loader
from core.arithmetic.operations import Arithmetic, Array, Window
from core.errors import NetworkError


class Module(ABC):
    """One layer on one device. ``name`` is its name in the caffemodel."""

    def __init__(self, arithmetic: Arithmetic, name: str) -> None:
        self.arithmetic = arithmetic
        self.name = name

    @abstractmethod
    def forward(self, x: Array) -> Array:
        """The output for an input of shape (C, H, W). It may be the input itself, changed in place."""

    @abstractmethod
    def backward(self, grad: Array) -> Array:
        """The gradient of the last input, from the gradient of the output, which may be changed in place."""

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
    """Rectification in place: it overwrites the output of the layer before it, as in the original."""

    def forward(self, x: Array) -> Array:
        self._output = self.arithmetic.relu_(x)
        return self._output

    def backward(self, grad: Array) -> Array:
        return self.arithmetic.mask_(grad, self._output)


class SpatialMaxPooling(Module):
    """Maximum of each window. The output size is rounded up."""

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
    """Mean of each window. ``ceil`` rounds output sizes up, as for Caffe layers; ``-pooling avg`` down."""

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


def _positive(name: str, shape: tuple[int, ...], size: tuple[int, int]) -> tuple[int, int]:
    if min(size) < 1:
        raise NetworkError(
            f"the picture is too small: layer '{name}' cannot process {shape[1]}x{shape[2]} pixels; "
            "use a larger -image_size or earlier layers"
        )
    return size


def _across(pair: tuple[int, int], separator: str = ",") -> str:
    """A (vertical, horizontal) pair as text in Torch7's order, horizontal first."""
    return f"{pair[1]}{separator}{pair[0]}"


def _padding(window: Window) -> str:
    return f", {_across(window.padding)}" if window.padding != (0, 0) else ""


def _window(window: Window) -> str:
    return f"{_across(window.kernel, 'x')}, {_across(window.stride)}{_padding(window)}"
