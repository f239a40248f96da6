"""The flags of slow_neural_style.lua (813c834) as a frozen dataclass.

Numbers are floats, as in Lua.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from core.errors import SettingsError
from core.settings import checks
from core.settings.flags import flag
from core.settings.neural_style import (
    LARGEST,
    SINGLE_PRECISION,
    Numbers,
    Strings,
    check_png_text,
    format_number,
)
from core.settings.training import BACKENDS, PREPROCESSINGS, STYLE_TARGET_TYPES

SLOW_CHOICES = {
    "loss_type": ("L2", "SmoothL1"),
    "style_target_type": STYLE_TARGET_TYPES,
    "optimizer": ("lbfgs", "adam"),
    "preprocessing": PREPROCESSINGS,
    "backend": BACKENDS,
}
SLOW_LARGEST = {
    **{"image_size": 1 << 24, "style_image_size": 1 << 24},
    **{"threads": LARGEST["threads"], "learning_rate": SINGLE_PRECISION},
}


@dataclass(frozen=True)
class SlowSettings:
    """The flags of one run: a picture made by optimisation with the losses of train.lua."""

    content_image: str = flag("images/content/chicago.jpg", "Content target image", path=True, fixed=True)
    style_image: str = flag("images/styles/starry_night.jpg", "Style target image", path=True)
    image_size: float = flag(512.0, "Longer side of the result")
    loss_network: str = flag("models/vgg16.t7", "The loss network", path=True, fixed=True)
    tv_strength: float = flag(1e-6, "Strength of total variation smoothing")
    loss_type: str = flag("L2", "L2|SmoothL1")
    style_target_type: str = flag("gram", "gram|mean")
    content_weights: Numbers = flag((1.0,), "Weight of each content layer, or one for all", numbers=True)
    content_layers: Strings = flag(("16",), "Layers of the loss network for content")
    style_weights: Numbers = flag((5.0,), "Weight of each style layer, or one for all", numbers=True)
    style_layers: Strings = flag(("4", "9", "16", "23"), "Layers of the loss network for style")
    style_image_size: float = flag(512.0, "Longer side of the style image")
    deepdream_layers: Strings = flag((), "Layers whose activations are increased")
    deepdream_weights: Numbers = flag((), "Weight of each deepdream layer, or one for all", numbers=True)
    learning_rate: float = flag(1.0, "Step size")
    optimizer: str = flag("lbfgs", "lbfgs|adam")
    num_iterations: float = flag(500.0, "Evaluations of the network")
    output_image: str = flag("out.png", "The result; before it, -save_every saves out_50.png ...", path=True)
    print_every: float = flag(1.0, "Print the loss every this many iterations; 0: never")
    save_every: float = flag(50.0, "Save a picture every this many iterations; 0: only at the end")
    preprocessing: str = flag("vgg", "vgg|resnet")
    gpu: float = flag(-1.0, "GPU number from 0 on, or -1 for the CPU")
    backend: str = flag("cuda", "cuda|opencl")
    use_cudnn: float = flag(1.0, "0 turns cuDNN off on a GPU")
    seed: float = flag(-1.0, "Seed of the random start; negative: a new one each time", ours=True)
    threads: float = flag(0.0, "CPU threads; 0 means all cores", ours=True)
    png_text: float = flag(
        1.0, "0 writes PNG files without our text entry: the bytes of the original's files", ours=True
    )

    def replace(self, **changes: Any) -> SlowSettings:
        """A copy with some fields changed."""
        return replace(self, **changes)

    def validate(self) -> None:
        """Raises SettingsError for a value that makes the original fail or the result meaningless."""
        checks.choices(self, SLOW_CHOICES)
        checks.finite(self)
        checks.integers(self, "gpu", "seed", "print_every", "save_every")
        checks.positive(self, "image_size", "style_image_size", "num_iterations")
        checks.whole(self, "num_iterations", "threads")
        checks.at_most(self, SLOW_LARGEST)
        check_png_text(self.png_text)
        checks.files(self, "content_image", "style_image", "loss_network", "output_image")
        for kind in ("content", "style", "deepdream"):
            checks.weights(self, kind)
        if not (self.content_layers or self.style_layers or self.deepdream_layers):
            raise SettingsError(
                "-content_layers, -style_layers and -deepdream_layers are all empty: "
                "there is nothing to optimise"
            )
        if self.gpu >= 0 and self.backend == "opencl":
            raise SettingsError("-backend opencl: PyTorch has no OpenCL; use -backend cuda, or -gpu -1")

    def notices(self) -> list[str]:
        """Sentences about flags with an unexpected effect."""
        if self.tv_strength < 0:
            return [
                f"-tv_strength {format_number(self.tv_strength)}: negative, so it is off, as in the original"
            ]
        return []
