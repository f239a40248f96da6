"""The interface of a network that is ready to run, and its implementation for ONNX Runtime.

The implementation for PyTorch is in ``torch_runner``. This module does not import PyTorch: the import takes
longer than ONNX Runtime needs for a picture.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from core.errors import TransformError
from core.transform.onnx.session import CPU, SHORT, OpenedSession, first_line
from core.transform.pixels import NetworkFormat

Batch = NDArray[np.float32]


class Runner(Protocol):
    """A network that is ready to run.

    format: the format of its input and output.  description: runtime and device, to show to the user.
    """

    format: NetworkFormat
    description: str

    def run(self, batch: Batch) -> Batch:
        """float32 (N, 3, H, W) to (N, 3, H', W'). Raises: TransformError."""
        ...


class OnnxRunner:
    """A session of ONNX Runtime. Converts to and from the layout and element type of the model."""

    def __init__(self, opened: OpenedSession, network_format: NetworkFormat) -> None:
        self.format = network_format
        self.provider = opened.provider
        self.description = f"ONNX Runtime {opened.version}, {SHORT.get(opened.provider, opened.provider)}"
        self._session = opened.session
        self._input = opened.session.get_inputs()[0].name
        self._output = opened.session.get_outputs()[0].name

    def run(self, batch: Batch) -> Batch:
        """float32 (N, 3, H, W) to (N, 3, H', W'). Raises: TransformError."""
        values = self._encoded(batch)
        try:
            if self.provider == CPU:
                result = self._session.run([self._output], {self._input: values})[0]
            else:
                result = self._run_bound(values)
        except Exception as error:  # ONNX Runtime's exceptions share no more specific base class
            raise TransformError(f"the network cannot run on this picture: {first_line(error)}") from None
        return self._decoded(result)

    def _run_bound(self, values: NDArray[Any]) -> NDArray[Any]:
        """Run with IO binding: one copy to the GPU and one back, without staging in pageable memory."""
        binding = self._session.io_binding()
        binding.bind_cpu_input(self._input, values)
        binding.bind_output(self._output, "cpu")
        self._session.run_with_iobinding(binding)
        result: NDArray[Any] = binding.copy_outputs_to_cpu()[0]
        return result

    def _encoded(self, batch: Batch) -> NDArray[Any]:
        values: NDArray[Any] = batch
        if self.format.layout == "nhwc":
            values = batch.transpose(0, 2, 3, 1)
        if self.format.dtype == "uint8":
            values = np.clip(np.rint(values), 0, 255)
        return np.ascontiguousarray(values, self.format.dtype)

    def _decoded(self, result: NDArray[Any]) -> Batch:
        if self.format.layout == "nhwc":
            result = result.transpose(0, 3, 1, 2)
        if result.ndim != 4 or result.shape[1] != 3:
            raise TransformError(
                f"the network's result has shape {result.shape}, not that of pictures with 3 channels"
            )
        return np.ascontiguousarray(result, np.float32)
