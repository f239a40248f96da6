"""Training by several processes started by ``torchrun``, each with its part of every batch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from core.errors import DeviceError
from core.training.data.batches import Batch
from core.transform.torch_runner import torch_device


class Part(NamedTuple):
    """The pictures of a batch for one process.

    pictures: how many of them count. It is 0 if there are too few for all processes; the process then runs
    one picture that does not count, to stay in step.
    """

    batch: Batch
    pictures: int


@dataclass(frozen=True)
class Group:
    """The processes of one training; only ``rank`` 0 logs and writes files."""

    rank: int = 0
    size: int = 1

    def part(self, batch: Batch) -> Part:
        """This process's part of a batch: every ``size``-th picture."""
        if self.size == 1:
            return Part(batch, len(batch.x))
        some = slice(self.rank, None, self.size) if self.rank < len(batch.x) else slice(1)
        x = batch.x[some]
        y = x if batch.y is batch.x else batch.y[some]
        return Part(Batch(x, y), len(x) if self.rank < len(batch.x) else 0)

    def summed(self, values: Tensor) -> Tensor:
        """The sum over all processes."""
        if self.size > 1:
            distributed.all_reduce(values)
        return values

    def any(self, value: bool) -> bool:
        """Whether ``value`` is true in any process."""
        return bool(self.summed(torch.tensor(float(value))).item()) if self.size > 1 else value

    def wrapped(self, module: nn.Module, device: torch.device) -> nn.Module:
        """The module with gradients averaged over all processes.

        Raises: DeviceError: batch normalisation on CPUs; PyTorch cannot combine its statistics there.
        """
        if self.size == 1:
            return module
        if device.type == "cpu" and any(isinstance(layer, nn.BatchNorm2d) for layer in module.modules()):
            raise DeviceError(
                "batch normalisation cannot be trained by several processes on CPUs: use "
                "-use_instance_norm 1, one process, or GPUs"
            )
        module = nn.SyncBatchNorm.convert_sync_batchnorm(module)  # type: ignore[no-untyped-call]
        return DistributedDataParallel(module, forward_sync_buffers=False)


@contextmanager
def joined(gpu: int) -> Iterator[tuple[Group, torch.device, tuple[str, ...]]]:
    """The group of processes started by torchrun (or this process alone), its device and notices.

    gpu: the flag -gpu; with several processes, each uses the GPU of its local rank.
    Raises: DeviceError.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Group(), *torch_device(gpu, require_gpu=False)
        return
    on_gpu = gpu >= 0 and torch.cuda.is_available()
    device, notices = torch_device(int(os.environ["LOCAL_RANK"]) if on_gpu else gpu, require_gpu=False)
    if on_gpu:
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if on_gpu else "gloo")
    try:
        yield Group(distributed.get_rank(), distributed.get_world_size()), device, notices
    finally:
        distributed.destroy_process_group()
