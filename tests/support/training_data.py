"""Pictures in memory for trainings in tests. Run as a program, the module trains on such pictures."""

from __future__ import annotations

import sys
import types

import numpy as np

from core.settings.training import TrainSettings
from core.training.data.batches import Batch
from tests.conftest import ROOT

SMALL = TrainSettings(  # on the bundled loss network, where nothing of ../shared is needed
    arch="c3s1-4,d6,R6,R6,u4,c3s1-3",
    loss_network=str(ROOT / "vgg_models" / "vgg19_small.caffemodel"),
    content_layers=("relu1_2",),
    style_layers=("relu1_1", "relu2_1"),
    style_image=str(ROOT / "docs" / "images" / "style.jpg"),
    style_image_size=48.0,
    batch_size=2.0,
    num_val_batches=2.0,
    gpu=-1.0,
    seed=1.0,
    threads=1.0,
)


class MemoryBatches:
    """Batches from uint8 arrays (N, 3, H, W); ``targets`` are the high-resolution pictures."""

    seconds_waited = 0.0

    def __init__(self, training, validation, batch_size, max_train=-1, targets=None):
        self.training_size = len(training)
        self._training, self._validation, self._batch_size = training, validation, batch_size
        self._targets = training if targets is None else targets
        self._used = max_train if max_train > 0 else len(training)
        self._number = self._validation_number = 0

    def training(self):
        batch = self._cut(self._training, self._targets, self._used, self._number)
        self._number += 1
        return batch

    def validation(self):
        count = len(self._validation)
        batch = self._cut(self._validation, self._validation, count, self._validation_number)
        self._validation_number += 1
        return batch

    def rewind_validation(self):
        self._validation_number = 0

    def seek(self, iteration):
        self._number = iteration
        self.rewind_validation()

    def close(self):
        pass

    def _cut(self, x, y, count, number):
        first = number % -(-count // self._batch_size) * self._batch_size
        picked = x[first : min(first + self._batch_size, count)]
        if y is x:
            return Batch(picked, picked)
        return Batch(picked, y[first : min(first + self._batch_size, count)])


def pictures(count, side=32, seed=0):
    """Smooth coloured pictures, uint8 (count, 3, side, side)."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (count, 3, 4, 4))
    fine = coarse.repeat(side // 4, 2).repeat(side // 4, 3)
    return (fine + random.integers(-20, 20, fine.shape)).clip(0, 255).astype(np.uint8)


def batches_for(settings):
    """The same as core.training.data.open_batches, with generated pictures."""
    return MemoryBatches(pictures(7), pictures(3, seed=1), int(settings.batch_size), int(settings.max_train))


if __name__ == "__main__":
    data = types.ModuleType("core.training.data.open_batches")
    data.open_batches = batches_for
    sys.modules["core.training.data.open_batches"] = data
    from cli.train_fast_neural_style import main

    sys.exit(main())
