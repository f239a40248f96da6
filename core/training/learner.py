"""One step of training: losses, gradients and optimiser step, in one or more processes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from core.arithmetic.cores import available_cores
from core.settings.training import TrainSettings
from core.training.adam import Torch7Adam
from core.training.checkpoints import TrainingState
from core.training.data.batches import Batch
from core.training.distributed import Group
from core.training.history import History
from core.training.loss import Encoder, Losses, TrainingLoss
from core.training.network_start import Start
from core.transform.networks.layers import TotalVariation
from core.transform.pixels import FORMATS

TAIL = 3  # the last modules: tanh, constant, total variation


class MixedNetwork(nn.Module):
    """A transform network whose convolutions may run in 16 bits; the result is always float32."""

    def __init__(self, network: nn.Sequential, dtype: torch.dtype) -> None:
        super().__init__()
        self.body, self.tail = network[:-TAIL], network[-TAIL:]
        self._dtype = dtype

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) to (N, 3, H', W')."""
        with torch.autocast(x.device.type, self._dtype, enabled=self._dtype != torch.float32):
            x = self.body(x)
        result: Tensor = self.tail(x.float())
        return result


class Learner:
    """Network, losses and optimiser of a training.

    start: the network, which is changed in place.  resumed: the state of an earlier training to continue.
    """

    def __init__(
        self,
        settings: TrainSettings,
        start: Start,
        device: torch.device,
        group: Group,
        resumed: TrainingState | None = None,
    ) -> None:
        self.start = start
        start.network.requires_grad_(True).train().to(device)
        for layer in start.network.modules():
            if isinstance(layer, nn.ReLU):
                layer.inplace = False  # in-place ReLU after instance normalisation makes autograd copy
        self.adam = Torch7Adam(start.network.parameters(), settings.learning_rate, settings.weight_decay)
        self._device, self._group, self._dtype = device, group, number_format(settings.precision, device)
        self.scaler = torch.amp.GradScaler(device.type, enabled=self._dtype == torch.float16)
        if resumed:
            self.adam.restore(resumed.adam)
            self.scaler.load_state_dict(resumed.scaler)
        self.loss = TrainingLoss(settings, device)
        self._encode = Encoder(FORMATS[settings.preprocessing]).to(device)
        self._crops = settings.padding_type == "none"
        mixed = MixedNetwork(start.network, self._dtype)
        self._network = group.wrapped(mixed, device)
        self._smoothing = next(layer for layer in start.network if isinstance(layer, TotalVariation))

    def state(self, history: History) -> TrainingState:
        """The state from which the training can be continued."""
        return TrainingState(self.start, self.adam.state_of_training(), history, self.scaler.state_dict())

    def largest_weight(self) -> float:
        """The largest absolute weight; NaN if any weight is NaN."""
        largest = [weights.detach().abs().max() for weights in self.start.network.parameters()]
        return float(torch.stack(largest).max())

    def fit(self, batches: Sequence[Batch]) -> dict[str, float]:
        """Make one step with the mean gradient over all pictures of the batches; returns the loss's parts."""
        self.adam.zero_grad(set_to_none=True)
        pictures = sum(len(batch.x) for batch in batches)
        parts = torch.zeros(len(self.loss.names), device=self._device)
        for number, batch in enumerate(batches, 1):
            mine = self._group.part(batch)
            share = mine.pictures / pictures
            self._smooth(mine.pictures > 0)
            with self._gathering_at(number == len(batches)):
                losses = self._losses(self._network, mine.batch)
                loss = self.scaler.scale(losses.total * (share * self._group.size))
                loss.backward()  # type: ignore[no-untyped-call]
            parts += losses.parts * share
        self.scaler.step(self.adam)
        self.scaler.update()
        return self._named(parts)

    @torch.no_grad()
    def evaluate(self, batch: Batch) -> dict[str, float]:
        """The parts of a batch's loss in evaluation mode."""
        network = self.start.network.eval()
        mine = self._group.part(batch)
        losses = self._losses(MixedNetwork(network, self._dtype), mine.batch)
        network.train()
        return self._named(losses.parts * (mine.pictures / len(batch.x)))

    def _losses(self, network: nn.Module, batch: Batch) -> Losses:
        x = self._encode(self._moved(batch.x))
        y = x if batch.y is batch.x else self._encode(self._moved(batch.y))
        output = network(x)
        if self._crops:
            top, left = (
                (side - inner) // 2 for side, inner in zip(x.shape[2:], output.shape[2:], strict=True)
            )
            y = y[:, :, top : y.shape[2] - top, left : y.shape[3] - left]
        with torch.autocast(self._device.type, self._dtype, enabled=self._dtype != torch.float32):
            losses: Losses = self.loss(output, y)
        return losses

    def _moved(self, pictures: Any) -> Tensor:
        tensor = torch.from_numpy(pictures)
        if self._device.type == "cuda":  # copies from pinned memory do not block the CPU
            tensor = tensor.pin_memory()
        return tensor.to(self._device, non_blocking=True)

    def _smooth(self, counts: bool) -> None:
        """Set the total variation strength so that it cancels the scaling of the loss.

        Total variation adds its own gradient, summed over pictures, which must not be scaled with the loss.
        """
        strength = self.start.architecture.tv_strength * self.scaler.get_scale() * self._group.size
        self._smoothing.strength = strength if counts else 0.0

    def _gathering_at(self, last: bool) -> AbstractContextManager[Any]:
        """Let processes exchange gradients only with the last batch of a step."""
        if isinstance(self._network, DistributedDataParallel) and not last:
            return self._network.no_sync()
        return nullcontext()

    def _named(self, parts: Tensor) -> dict[str, float]:
        return dict(zip(self.loss.names, self._group.summed(parts).tolist(), strict=True))


def number_format(precision: str, device: torch.device) -> torch.dtype:
    """The dtype of convolutions; float16 only on a GPU without bfloat16."""
    if precision == "full":
        return torch.float32
    if device.type == "cuda" and not torch.cuda.is_bf16_supported():
        return torch.float16
    return torch.bfloat16


def prepare_device(settings: TrainSettings, device: torch.device, group: Group) -> None:
    """Set PyTorch's options for the whole process."""
    if device.type == "cpu":
        torch.set_num_threads(int(settings.threads) or max(1, available_cores() // group.size))
        return
    torch.backends.cudnn.enabled = settings.use_cudnn == 1
    torch.backends.cudnn.benchmark = True  # all batches have one size; the original sets this too
    torch.backends.cudnn.allow_tf32 = settings.precision != "full"
