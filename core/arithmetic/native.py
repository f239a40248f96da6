"""The operations with PyTorch's kernels, on a CPU, a CUDA GPU or Apple's MPS.

Algorithm and quirks are those of :mod:`core.arithmetic.torch7`. The rounding is PyTorch's, so results differ
in the last bits. On a CPU feature maps are channels-last, which is faster for oneDNN's convolutions.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  (PyTorch's own convention)
from numpy.typing import NDArray
from torch import Tensor

from core.arithmetic.operations import Window, add_total_variation, sequential_mean_square

aten = torch.ops.aten


class ConvolutionTensors(NamedTuple):
    """weight: (nOut, nIn / groups, kh, kw); bias: (nOut,)."""

    weight: Tensor
    bias: Tensor
    groups: int


class NativeArithmetic:
    """See :class:`core.arithmetic.operations.Arithmetic`; arrays are float32 tensors on ``device``."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._format = torch.channels_last if device.type == "cpu" else torch.contiguous_format

    def array(self, values: NDArray[np.float32]) -> Tensor:
        return torch.tensor(values, dtype=torch.float32, device=self.device)

    def receive(self, x: Tensor) -> Tensor:
        return x.to(self.device)

    def numpy(self, x: Tensor) -> NDArray[np.float32]:
        return x.detach().cpu().contiguous().numpy().copy()

    def copy(self, x: Tensor) -> Tensor:
        return x.clone()

    def zeros_like(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x)

    def scaled(self, x: Tensor, factor: float) -> Tensor:
        return x * factor

    def scale_(self, x: Tensor, factor: float) -> Tensor:
        return x.mul_(factor)

    def scaled_sum_(self, x: Tensor, factor: float, y: Tensor) -> Tensor:
        return y.add_(x, alpha=factor)

    def divide_(self, x: Tensor, divisor: float) -> Tensor:
        return x.div_(divisor)

    def axpy_(self, alpha: float, x: Tensor, y: Tensor) -> Tensor:
        return y.add_(x, alpha=alpha)

    def dot(self, x: Tensor, y: Tensor) -> float:
        return float(torch.dot(x.reshape(-1), y.reshape(-1)))

    def sum_abs(self, x: Tensor) -> float:
        """A float64 sum. On MPS, which has no float64, a float32 sum."""
        wide = torch.float32 if self.device.type == "mps" else torch.float64
        return float(x.abs().sum(dtype=wide))

    def mean_squared_error(self, x: Tensor, target: Tensor) -> Tensor | float:
        """On a CPU the original's left-to-right sum, so printed losses agree. Elsewhere PyTorch's sum."""
        if self.device.type == "cpu":
            return sequential_mean_square((x - target).contiguous().numpy())
        return F.mse_loss(x, target)

    def convolution(
        self, weight: NDArray[np.float32], bias: NDArray[np.float32], groups: int
    ) -> ConvolutionTensors:
        weights = torch.empty(weight.shape, device=self.device, memory_format=self._format)
        weights.copy_(torch.tensor(weight))
        return ConvolutionTensors(weights, self.array(bias), groups)

    def convolve(self, x: Tensor, parameters: ConvolutionTensors, window: Window) -> Tensor:
        weight, bias, groups = parameters
        batch = _batch(x).contiguous(memory_format=self._format)
        return F.conv2d(batch, weight, bias, window.stride, window.padding, groups=groups)[0]

    def convolve_backward(
        self, grad: Tensor, parameters: ConvolutionTensors, window: Window, x: Tensor
    ) -> Tensor:
        """PyTorch's gradient of the input. Gradients of weights and bias are not computed."""
        batch = _batch(grad).contiguous(memory_format=self._format)
        grads: tuple[Tensor, ...] = aten.convolution_backward(
            batch, _batch(x).contiguous(memory_format=self._format), parameters.weight, None, window.stride,
            window.padding, (1, 1), False, (0, 0), parameters.groups, (True, False, False),
        )  # fmt: skip
        return grads[0][0]

    def relu_(self, x: Tensor) -> Tensor:
        return x.relu_()

    def mask_(self, grad: Tensor, output: Tensor) -> Tensor:
        masked: Tensor = aten.threshold_backward.grad_input(grad, output, 0, grad_input=grad)
        return masked

    def max_pool(self, x: Tensor, window: Window) -> tuple[Tensor, Tensor]:
        out, where = aten.max_pool2d_with_indices(
            _batch(x), window.kernel, window.stride, window.padding, (1, 1), True
        )
        return out[0], where

    def max_pool_backward(self, grad: Tensor, where: Tensor, x: Tensor, window: Window) -> Tensor:
        spread = self._empty(tuple(x.shape))
        aten.max_pool2d_with_indices_backward.grad_input(
            _batch(grad), _batch(x), window.kernel, window.stride, window.padding, (1, 1), True, where,
            grad_input=spread,
        )  # fmt: skip
        return spread[0]

    def average_pool(self, x: Tensor, window: Window, ceil: bool) -> Tensor:
        return F.avg_pool2d(_batch(x), window.kernel, window.stride, window.padding, ceil)[0]

    def average_pool_backward(self, grad: Tensor, x: Tensor, window: Window, ceil: bool) -> Tensor:
        spread: Tensor = aten.avg_pool2d_backward(
            _batch(grad), _batch(x), window.kernel, window.stride, window.padding, ceil, True, None
        )
        return spread[0]

    def response_norm(
        self, x: Tensor, size: int, alpha: float, beta: float, k: float
    ) -> tuple[Tensor, Tensor]:
        scale = _over_neighbours(x * x, size).mul_(alpha / size).add_(k)
        return x * scale.pow(-beta), scale

    def response_norm_backward(
        self, grad: Tensor, x: Tensor, output: Tensor, scale: Tensor, size: int, alpha: float, beta: float
    ) -> Tensor:
        total = _over_neighbours(grad * output / scale, size)
        return grad * scale.pow(-beta) - (2 * alpha * beta / size) * x * total

    def linear(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return F.linear(x, weight, bias)

    def linear_backward(self, grad: Tensor, weight: Tensor) -> Tensor:
        return weight.t() @ grad

    def tanh(self, x: Tensor) -> Tensor:
        return x.tanh()

    def sigmoid(self, x: Tensor) -> Tensor:
        return x.sigmoid()

    def softmax(self, x: Tensor) -> Tensor:
        return x.softmax(0)

    def gram(self, x: Tensor) -> Tensor:
        """Computed as the weight gradient of a 1x1 convolution, faster in oneDNN than a matrix product."""
        channels = x.shape[0]
        batch = _batch(x).contiguous(memory_format=self._format)
        like = torch.empty((channels, channels, 1, 1), device=self.device, memory_format=self._format)
        grads: tuple[Tensor, ...] = aten.convolution_backward(
            batch, batch, like, None, (1, 1), (0, 0), (1, 1), False, (0, 0), 1, (False, True, False)
        )
        return grads[1].reshape(channels, channels)

    def gram_backward(self, x: Tensor, grad: Tensor) -> Tensor:
        """``(grad + grad^T) F`` as one product. Torch7 computes two (grad is symmetric up to rounding)."""
        batch = _batch(x).contiguous(memory_format=self._format)
        both = (grad + grad.t())[:, :, None, None].contiguous(memory_format=self._format)
        return F.conv2d(batch, both)[0]

    def total_variation(self, x: Tensor) -> Tensor:
        gradient: Tensor = add_total_variation(x, torch.zeros_like(x))
        return gradient

    def adam_step_(self, x: Tensor, m: Tensor, v: Tensor, g: Tensor, beta2: float, step: float) -> None:
        v.mul_(beta2).addcmul_(g, g, value=1 - beta2)
        x.addcdiv_(m, v.sqrt().add_(1e-8), value=-step)

    def _empty(self, shape: tuple[int, ...]) -> Tensor:
        """An uninitialised (1, C, H, W) tensor in the memory format of this device."""
        return torch.empty((1, *shape), device=self.device, memory_format=self._format)


def _batch(x: Tensor) -> Tensor:
    """(C, H, W) as (1, C, H, W). Unlike unsqueeze, keeps strides that PyTorch recognises as channels-last."""
    return x.as_strided((1, *x.shape), (x.numel(), *x.stride()))


def _over_neighbours(x: Tensor, size: int) -> Tensor:
    """Sum over ``size`` adjacent channels around each channel."""
    before = (size - 1) // 2
    padded = F.pad(x, (0, 0, 0, 0, before, size - 1 - before))
    return padded.unfold(0, size, 1).sum(-1)
