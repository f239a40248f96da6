"""The flags of train.lua (813c834) as a frozen dataclass.

Numbers are floats, as in Lua.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from core.errors import SettingsError
from core.settings import checks
from core.settings.flags import flag
from core.settings.neural_style import LARGEST, SINGLE_PRECISION, Numbers, Strings, format_number

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
TRAIN_LARGEST = {
    **{"workers": 256, "threads": LARGEST["threads"], "accumulate": 1 << 24, "train_size": 1 << 24},
    **{"style_image_size": 1 << 24, "learning_rate": SINGLE_PRECISION, "weight_decay": SINGLE_PRECISION},
}


@dataclass(frozen=True)
class TrainSettings:
    """The flags of one training. Switches are numbers, as in the original: 0 is off."""

    arch: str = flag(ARCHITECTURE, "Layers of the network, as letters and numbers")
    use_instance_norm: float = flag(1.0, "0 uses batch normalisation instead")
    task: str = flag("style", "style|upsample")
    h5_file: str = flag("data/ms-coco-256.h5", "Training and validation pictures", path=True)
    padding_type: str = flag("reflect-start", "zero|reflect|replicate|none|reflect-start")
    tanh_constant: float = flag(150.0, "Range of the output: plus and minus this number")
    preprocessing: str = flag("vgg", "vgg|resnet")
    resume_from_checkpoint: str = flag("", "Start from the network in this checkpoint", path=True)
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
    upsample_factor: float = flag(4.0, "With -task upsample: output size divided by input size")
    num_iterations: float = flag(40000.0, "Steps of the optimiser")
    max_train: float = flag(-1.0, "Use only the first this many pictures; -1: all")
    batch_size: float = flag(4.0, "Pictures in a batch")
    learning_rate: float = flag(1e-3, "Step size of ADAM")
    lr_decay_every: float = flag(-1.0, "Lower the step size every this many iterations; -1: never")
    lr_decay_factor: float = flag(0.5, "Factor of the step size at each -lr_decay_every")
    weight_decay: float = flag(0.0, "Adds this times the weights to their gradient")
    checkpoint_name: str = flag("checkpoint", "File name of the checkpoints, without extension", path=True)
    checkpoint_every: float = flag(1000.0, "Validate and save a checkpoint every this many iterations")
    num_val_batches: float = flag(10.0, "Number of batches for a validation")
    gpu: float = flag(0.0, "GPU number from 0 on, or -1 for the CPU")
    use_cudnn: float = flag(1.0, "0 turns cuDNN off on a GPU")
    backend: str = flag("cuda", "cuda|opencl")
    train_dir: str = flag("", "Train with the pictures in this folder, not -h5_file", ours=True, path=True)
    val_dir: str = flag("", "Validate with the pictures in this folder", ours=True, path=True)
    train_size: float = flag(256.0, "Side in pixels of the pictures from -train_dir and -val_dir", ours=True)
    workers: float = flag(2.0, "Threads that load pictures", ours=True)
    seed: float = flag(-1.0, "Seed of the first weights; negative: a new one each time", ours=True)
    precision: str = flag("full", "full|mixed (16 bits where that is safe)", ours=True)
    accumulate: float = flag(1.0, "Number of batches whose gradients are averaged for a step", ours=True)
    log_file: str = flag("", "CSV file for all losses, one row per iteration", ours=True, path=True)
    tensorboard: str = flag("", "Folder for TensorBoard logs", ours=True, path=True)
    sample_image: str = flag("", "Picture to stylise every -sample_every iterations", ours=True, path=True)
    sample_every: float = flag(500.0, "Stylise -sample_image every this many iterations", ours=True)
    export_onnx: float = flag(1.0, "1 writes the network as an ONNX file at the end", ours=True)
    threads: float = flag(0.0, "CPU threads; 0 means all cores", ours=True)

    def replace(self, **changes: Any) -> TrainSettings:
        """A copy with some fields changed."""
        return replace(self, **changes)

    def completed(self, given: Collection[str]) -> TrainSettings:
        """The settings with the defaults that depend on other flags. given: the flags set by the user.

        With -task upsample there are no style layers by default: there is no style image, and the
        original's default crashes it.
        """
        if self.task == "upsample" and not {"style_layers", "style_weights"} & set(given):
            return self.replace(style_layers=(), style_weights=())
        return self

    def validate(self) -> None:
        """Raises SettingsError for a value that makes the original fail or do something unexpected."""
        checks.choices(self, TRAIN_CHOICES)
        checks.finite(self)
        checks.integers(self, *TRAIN_WHOLE)
        checks.positive(
            self,
            *("style_image_size", "upsample_factor", "num_iterations", "batch_size", "checkpoint_every"),
            *("accumulate", "sample_every", "train_size"),
        )
        checks.whole(self, "num_val_batches", "workers", "threads")
        checks.at_most(self, TRAIN_LARGEST)
        checks.files(self, "loss_network", "style_image", "checkpoint_name")
        for kind in ("content", "style"):
            checks.weights(self, kind)
        for sentence in self._impossible():
            raise SettingsError(sentence)

    def _impossible(self) -> Iterator[str]:
        """Messages for combinations that make the original fail or train something unexpected."""
        if self.task == "upsample":
            yield from self._impossible_upsampling()
        elif self.percep_loss_weight <= 0:
            weight = format_number(self.percep_loss_weight)
            yield f"-percep_loss_weight {weight}: must be greater than 0 with -task style"
        yield from self._missing()
        if self.backend == "opencl" and self.gpu >= 0:
            yield "-backend opencl: PyTorch has no OpenCL; use -backend cuda, or -gpu -1"

    def _missing(self) -> Iterator[str]:
        if not self.arch.strip(" ,"):
            yield "-arch: there are no layers"
        if not (self.train_dir or self.h5_file):
            yield "-h5_file and -train_dir are both empty: give one of them"
        if max(self.percep_loss_weight, self.pixel_loss_weight) <= 0:
            yield "-percep_loss_weight and -pixel_loss_weight are both 0: there is nothing to learn"
        if self.percep_loss_weight > 0 and not (*self.content_layers, *self.style_layers):
            yield "-content_layers and -style_layers are both empty: give layers, or -percep_loss_weight 0"

    def _impossible_upsampling(self) -> Iterator[str]:
        if self.upsample_factor < 2:
            yield f"-upsample_factor {format_number(self.upsample_factor)}: must be 2 or more"
        if self.style_layers:
            yield "-style_layers: -task upsample has no style image; leave them out"
        if self.padding_type == "none":
            yield "-padding_type none: it crops the result, which does not work with -task upsample; use zero"

    def notices(self, begun: bool = False) -> list[str]:
        """Sentences about flags that have no effect in this training, or an unexpected one.

        begun: this run resumes a training that an earlier process has begun.
        """
        cases: Sequence[tuple[bool, str]] = (
            (
                bool(self.resume_from_checkpoint) and not begun,
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
            *(
                (
                    getattr(self, name) < 0,
                    f"-{name} is negative, so that loss is off, as in the original",
                )
                for name in ("pixel_loss_weight", "percep_loss_weight")
            ),
        )
        return [sentence for applies, sentence in cases if applies]
