"""What a training is fed with: batches of pictures in a fixed order, from whatever holds them."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray


class Batch(NamedTuple):
    """Network inputs and, for super-resolution, what the outputs should be; for style the same pictures.

    Both uint8 (N, 3, H, W), R,G,B. A last batch of a pass may be smaller.
    """

    x: NDArray[np.uint8]
    y: NDArray[np.uint8]


class Batches(Protocol):
    """Training and validation pictures, each in its order, beginning again at the end of a pass.

    Not shuffled, as in the original's loader.
    """

    @property
    def training_size(self) -> int:
        """The number of pictures to train on, of which -max_train takes the first."""

    def training(self) -> Batch:
        """The next batch to train on."""

    def validation(self) -> Batch:
        """The next batch to validate with."""

    def rewind_validation(self) -> None:
        """Begin validation anew."""

    def seek(self, iteration: int) -> None:
        """Go to where training stands after so many batches; validation begins anew."""

    @property
    def seconds_waited(self) -> float:
        """How long training waited for pictures so far, in seconds."""

    def close(self) -> None:
        """End reading."""
