"""Runs transform networks with PyTorch."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from core.arithmetic.cores import available_cores
from core.errors import DeviceError, TransformError
from core.transform.onnx.session import first_line
from core.transform.pixels import NetworkFormat
from core.transform.runners import Batch


class TorchRunner:
    """A PyTorch module on the CPU or one GPU."""

    def __init__(
        self, module: nn.Sequential, network_format: NetworkFormat, device: torch.device, threads: int = 0
    ) -> None:
        self.format = network_format
        self.description = f"PyTorch {torch.__version__}, {device}"
        self._module = module.to(device)
        self._device = device
        if device.type == "cpu":
            torch.set_num_threads(threads or available_cores())

    def run(self, batch: Batch) -> Batch:
        """float32 (N, 3, H, W) to (N, 3, H', W'). Raises: TransformError."""
        try:
            with torch.inference_mode():
                result = self._module(torch.from_numpy(batch).to(self._device)).cpu().numpy()
        except (RuntimeError, ValueError) as error:
            raise TransformError(f"the network cannot run on this picture: {first_line(error)}") from None
        return np.ascontiguousarray(result)


def torch_device(gpu: int, require_gpu: bool) -> tuple[torch.device, tuple[str, ...]]:
    """The device of flag -gpu, and a notice if it is the CPU although a GPU was asked for.

    Raises: DeviceError: there is no such GPU, or no GPU at all and require_gpu is set.
    """
    if gpu < 0:
        if require_gpu:
            raise DeviceError("-require_gpu 1 needs -gpu 0 (or another number); -gpu -1 means the CPU")
        return torch.device("cpu"), ()
    if torch.cuda.is_available():
        if gpu >= torch.cuda.device_count():
            raise DeviceError(
                f"-gpu {gpu}: this machine has {torch.cuda.device_count()} GPUs, counted from 0"
            )
        return torch.device(f"cuda:{gpu}"), ()
    if require_gpu:
        raise DeviceError(f"-gpu {gpu}: PyTorch finds no GPU; stopped because of -require_gpu 1")
    return torch.device("cpu"), (f"NOT ON THE GPU. -gpu {gpu}: PyTorch finds no GPU. Running on the CPU",)
