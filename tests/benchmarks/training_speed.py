"""Time of one training iteration, compared with the passes of its two networks alone.

python -m tests.benchmarks.training_speed
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from core.settings.training import TrainSettings
from core.training.data.batches import Batch
from core.training.distributed import Group
from core.training.learner import Learner, prepare_device
from core.training.network_start import starting_network
from tests.benchmarks.timing import medians
from tests.conftest import ROOT

REPEATS = 9
CASES = ((64, 4), (128, 4), (256, 4))
SETTINGS = TrainSettings(
    arch="c9s1-16,d32,d64,R64,R64,R64,R64,R64,u32,u16,c9s1-3",
    loss_network=str(ROOT / "vgg_models" / "vgg19_small.caffemodel"),
    style_image=str(ROOT / "configs" / "images" / "style_swirls.jpg"),
    content_layers=("relu2_2",),
    style_layers=("relu1_2", "relu2_2", "relu3_3", "relu4_3"),
    gpu=-1.0,
    seed=1.0,
)


def iterations(size: int, count: int) -> dict[str, float]:
    """Seconds of a whole iteration, and of the bare passes, with ``count`` pictures of ``size`` pixels."""
    settings = SETTINGS.replace(train_size=float(size), batch_size=float(count))
    pictures = np.random.default_rng(0).integers(0, 256, (count, 3, size, size), np.uint8)
    batch = Batch(pictures, pictures)
    learner = Learner(settings, starting_network(settings, (), batch), torch.device("cpu"), Group())
    x = torch.from_numpy(pictures).float() - 116
    cases: dict[str, Callable[[], object]] = {
        "iteration": lambda: learner.fit([batch]),
        "bare": lambda: bare_passes(learner, x),
    }
    return medians(cases, REPEATS)


def bare_passes(learner: Learner, x: torch.Tensor) -> None:
    """Forward and backward of both networks, and the loss network's forward pass for the content targets."""
    network = learner.start.network
    network.zero_grad(set_to_none=True)
    loss_network = learner.loss.perceptual.network  # type: ignore[union-attr]
    with torch.no_grad():
        loss_network(x, ("relu2_2",))
    seen = loss_network(network(x))
    torch.autograd.backward(list(seen.values()), [torch.ones_like(value) for value in seen.values()])


def rows() -> list[str]:
    """One row a size."""
    prepare_device(SETTINGS, torch.device("cpu"), Group())
    lines = []
    for size, count in CASES:
        found = iterations(size, count)
        whole, bare = (f"{1000 * found[name]:.0f}" for name in ("iteration", "bare"))
        lines.append(
            f"| {size} px, batch {count} | {whole} | {bare} | {found['iteration'] / found['bare']:.2f} |"
        )
    return lines


def main() -> None:
    """Print the table."""
    print("| pictures | iteration, ms | bare passes, ms | ratio |")
    print("| --- | --- | --- | --- |")
    print("\n".join(rows()))
    print()
    print("On a GPU, in full and mixed precision: not measured; no GPU was available.")


if __name__ == "__main__":
    main()
