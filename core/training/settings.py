"""The flags of train.lua and slow_neural_style.lua (813c834) as frozen dataclasses.

Numbers are floats, as in Lua.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from core.errors import SettingsError
from core.flags import flag
from core.settings import Numbers, Strings, format_number
from core.training.checks import (
    check_choices,
    check_files,
    check_finite,
    check_integers,
    check_positive,
    check_weights,
    check_whole,
)

ARCHITECTURE = "c9s1-32,d64,d128,R128,R128,R128,R128,R128,u64,u32,c9s1-3"
STYLE_TARGET_TYPES = ("gram", "mean")
PREPROCESSINGS = ("vgg", "resnet")
BACKENDS = ("cuda", "opencl")
TRAIN_CHOICES = {
    "task": ("style", "upsample"),
    "padding_type": ("zero", "reflect", "replicate", "none", "reflect-start"),
    "preprocessing": PREPROCESSINGS,
    "pixel_loss_type": ("L2", "L1", "SmoothL1"),
    "style_target_type": STYLE_TARGET_TYPES,
    "backend": BACKENDS,
    "precision": ("full", "mixed"),
}
TRAIN_WHOLE = (
    *("num_iterations", "max_train", "batch_size", "checkpoint_every", "num_val_batches", "lr_decay_every"),
    *("gpu", "seed", "accumulate", "sample_every", "train_size", "workers", "threads", "upsample_factor"),
)
SLOW_CHOICES = {
    "loss_type": ("L2", "SmoothL1"),
    "style_target_type": STYLE_TARGET_TYPES,
    "optimizer": ("lbfgs", "adam"),
    "preprocessing": PREPROCESSINGS,
    "backend": BACKENDS,
}


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
    num_iterations: float = flag(40000.0, "Steps of the optimiser")
    max_train: float = flag(-1.0, "Use the first so many pictures; -1 all")
    batch_size: float = flag(4.0, "Pictures in a batch")
    learning_rate: float = flag(1e-3, "Step size of ADAM")
    lr_decay_every: float = flag(-1.0, "Lower the step size every so many iterations; -1 never")
    lr_decay_factor: float = flag(0.5, "What the step size is multiplied by then")
    weight_decay: float = flag(0.0, "Share of the weights that is added to their gradient")
    checkpoint_name: str = flag("checkpoint", "Beginning of the checkpoints' names", path=True)
    checkpoint_every: float = flag(1000.0, "Validate and save every so many iterations")
    num_val_batches: float = flag(10.0, "Batches of a validation")
    gpu: float = flag(0.0, "GPU number from 0 on, or -1 for the CPU")
    use_cudnn: float = flag(1.0, "0 keeps it from using cuDNN on a GPU")
    backend: str = flag("cuda", "cuda|opencl")
    train_dir: str = flag("", "Train on the pictures of this folder, not of -h5_file", ours=True, path=True)
    val_dir: str = flag("", "Validate with the pictures of this folder", ours=True, path=True)
    train_size: float = flag(256.0, "Side that the pictures of a folder are scaled to", ours=True)
    workers: float = flag(2.0, "Threads that load pictures", ours=True)
    seed: float = flag(-1.0, "Seed of the first weights; negative: a new one each time", ours=True)
    precision: str = flag("full", "full|mixed (16 bits where that is safe)", ours=True)
    accumulate: float = flag(1.0, "Batches whose gradients are averaged for one step", ours=True)
    log_file: str = flag("", "CSV file of all losses, one row an iteration", ours=True, path=True)
    tensorboard: str = flag("", "Folder of curves for TensorBoard", ours=True, path=True)
    sample_image: str = flag("", "Picture to stylise now and then", ours=True, path=True)
    sample_every: float = flag(500.0, "Stylise -sample_image every so many iterations", ours=True)
    export_onnx: float = flag(1.0, "1 writes the network as an ONNX file at the end", ours=True)
    threads: float = flag(0.0, "CPU threads; 0 means all cores", ours=True)

    def replace(self, **changes: Any) -> TrainSettings:
        """A copy with some fields changed."""
        return replace(self, **changes)

    def completed(self, given: Collection[str]) -> TrainSettings:
        """What other flags imply for those that were not given.

        Ours: -task upsample has no style image, and its default style layers crash the original.
        """
        if self.task == "upsample" and not {"style_layers", "style_weights"} & set(given):
            return self.replace(style_layers=(), style_weights=())
        return self

    def written(self) -> frozenset[str]:
        """The flags whose value is not the default: those given, as far as the values tell."""
        return frozenset(item.name for item in fields(self) if getattr(self, item.name) != item.default)

    def validate(self) -> None:
        """Raises SettingsError for a value with which the original would fail, or do something else."""
        check_choices(self, TRAIN_CHOICES)
        check_finite(self)
        check_integers(self, *TRAIN_WHOLE)
        check_positive(
            self,
            *("style_image_size", "upsample_factor", "num_iterations", "batch_size", "checkpoint_every"),
            *("accumulate", "sample_every", "train_size"),
        )
        check_whole(self, "num_val_batches", "workers", "threads")
        check_files(self, "loss_network", "style_image", "checkpoint_name")
        for kind in ("content", "style"):
            check_weights(self, kind)
        for sentence in self._impossible():
            raise SettingsError(sentence)

    def _impossible(self) -> Iterator[str]:
        """Combinations that the original breaks on, or trains something else with."""
        upsamples, layers = self.task == "upsample", (*self.content_layers, *self.style_layers)
        if not (self.train_dir or self.h5_file):
            yield "-h5_file and -train_dir: no pictures are named"
        if self.percep_loss_weight <= 0 and not upsamples:
            weight = format_number(self.percep_loss_weight)
            yield f"-percep_loss_weight {weight}: must be greater than 0 with -task style"
        if max(self.percep_loss_weight, self.pixel_loss_weight) <= 0:
            yield "-percep_loss_weight and -pixel_loss_weight are both 0: there is nothing to learn"
        if self.percep_loss_weight > 0 and not layers:
            yield "-content_layers and -style_layers are both empty; -percep_loss_weight 0 does without them"
        if upsamples and self.style_layers:
            yield "-style_layers: -task upsample has no style image; leave them out"
        if upsamples and self.padding_type == "none":
            yield "-padding_type none: crops the result, which -task upsample cannot compare; use zero"
        if self.backend == "opencl" and self.gpu >= 0:
            yield "-backend opencl: PyTorch has no OpenCL; use -backend cuda, or -gpu -1"

    def notices(self) -> list[str]:
        """Sentences about flags that have no effect in this training, or not the one expected."""
        cases: Sequence[tuple[bool, str]] = (
            (
                bool(self.resume_from_checkpoint),
                "-resume_from_checkpoint: -arch, -padding_type, -tanh_constant and, unless given, "
                "-tv_strength come from the checkpoint; the optimiser and the iterations start again",
            ),
            (
                bool(self.resume_from_checkpoint) and self.seed >= 0,
                "-seed has no effect with -resume_from_checkpoint",
            ),
            (
                self.sample_every != 500 and not self.sample_image,
                "-sample_every has no effect without -sample_image",
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
    optimizer: str = flag("lbfgs", "lbfgs|adam")
    num_iterations: float = flag(500.0, "Evaluations of the network")
    output_image: str = flag("out.png", "The result; on the way to it out_50.png, out_100.png ...", path=True)
    print_every: float = flag(1.0, "Print the loss every so many iterations; 0 never")
    save_every: float = flag(50.0, "Save a picture every so many iterations; 0 only at the end")
    preprocessing: str = flag("vgg", "vgg|resnet")
    gpu: float = flag(-1.0, "GPU number from 0 on, or -1 for the CPU")
    backend: str = flag("cuda", "cuda|opencl")
    use_cudnn: float = flag(1.0, "0 keeps it from using cuDNN on a GPU")
    seed: float = flag(-1.0, "Seed of the random start; negative: a new one each time", ours=True)
    threads: float = flag(0.0, "CPU threads; 0 means all cores", ours=True)

    def replace(self, **changes: Any) -> SlowSettings:
        """A copy with some fields changed."""
        return replace(self, **changes)

    def validate(self) -> None:
        """Raises SettingsError for a value with which the original would fail or the result mean nothing."""
        check_choices(self, SLOW_CHOICES)
        check_finite(self)
        check_positive(self, "image_size", "style_image_size", "num_iterations")
        check_whole(self, "num_iterations", "threads")
        check_files(self, "content_image", "style_image", "loss_network", "output_image")
        for kind in ("content", "style", "deepdream"):
            check_weights(self, kind)
        if not (self.content_layers or self.style_layers or self.deepdream_layers):
            raise SettingsError(
                "-content_layers, -style_layers and -deepdream_layers are all empty: "
                "there is nothing to optimise"
            )
        if self.gpu >= 0 and self.backend == "opencl":
            raise SettingsError("-backend opencl: PyTorch runs no OpenCL; use -backend cuda, or -gpu -1")

    def notices(self) -> list[str]:
        """Sentences about flags that do not do what one would expect."""
        if self.tv_strength < 0:
            return [
                f"-tv_strength {format_number(self.tv_strength)}: negative, so it is off, as in the original"
            ]
        return []
