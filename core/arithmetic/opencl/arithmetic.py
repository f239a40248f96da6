"""Torch7's arithmetic on an OpenCL device: the pictures of -gpu -1, byte for byte.

Products, convolutions, pooling, element-wise work and dot products run on the device. On the host, with equal
bits: sums that are strictly sequential (losses and sums of absolute values), and what calls libm or
OpenBLAS's matrix-vector product (response normalisation, Tanh, Sigmoid, SoftMax, Linear). VGG's
convolutional part has none of the latter.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.arithmetic.opencl import convolution
from core.arithmetic.opencl.convolution import ConvolutionArrays
from core.arithmetic.opencl.device import check_exact
from core.arithmetic.opencl.engine import DeviceArray, Engine
from core.arithmetic.opencl.products import FROM_MATRIX, Left, Right, Shape, Start, multiply
from core.arithmetic.operations import Window, sequential_mean_square, sequential_sum
from core.arithmetic.torch7 import Torch7Arithmetic
from core.errors import NetworkError

LANES = 32  # of sdot and saxpy
DOT_GROUP = 256


class PendingLoss:
    """A loss that is summed on the host while the device goes on; ``float()`` waits for it."""

    def __init__(self, future: Future[float]) -> None:
        self._future = future

    def __float__(self) -> float:
        return self._future.result()


class OpenClArithmetic:
    """See :class:`core.arithmetic.operations.Arithmetic`; arrays are :class:`DeviceArray`.

    Args:
        device: from :meth:`core.arithmetic.opencl.device.Found.pick`.
        threads: of what runs on the host.

    Raises: DeviceError: the device does not compute exactly.
    """

    def __init__(self, device: Any, threads: int = 0) -> None:
        self.engine = Engine(device)
        self._host = Torch7Arithmetic(threads)
        self._adding = ThreadPoolExecutor(1)
        check_exact(self.engine)

    @property
    def memory(self) -> int:
        """Bytes of the device's memory."""
        return int(self.engine.device.global_mem_size)

    def array(self, values: NDArray[np.float32]) -> DeviceArray:
        return self.engine.upload(values)

    def receive(self, x: DeviceArray) -> DeviceArray:
        return x if x.engine is self.engine else self.engine.upload(x.engine.download(x)[0])

    def numpy(self, x: DeviceArray) -> NDArray[np.float32]:
        return x.engine.download(x)[0]

    def copy(self, x: DeviceArray) -> DeviceArray:
        out = self.engine.empty(x.shape)
        out[...] = x
        return out

    def zeros_like(self, x: DeviceArray) -> DeviceArray:
        out = self.engine.empty(x.shape)
        self.engine.each("fill", x.size, out, 0.0, x.size)
        return out

    def scaled(self, x: DeviceArray, factor: float) -> DeviceArray:
        out = self.engine.empty(x.shape)
        self.engine.each("scale", x.size, x, float(factor), out, x.size)
        return out

    def scale_(self, x: DeviceArray, factor: float) -> DeviceArray:
        self.engine.each("scale", x.size, x, float(factor), x, x.size)
        return x

    def scaled_sum_(self, x: DeviceArray, factor: float, y: DeviceArray) -> DeviceArray:
        self.engine.each("scaled_sum", x.size, x, float(factor), y, x.size)
        return x

    def divide_(self, x: DeviceArray, divisor: float) -> DeviceArray:
        self.engine.each("divide", x.size, x, float(divisor), x.size)
        return x

    def axpy_(self, alpha: float, x: DeviceArray, y: DeviceArray) -> DeviceArray:
        self.engine.each("axpy", x.size, float(alpha), x, y, x.size)
        return y

    def dot(self, x: DeviceArray, y: DeviceArray) -> float:
        engine, size = self.engine, x.size
        group = min(1 if engine.is_cpu else DOT_GROUP, engine.device.max_work_group_size)
        kernel = engine.kernel("dot_product", "dot", macros=(f"-DGROUP={group}",))
        out = engine.empty((LANES,))
        engine.run(kernel, (1,), (group,), x, y, out, size // LANES * LANES, size)
        found = engine.download(out)[0]
        tail = sequential_sum(found[1 : 1 + size % LANES].astype(np.float64))
        return float(np.float32(tail + float(found[0])))

    def sum_abs(self, x: DeviceArray) -> float:
        """On the host: a strict left-to-right sum in float64, which not every device has."""
        return self._host.sum_abs(self.numpy(x))

    def mean_squared_error(self, x: DeviceArray, target: DeviceArray) -> PendingLoss:
        """Its differences are taken now, before a later layer changes ``x``; the sum is made on the host."""
        values, event = self.engine.download(x - target, wait=False)
        self.engine.queue.flush()

        def add() -> float:
            event.wait()
            return sequential_mean_square(values)

        return PendingLoss(self._adding.submit(add))

    def convolution(
        self, weight: NDArray[np.float32], bias: NDArray[np.float32], groups: int
    ) -> ConvolutionArrays:
        if groups != 1:
            raise NetworkError(
                "a grouped convolution cannot run in exact arithmetic; use -backend cudnn -arithmetic native"
            )
        return convolution.prepare(self.engine, weight, bias)

    def convolve(self, x: DeviceArray, parameters: ConvolutionArrays, window: Window) -> DeviceArray:
        return convolution.convolve(self.engine, x, parameters, window)

    def convolve_backward(
        self, grad: DeviceArray, parameters: ConvolutionArrays, window: Window, x: DeviceArray
    ) -> DeviceArray:
        return convolution.convolve_backward(self.engine, grad, parameters, window, x.shape)

    def relu_(self, x: DeviceArray) -> DeviceArray:
        self.engine.each("relu", x.size, x, x.size)
        return x

    def mask_(self, grad: DeviceArray, output: DeviceArray) -> DeviceArray:
        self.engine.each("mask", grad.size, grad, output, grad.size)
        return grad

    def max_pool(self, x: DeviceArray, window: Window) -> tuple[DeviceArray, Any]:
        size = window.output_size(*x.shape[1:], ceil=True)
        out = self.engine.empty((x.shape[0], *size))
        where = self.engine.buffer(out.size)
        self._pool("max_pool", out.size, (x, out, where), x, out, window)
        return out, where

    def max_pool_backward(self, grad: DeviceArray, where: Any, x: DeviceArray, window: Window) -> DeviceArray:
        out = self.engine.empty(x.shape)
        self._pool("max_pool_backward", x.size, (grad, where, out), x, grad, window)
        return out

    def average_pool(self, x: DeviceArray, window: Window, ceil: bool) -> DeviceArray:
        out = self.engine.empty((x.shape[0], *window.output_size(*x.shape[1:], ceil=ceil)))
        self._pool("average_pool", out.size, (x, out), x, out, window)
        return out

    def average_pool_backward(
        self, grad: DeviceArray, x: DeviceArray, window: Window, ceil: bool
    ) -> DeviceArray:
        out = self.engine.empty(x.shape)
        self._pool("average_pool_backward", x.size, (grad, out), x, grad, window)
        return out

    def response_norm(
        self, x: DeviceArray, size: int, alpha: float, beta: float, k: float
    ) -> tuple[DeviceArray, DeviceArray]:
        """On the host: Torch7 calls the C library's powf, and OpenCL's pow has other bits."""
        out, scale = self._host.response_norm(self.numpy(x), size, alpha, beta, k)
        return self.array(out), self.array(scale)

    def response_norm_backward(
        self,
        grad: DeviceArray,
        x: DeviceArray,
        output: DeviceArray,
        scale: DeviceArray,
        size: int,
        alpha: float,
        beta: float,
    ) -> DeviceArray:
        backward = partial(self._host.response_norm_backward, size=size, alpha=alpha, beta=beta)
        return self._on_host(backward, grad, x, output, scale)

    def linear(self, x: DeviceArray, weight: DeviceArray, bias: DeviceArray) -> DeviceArray:
        """On the host, as the order of OpenBLAS's matrix-vector product is not known element by element."""
        return self._on_host(self._host.linear, x, weight, bias)

    def linear_backward(self, grad: DeviceArray, weight: DeviceArray) -> DeviceArray:
        return self._on_host(self._host.linear_backward, grad, weight)

    def tanh(self, x: DeviceArray) -> DeviceArray:
        return self._on_host(self._host.tanh, x)

    def sigmoid(self, x: DeviceArray) -> DeviceArray:
        return self._on_host(self._host.sigmoid, x)

    def softmax(self, x: DeviceArray) -> DeviceArray:
        return self._on_host(self._host.softmax, x)

    def gram(self, x: DeviceArray) -> DeviceArray:
        channels, positions = x.shape[0], x.size // x.shape[0]
        out = self.engine.empty((channels, channels))
        left, right = Left(x, "DEPTH", row=positions), Right(x, depth=1, column=positions)
        multiply(self.engine, left, right, Shape(channels, channels, positions), out)
        return out

    def gram_backward(self, x: DeviceArray, grad: DeviceArray) -> DeviceArray:
        channels, positions = x.shape[0], x.size // x.shape[0]
        left, shape = Left(x, "ROWS", depth=positions), Shape(positions, channels, channels)
        first, out = self.engine.empty(x.shape), self.engine.empty(x.shape)
        multiply(self.engine, left, Right(grad, depth=1, column=channels), shape, first)
        transposed = Right(grad, depth=channels, column=1)
        multiply(self.engine, left, transposed, shape, out, Start(FROM_MATRIX, first))
        return out

    def total_variation(self, x: DeviceArray) -> DeviceArray:
        out = self.engine.empty(x.shape)
        self.engine.each("total_variation", x.size, x, out, *x.shape[1:], x.size)
        return out

    def adam_step_(
        self, x: DeviceArray, m: DeviceArray, v: DeviceArray, g: DeviceArray, beta2: float, step: float
    ) -> None:
        """Kept: 1e-8 is added before the bias correction, which sits in ``step`` (optim.adam)."""
        self.engine.each("adam", x.size, x, m, v, g, float(beta2), float(1 - beta2), float(-step), x.size)

    def _pool(
        self, name: str, items: int, arrays: tuple[Any, ...], x: DeviceArray, out: DeviceArray, window: Window
    ) -> None:
        sizes = (*x.shape, *out.shape[1:], *window.kernel, *window.stride, *window.padding)
        self.engine.each(name, items, *arrays, *sizes, file="pooling")

    def _on_host(self, function: Callable[..., NDArray[np.float32]], *arrays: DeviceArray) -> DeviceArray:
        return self.array(function(*map(self.numpy, arrays)))
