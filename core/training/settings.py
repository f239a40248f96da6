"""The flags of train.lua and slow_neural_style.lua (813c834) as frozen dataclasses.

Numbers are floats, as in Lua.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from core.errors import SettingsError
from core.flags import flag
from core.settings import Numbers, Strings, format_number

ARCHITECTURE = "c9s1-32,d64,d128,R128,R128,R128,R128,R128,u64,u32,c9s1-3"
STYLE_TARGET_TYPES = ("gram", "mean")
PREPROCESSINGS = ("vgg", "resnet")
BACKENDS = ("cuda", "opencl")
TRAIN_CHOICES = {
    "task": ("style", "upsample"),
    "padding_type": ("zero", "reflect", "replicate", "none", "reflect-start"),
    "preprocessing": PREPROCESSINGS,
    "style_target_type": STYLE_TARGET_TYPES,
    "backend": BACKENDS,
}
SLOW_CHOICES = {
    "loss_type": ("L2", "SmoothL1"),
    "style_target_type": STYLE_TARGET_TYPES,
    "preprocessing": PREPROCESSINGS,
    "backend": BACKENDS,
}
PIXEL_LOSS_TYPES = ("L2", "L1", "SmoothL1")


@dataclass(frozen=True)
class TrainSettings:
    """One training of a network. Switches are numbers as in the original: 0 is off."""

    arch: str = flag(ARCHITECTURE, "Layers of the network, as letters and numbers")
    use_instance_norm: float = flag(1.0, "0 takes batch normalisation")
    task: str = flag("style", "style|upsample")
    h5_file: str = flag("data/ms-coco-256.h5", "Training and validation pictures", path=True)
    padding_type: str = flag("reflect-start", "zero|reflect|replicate|none|reflect-start")
    tanh_constant: float = flag(150.0, "Range of the output: plus and minus this number")
    preprocessing: str = flag("vgg", "vgg|resnet")
    resume_from_checkpoint: str = flag("", "Go on with the network of this checkpoint", path=True)
    pixel_loss_type: str = flag("L2", "L2|L1|SmoothL1")
    pixel_loss_weight: float = flag(0.0, "Strength of the pixel loss; 0 turns it off")
    percep_loss_weight: float = flag(1.0, "Strength of the perceptual loss")
    tv_strength: float = flag(1e-6, "Strength of total variation smoothing")
    content_weights: Numbers = flag((1.0,), "Weight of each content layer, or one for all", numbers=True)
    content_layers: Strings = flag(("16",), "Layers of the loss network for content")
    loss_network: str = flag("models/vgg16.t7", "The loss network", path=True, fixed=True)
    style_image: str = flag("images/styles/candy.jpg", "Style target image", path=True)
    style_image_size: float = flag(256.0, "Longer side of the style image")
    style_weights: Numbers = flag((5.0,), "Weight of each style layer, or one for all", numbers=True)
    style_layers: Strings = flag(("4", "9", "16", "23"), "Layers of the loss network for style")
    style_target_type: str = flag("gram", "gram|mean")
    upsample_factor: float = flag(4.0, "With -task upsample: how much larger the output is")
    num_iterations: float = flag(40000.0, "Batches to train on")
    max_train: float = flag(-1.0, "Use the first so many pictures; -1 all")
    batch_size: float = flag(4.0, "Pictures in a batch")
    learning_rate: float = flag(1e-3, "Step size of ADAM")
    lr_decay_every: float = flag(-1.0, "Lower the step size every so many iterations; -1 never")
    lr_decay_factor: float = flag(0.5, "What the step size is multiplied by then")
    weight_decay: float = flag(0.0, "Has no effect, as in the original")
    checkpoint_name: str = flag("checkpoint", "Beginning of the checkpoints' names", path=True)
    checkpoint_every: float = flag(1000.0, "Validate and save every so many iterations")
    num_val_batches: float = flag(10.0, "Batches of a validation")
    gpu: float = flag(0.0, "GPU number from 0 on, or -1 for the CPU")
    use_cudnn: float = flag(1.0, "0 keeps it from using cuDNN on a GPU")
    backend: str = flag("cuda", "cuda|opencl")

    def replace(self, **changes: Any) -> TrainSettings:
        """A copy with some fields changed."""
        return replace(self, **changes)

    def validate(self) -> None:
        """Raises SettingsError for a value with which the original would fail."""
        _check_choices(self, TRAIN_CHOICES)
        _check_finite(self)
        _check_positive(
            self, "style_image_size", "upsample_factor", "num_iterations", "batch_size", "checkpoint_every"
        )
        _check_files(self, "h5_file", "loss_network", "style_image", "checkpoint_name")
        for kind in ("content", "style"):
            _check_weights(self, kind)
        if self.percep_loss_weight <= 0 and self.task == "style":
            raise SettingsError(
                f"-percep_loss_weight {format_number(self.percep_loss_weight)}: must be greater than 0 "
                "with -task style"
            )

    def notices(self) -> list[str]:
        """Sentences about flags that have no effect in this training, or not the one expected."""
        cases: Sequence[tuple[bool, str]] = (
            (self.weight_decay != 0, "-weight_decay has no effect, as in the original"),
            (
                self.pixel_loss_weight > 0 and self.pixel_loss_type not in PIXEL_LOSS_TYPES,
                f"-pixel_loss_type {self.pixel_loss_type}: is not one of {', '.join(PIXEL_LOSS_TYPES)} "
                "and turns the pixel loss off, as in the original",
            ),
            (
                bool(self.resume_from_checkpoint),
                "-resume_from_checkpoint: -arch, -padding_type, -tanh_constant and -tv_strength come from "
                "the checkpoint; the optimiser and the iterations start again",
            ),
        )
        return [sentence for applies, sentence in cases if applies]


@dataclass(frozen=True)
class SlowSettings:
    """One picture made by optimisation with the losses of the training."""

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
    deepdream_layers: Strings = flag((), "Layers whose activations are to grow")
    deepdream_weights: Numbers = flag((), "Weight of each of them, or one for all", numbers=True)
    learning_rate: float = flag(1.0, "Step size")
    optimizer: str = flag("lbfgs", "lbfgs|adam, or another of Torch's optim")
    num_iterations: float = flag(500.0, "Evaluations of the network")
    output_image: str = flag("out.png", "out.png stands for out_50.png, out_100.png ...", path=True)
    print_every: float = flag(1.0, "Print the loss every so many iterations")
    save_every: float = flag(50.0, "Save a picture every so many iterations")
    preprocessing: str = flag("vgg", "vgg|resnet")
    gpu: float = flag(-1.0, "GPU number from 0 on, or -1 for the CPU")
    backend: str = flag("cuda", "cuda|opencl")
    use_cudnn: float = flag(1.0, "0 keeps it from using cuDNN on a GPU")

    def replace(self, **changes: Any) -> SlowSettings:
        """A copy with some fields changed."""
        return replace(self, **changes)

    def validate(self) -> None:
        """Raises SettingsError for a value with which the original would fail."""
        _check_choices(self, SLOW_CHOICES)
        _check_finite(self)
        _check_positive(self, "image_size", "style_image_size", "num_iterations", "save_every")
        _check_files(self, "content_image", "style_image", "loss_network", "output_image")
        for kind in ("content", "style", "deepdream"):
            _check_weights(self, kind)

    def notices(self) -> list[str]:
        """Sentences about flags that do not do what one would expect."""
        if self.num_iterations < self.save_every:
            return ["-save_every is larger than -num_iterations: no picture is written, as in the original"]
        return []


def _check_choices(settings: object, choices: Mapping[str, tuple[str, ...]]) -> None:
    for name, known in choices.items():
        value = getattr(settings, name)
        if value not in known:
            raise SettingsError(f"-{name} {value}: must be one of {', '.join(known)}")


def _check_finite(settings: TrainSettings | SlowSettings) -> None:
    for item in fields(settings):
        value = getattr(settings, item.name)
        numbers = value if item.metadata["numbers"] else (value,) if isinstance(value, float) else ()
        if not all(map(math.isfinite, numbers)):
            raise SettingsError(f"-{item.name}: must be finite")


def _check_positive(settings: object, *names: str) -> None:
    for name in names:
        value = getattr(settings, name)
        if value <= 0:
            raise SettingsError(f"-{name} {format_number(value)}: must be greater than 0")


def _check_files(settings: object, *names: str) -> None:
    for name in names:
        if not getattr(settings, name):
            raise SettingsError(f"-{name}: no file is named")


def _check_weights(settings: object, kind: str) -> None:
    """Kept: one weight is repeated for all layers."""
    layers, weights = getattr(settings, f"{kind}_layers"), getattr(settings, f"{kind}_weights")
    if len(weights) != len(layers) and not (len(weights) == 1 and layers):
        raise SettingsError(
            f"-{kind}_weights and -{kind}_layers must have the same number of elements, or one weight: "
            f"{len(weights)} weights, {len(layers)} layers"
        )
