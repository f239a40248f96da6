"""One OpenCL device with its queue, compiled kernels and float32 arrays."""

from __future__ import annotations

import math
import warnings
from collections import deque
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyopencl as cl
from numpy.typing import NDArray

from core.arithmetic.opencl.tiling import choose_tilings
from core.errors import DeviceError

KERNELS = Path(__file__).parent / "kernels"
OPTIONS = ("-cl-std=CL1.2", "-cl-fp32-correctly-rounded-divide-sqrt")
LARGEST = 2**31 - 1  # elements of an array: kernels count in 32-bit integers
AHEAD = 4  # kernels queued behind the one that runs
GROUP = 64  # work items of a group in element-wise kernels

Float32 = NDArray[np.float32]


class Engine:
    """See the module; ``name`` is the device's.

    Every command goes into one queue and runs in order. Only a few are queued ahead, since a device frees no
    array before the last command that uses it has run.
    """

    def __init__(self, device: Any) -> None:
        self.device = device
        self.is_cpu = bool(device.type & cl.device_type.CPU)
        self.context = cl.Context([device])
        self.queue = cl.CommandQueue(self.context)
        self.plain_tiling, self.double_tiling = choose_tilings(device, self.is_cpu)
        self._running: deque[Any] = deque()
        self._kernels: dict[tuple[str, ...], Any] = {}
        self._tables: dict[Any, Any] = {}

    def kernel(self, name: str, *files: str, macros: tuple[str, ...] = ()) -> Any:
        """The kernel ``name`` of ``files``, compiled at its first use."""
        key = (name, *files, *macros)
        if key not in self._kernels:
            source = "\n".join(_source(file) for file in files)
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", cl.CompilerWarning)  # what a driver says of its success
                    program = cl.Program(self.context, source).build([*OPTIONS, *macros])
            except cl.Error as error:
                raise DeviceError(f"{self.device.name}: its OpenCL compiler failed: {error}") from None
            self._kernels[key] = cl.Kernel(program, name)
        return self._kernels[key]

    def run(self, kernel: Any, groups: tuple[int, ...], group: tuple[int, ...], *arguments: Any) -> None:
        """Queue a kernel; Python's numbers become int32 and float32, arrays and buffers pointers."""
        sizes = tuple(count * size for count, size in zip(groups, group, strict=True))
        try:
            self._running.append(kernel(self.queue, sizes, group, *map(_argument, arguments)))
            if len(self._running) > AHEAD:
                self._running.popleft().wait()
        except (cl.Error, MemoryError) as error:
            raise self._failure(error) from None

    def each(self, name: str, size: int, *arguments: Any, file: str = "elementwise") -> None:
        """Queue a kernel with one work item for each of ``size`` elements."""
        if size:
            self.run(self.kernel(name, file), (-(-size // GROUP),), (GROUP,), *arguments)

    def empty(self, shape: tuple[int, ...]) -> DeviceArray:
        """An uninitialised array. Raises: DeviceError where the device has no room for it."""
        return DeviceArray(self, self.buffer(math.prod(shape)), tuple(shape))

    def buffer(self, elements: int) -> Any:
        """Memory for so many floats."""
        if elements > LARGEST or 4 * elements > self.device.max_mem_alloc_size:
            raise DeviceError(
                f"{self.device.name} has no arrays of {4 * elements >> 20} MiB; lower -image_size"
            )
        try:
            return cl.Buffer(self.context, cl.mem_flags.READ_WRITE, max(4, 4 * elements))
        except (cl.Error, MemoryError) as error:
            raise self._failure(error) from None

    def upload(self, values: NDArray[np.float32]) -> DeviceArray:
        """A copy of ``values`` on the device."""
        values = np.ascontiguousarray(values, np.float32)
        array = self.empty(values.shape)
        if values.size:
            cl.enqueue_copy(self.queue, array.buffer, values)
        return array

    def download(self, array: DeviceArray, wait: bool = True) -> tuple[Float32, Any]:
        """A copy on the host, and the event after which it is complete (at once with ``wait``)."""
        values = np.empty(array.shape, np.float32)
        try:
            event = cl.enqueue_copy(self.queue, values, array.buffer, is_blocking=wait)
        except (cl.Error, MemoryError) as error:
            raise self._failure(error) from None
        return values, event

    def table(self, key: Any, make: Callable[[], NDArray[Any]]) -> Any:
        """A constant table on the device, made and kept at its first use."""
        if key not in self._tables:
            values = np.ascontiguousarray(make())
            buffer = cl.Buffer(self.context, cl.mem_flags.READ_ONLY, max(4, values.nbytes))
            if values.size:
                cl.enqueue_copy(self.queue, buffer, values)
            self._tables[key] = buffer
        return self._tables[key]

    def _failure(self, error: Exception) -> DeviceError:
        return DeviceError(f"{self.device.name}: {error}; lower -image_size if its memory is full")


class DeviceArray:
    """A float32 array on a device, with the few operators that layers and optimisers use.

    Shapes must be equal; what needs more is done on the host.
    """

    def __init__(self, engine: Engine, buffer: Any, shape: tuple[int, ...]) -> None:
        self.engine, self.buffer, self.shape = engine, buffer, shape

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    def reshape(self, *shape: Any) -> DeviceArray:
        """The same memory in another shape, one side of which may be -1."""
        sizes = shape[0] if isinstance(shape[0], tuple) else shape
        if -1 in sizes:
            sizes = tuple(self.size // -math.prod(sizes) if side == -1 else side for side in sizes)
        return DeviceArray(self.engine, self.buffer, sizes)

    def sum(self, axis: int) -> DeviceArray:
        """NumPy's sum over one axis, made on the host."""
        return self.engine.upload(self.engine.download(self)[0].sum(axis))

    def __add__(self, other: DeviceArray) -> DeviceArray:
        return self._with("add", other)

    def __sub__(self, other: DeviceArray) -> DeviceArray:
        return self._with("subtract", other)

    def __mul__(self, other: DeviceArray) -> DeviceArray:
        return self._with("multiply", other)

    def __rsub__(self, minuend: float) -> DeviceArray:
        out = self.engine.empty(self.shape)
        self.engine.each("subtract_from", self.size, float(minuend), self, out, self.size)
        return out

    def __setitem__(self, where: Any, values: DeviceArray) -> None:
        """``x[...] = values``, the only form there is."""
        assert where is Ellipsis and values.shape == self.shape
        cl.enqueue_copy(self.engine.queue, self.buffer, values.buffer, byte_count=4 * self.size)

    def _with(self, operation: str, other: DeviceArray) -> DeviceArray:
        if other.shape != self.shape:
            ours, theirs = self.engine.download(self)[0], self.engine.download(other)[0]
            return self.engine.upload(getattr(np, operation)(ours, theirs))
        out = self.engine.empty(self.shape)
        self.engine.each(operation, self.size, self, other, out, self.size)
        return out


@cache
def _source(file: str) -> str:
    return (KERNELS / f"{file}.cl").read_text()


def _argument(value: Any) -> Any:
    if isinstance(value, DeviceArray):
        return value.buffer
    if isinstance(value, int):
        return np.int32(value)
    return np.float32(value) if isinstance(value, float) else value
