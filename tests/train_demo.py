"""``make train-demo``: train on the bundled photos for some minutes, and check that the loss falls.

Trains on two photos; the third is held out. Fails if the held-out loss does not fall by FACTOR.
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from cli.train_fast_neural_style import main as train

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "out" / "train_demo"
CONFIG = ROOT / "configs" / "train_demo.yml"
TRAINED_ON, HELD_OUT = ("content_cat.jpg", "content_rocket.jpg"), ("content_coffee.jpg",)
FACTOR = 12.0  # measured: 21.5, docs/benchmarks.md


def make_crops(names: tuple[str, ...], folder: Path, count: int, size: int, seed: int) -> None:
    """Write square crops of the bundled photos, some mirrored or recoloured, of ``size`` pixels."""
    random = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        with Image.open(ROOT / "configs" / "images" / names[number % len(names)]) as photo:
            side = int(random.uniform(size, min(photo.size)))
            left, top = (int(random.integers(0, length - side + 1)) for length in photo.size)
            crop = photo.crop((left, top, left + side, top + side)).resize((size, size), Image.Resampling.BOX)
        pixels = np.asarray(crop.convert("RGB"))[:, :: random.choice((-1, 1))]
        Image.fromarray(np.ascontiguousarray(pixels[..., random.permutation(3)])).save(
            folder / f"{number:03}.png"
        )


def held_out_loss(checkpoint: Path) -> float:
    """The last validation loss of a training."""
    history: list[float] = json.loads(checkpoint.with_suffix(".json").read_text())["val_loss_history"]
    return float(history[-1])


def main() -> int:
    """Measure the untrained network, train, and compare the held-out losses."""
    make_crops(TRAINED_ON, FOLDER / "train", 200, 64, 1)
    make_crops(HELD_OUT, FOLDER / "val", 12, 64, 2)
    first = FOLDER / "first"
    once = ("-num_iterations", "1", "-checkpoint_every", "1", "-learning_rate", "1e-12")  # as it was made
    once += ("-checkpoint_name", str(first), "-log_file", str(FOLDER / "first.csv"), "-export_onnx", "0")
    for more in (once, ()):
        if status := train(["-config", str(CONFIG), *more]):
            return status
    before, after = held_out_loss(first), held_out_loss(FOLDER / "swirls")
    draw_losses(FOLDER / "losses.csv", FOLDER / "losses.png")
    print(f"held-out loss: {before:.4g} untrained, {after:.4g} trained: {before / after:.1f} times less")
    print(f"the network: {FOLDER / 'swirls.onnx'}; pictures: {FOLDER}/swirls_sample_*.png; curve: losses.png")
    return 0 if before / after >= FACTOR else 1


def draw_losses(source: Path, target: Path) -> None:
    """Plot all losses of a training's CSV file on logarithmic axes."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    with source.open() as file:
        rows = list(csv.DictReader(file))
    figure, axes = pyplot.subplots(figsize=(8, 5), layout="constrained")
    for name in rows[0]:
        if name == "loss" or name.startswith(("content", "style", "pixel")):
            axes.loglog(
                [float(row["iteration"]) for row in rows], [float(row[name]) for row in rows], label=name
            )
    axes.set(xlabel="iteration", ylabel="loss, weights included")
    axes.legend(frameon=False)
    figure.savefig(target, dpi=120)
    pyplot.close(figure)


if __name__ == "__main__":
    sys.exit(main())
