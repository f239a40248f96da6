"""The flags of neural_style.lua as one frozen dataclass: the only place with their names and defaults.

The command line, YAML files and docs/flags.md are made from these fields. Numbers are floats, as in Lua.
Imports no large package, so that ``neural_style -help`` is quick.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from core.errors import SettingsError
from core.settings.flags import flag

Strings = tuple[str, ...]
Numbers = tuple[float, ...]

ARITHMETICS = ("auto", "torch7", "native")
CHOICES = {
    "init": ("random", "image"),
    "optimizer": ("lbfgs", "adam"),
    "backend": ("nn", "cudnn", "clnn"),
    "arithmetic": ARITHMETICS,
}
SINGLE_PRECISION = 3e38  # about the largest float32: factors of images and gradients must not exceed it
LARGEST: dict[
    str, float
] = {  # image positions are float32, exact up to 1 << 24; the other limits only refuse absurd values
    "image_size": 1 << 24,
    "style_scale": 1 << 24,
    "lbfgs_num_correction": 1 << 24,
    "threads": 1024,
    **dict.fromkeys(("content_weight", "style_weight", "tv_weight", "learning_rate"), SINGLE_PRECISION),
}
FINITE = (
    *LARGEST,
    "num_iterations",
    "checkpoint_iter",
    "seed",
    "content_weight",
    "style_weight",
    "tv_weight",
    "learning_rate",
)
NUMBER = re.compile(
    r"([+-]?)(0x(?:[0-9a-f]+\.?[0-9a-f]*|\.[0-9a-f]+)(?:p[+-]?[0-9]+)?|0b[01]+"
    r"|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?|inf(?:inity)?|nan)"
)


@dataclass(frozen=True)
class Settings:
    """The flags of one run. Lists are tuples. ``style_blend_weights``: None (``nil``) means equal weights."""

    style_image: Strings = flag(("examples/inputs/seated-nude.jpg",), "Style target image(s)", path=True)
    style_blend_weights: Numbers | None = flag(None, "Weight of each style image", numbers=True)
    content_image: str = flag("examples/inputs/tubingen.jpg", "Content target image", path=True)
    image_size: float = flag(512.0, "Longer side of the result, in pixels")
    gpu: str = flag("0", "GPU number from 0 on, a comma list of them, or -1 for the CPU")
    multigpu_strategy: Numbers = flag(
        (), "Number of the last layer on each GPU, without the last GPU", numbers=True
    )
    content_weight: float = flag(5.0, "Strength of the content loss")
    style_weight: float = flag(100.0, "Strength of the style loss")
    tv_weight: float = flag(0.001, "Strength of total variation smoothing; 0 turns it off")
    num_iterations: float = flag(1000.0, "Evaluations of the network")
    normalize_gradients: bool = flag(False, "Divide each loss's gradient by its L1 norm")
    init: str = flag("random", "Start from noise or from an image: random|image")
    init_image: str = flag("", "Image to start from with -init image; empty: the content image", path=True)
    optimizer: str = flag("lbfgs", "lbfgs|adam")
    learning_rate: float = flag(10.0, "Step size of ADAM; not used by L-BFGS")
    lbfgs_num_correction: float = flag(0.0, "Length of the L-BFGS history; 0 means 100")
    print_iter: float = flag(50.0, "Print losses every this many iterations; 0: never")
    save_iter: float = flag(100.0, "Save an image every this many iterations; 0: only at the end")
    output_image: str = flag("out.png", "The result; .png, .jpg or .ppm", path=True)
    style_scale: float = flag(1.0, "Size of the style image relative to -image_size")
    original_colors: float = flag(0.0, "1 keeps the content image's colours")
    pooling: str = flag("max", "max|avg")
    proto_file: str = flag(
        "models/VGG_ILSVRC_19_layers_deploy.prototxt",
        "Description of the model; if present, it is compared with the model",
        path=True,
        fixed=True,
    )
    model_file: str = flag("models/VGG_ILSVRC_19_layers.caffemodel", "The caffemodel", path=True, fixed=True)
    backend: str = flag("nn", "nn|cudnn|clnn (clnn: OpenCL, the exact picture)")
    cudnn_autotune: bool = flag(False, "Let cuDNN search for its fastest kernels")
    seed: float = flag(-1.0, "Seed of the random start; negative: a new one each time")
    content_layers: Strings = flag(("relu4_2",), "Layers for content, in network order")
    style_layers: Strings = flag(
        ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"), "Layers for style, in network order"
    )
    arithmetic: str = flag(
        "auto",
        "torch7 (exact; CPU, or OpenCL with -backend clnn)|native (PyTorch)|"
        "auto (torch7 on the CPU and OpenCL, native on other GPUs)",
        ours=True,
    )
    threads: float = flag(0.0, "CPU threads; 0 means all cores; no effect on exact pictures", ours=True)
    png_text: float = flag(
        1.0, "0 writes PNG files without our text entry: the bytes of the original's files", ours=True
    )
    checkpoint_iter: float = flag(
        0.0, "Save a checkpoint for -resume every this many iterations; 0: never", ours=True
    )

    def replace(self, **changes: Any) -> Settings:
        """A copy with some fields changed."""
        return replace(self, **changes)

    def blend_weights(self) -> Numbers:
        """The weight of each style image, divided by the sum of the weights (added from left to right)."""
        weights = (1.0,) * len(self.style_image)
        if self.style_blend_weights is not None:
            weights = self.style_blend_weights
        total = 0.0
        for weight in weights:
            total += weight
        return tuple(weight / total for weight in weights)

    def validate(self) -> None:
        """Raises SettingsError for a value that makes the original fail or the result meaningless."""
        for name, known in CHOICES.items():
            value = getattr(self, name)
            if value not in known:
                raise SettingsError(f"-{name} {value}: must be one of {', '.join(known)}")
        self._check_finite()
        self._check_ranges()
        self._check_files()
        self._check_styles()
        if not (self.content_layers or self.style_layers):
            raise SettingsError(
                "-content_layers and -style_layers are both empty: there is nothing to optimise"
            )

    def _check_finite(self) -> None:
        for name in FINITE:
            value = getattr(self, name)
            if not math.isfinite(value):
                raise SettingsError(f"-{name} {format_number(value)}: must be a finite number")
        if not all(map(math.isfinite, self.multigpu_strategy)):
            raise SettingsError("-multigpu_strategy: must be finite numbers")

    def _check_ranges(self) -> None:
        for name, largest in LARGEST.items():
            value = getattr(self, name)
            if value <= 0 and name in ("image_size", "style_scale"):
                raise SettingsError(f"-{name} {format_number(value)}: must be greater than 0")
            if abs(value) > largest:
                raise SettingsError(
                    f"-{name} {format_number(value)}: must be at most {format_number(largest)}"
                )
        if self.image_size * self.style_scale > LARGEST["image_size"]:
            raise SettingsError("-style_scale: the style image becomes too large; use a smaller value")
        if self.threads < 0 or self.threads != int(self.threads):
            raise SettingsError(
                f"-threads {format_number(self.threads)}: must be a whole number, or 0 for all cores"
            )

    def _check_files(self) -> None:
        for name in ("content_image", "output_image", "model_file"):
            if not getattr(self, name):
                raise SettingsError(f"-{name}: the file name is empty")
        check_png_text(self.png_text)
        if not self.style_image:
            raise SettingsError("-style_image: the file name is empty")
        if not all(self.style_image):
            raise SettingsError("-style_image: there is an empty file name between two commas")

    def _check_styles(self) -> None:
        weights = self.style_blend_weights
        if weights is None:
            return
        if len(weights) != len(self.style_image):
            raise SettingsError(
                "-style_blend_weights and -style_image must have the same number of elements: "
                f"{len(weights)} weights, {len(self.style_image)} images"
            )
        if not math.isfinite(sum(weights)) or sum(weights) == 0:
            raise SettingsError("-style_blend_weights: must be finite numbers whose sum is not 0")

    def notices(self) -> list[str]:
        """Sentences about flags that have no effect in this run, or an unexpected one."""
        cases: Sequence[tuple[bool, str]] = (
            (
                bool(self.init_image) and self.init == "random",
                "-init_image has no effect with -init random; add -init image to start from it",
            ),
            (
                self.seed >= 0 and self.init == "image",
                "-seed has no effect with -init image, unless the layers used include dropout",
            ),
            (
                len(set(self.style_image)) < len(self.style_image),
                "-style_image names a picture more than once; it counts each time in the blend",
            ),
            (
                self.optimizer == "lbfgs" and self.learning_rate != 10,
                "-learning_rate has no effect on L-BFGS; it is for -optimizer adam",
            ),
            (
                self.optimizer == "adam" and self.lbfgs_num_correction != 0,
                "-lbfgs_num_correction has no effect on ADAM",
            ),
            (
                self.pooling not in ("max", "avg"),
                f"-pooling {self.pooling}: treated as max, as in the original",
            ),
            (
                bool(self.multigpu_strategy) and "," not in self.gpu,
                "-multigpu_strategy has no effect without a list of GPUs in -gpu",
            ),
            (
                self.backend == "clnn" and self.arithmetic == "native",
                "-backend clnn: PyTorch has no OpenCL; with -arithmetic native -backend nn is used",
            ),
            (
                self.original_colors not in (0, 1),
                f"-original_colors {format_number(self.original_colors)} has no effect; use 1 to turn it on",
            ),
        )
        return [sentence for applies, sentence in cases if applies]


def check_png_text(value: float) -> None:
    """It is a switch. Raises: SettingsError."""
    if value not in (0, 1):
        raise SettingsError(f"-png_text {format_number(value)}: must be 0 or 1")


def split_commas(text: str) -> Strings:
    """Split a Lua comma list. As in the original, drops one empty item at each end; others are kept."""
    items = text.split(",")
    if items and not items[0]:
        items = items[1:]
    if items and not items[-1]:
        items = items[:-1]
    return tuple(items)


def lua_number(text: str) -> float:
    """LuaJIT's tonumber: decimal, exponent, hexadecimal, 0b binary, surrounding spaces, inf and nan.

    Raises: ValueError.
    """
    match = NUMBER.fullmatch(text.strip(" \t\n\v\f\r").lower())
    if match is None:
        raise ValueError(f"not a number: {text!r}")
    sign, size = match.groups()
    try:
        value = float(int(size, 2)) if size.startswith("0b") else _hexadecimal_or_decimal(size)
    except OverflowError:
        value = math.inf
    return -value if sign == "-" else value


def _hexadecimal_or_decimal(size: str) -> float:
    return float.fromhex(size) if size.startswith("0x") else float(size)


def format_number(value: float) -> str:
    """A number as Lua prints it: 14 significant digits, no trailing ``.0``."""
    return f"{value:.14g}"
