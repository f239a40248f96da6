"""The interface of training data: batches of pictures in a fixed order."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray


class Batch(NamedTuple):
    """Network inputs x and targets y, both uint8 (N, 3, H, W), RGB.

    y: the wanted outputs for super-resolution, the same pictures as x for style. The last batch of a pass may
    be smaller.
    """

    x: NDArray[np.uint8]
    y: NDArray[np.uint8]


class Batches(Protocol):
    """Training and validation pictures. At the end of a pass the first picture follows again.

    The pictures are not shuffled, as in the original's loader.
    """

    @property
    def training_size(self) -> int:
        """The number of all training pictures, before -max_train limits them."""

    def training(self) -> Batch:
        """The next batch to train on."""

    def validation(self) -> Batch:
        """The next batch to validate with."""

    def rewind_validation(self) -> None:
        """Continue validation with the first batch."""

    def seek(self, iteration: int) -> None:
        """Go to the position of training after ``iteration`` batches; validation starts again."""

    @property
    def seconds_waited(self) -> float:
        """The seconds that training has waited for pictures."""

    def close(self) -> None:
        """Stop reading and close all files."""
