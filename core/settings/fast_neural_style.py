"""The flags of fast_neural_style.lua (813c834), and our additional flags, as one frozen dataclass.

Numbers are floats, as in Lua. Imports no large package, so that ``fast_neural_style -help`` is quick.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from core.errors import SettingsError
from core.settings.flags import flag
from core.settings.neural_style import check_png_text, format_number

INSTANCE_NORMS = ("auto", "normalise", "affine")
VALUE_RANGES = ("vgg", "resnet", "0-255", "0-1", "-1-1")
CHOICES = {
    "backend": ("cuda", "opencl"),
    "runtime": ("onnx", "torch"),
    "arithmetic": ("native", "torch7"),
    "instance_norm": INSTANCE_NORMS,
    "value_range": ("", *VALUE_RANGES),
    "output_value_range": ("", *VALUE_RANGES),
    "channel_order": ("", "rgb", "bgr"),
    "layout": ("", "nchw", "nhwc"),
}
LARGEST = {
    "image_size": 1 << 24,
    "median_filter": 1001,
    "tile": 1 << 24,
    "jobs": 256,
    "threads": 1024,
    "fps": 1000,
}
WHOLE = ("gpu", "tile", "jobs", "threads")
SMALLEST_TILE = 64
_SIZE = re.compile(r"([1-9][0-9]{0,5})x([1-9][0-9]{0,5})")


@dataclass(frozen=True)
class TransformSettings:
    """The flags of one run. Switches are numbers, as in the original: 0 is off."""

    model: str = flag(
        "models/instance_norm/candy.t7",
        "The network: .t7, .onnx, .safetensors or .pth",
        path=True,
        fixed=True,
    )
    image_size: float = flag(768.0, "Longer side of the content image; 0 keeps its size")
    median_filter: float = flag(3.0, "Side of the median filter's window; 0 turns it off")
    match_histogram: float = flag(
        0.0, "1 matches the result's colour histogram to the content image (super-resolution)", ours=True
    )
    timing: float = flag(0.0, "1 prints the time of the forward pass in seconds, after a warm-up pass")
    input_image: str = flag("images/content/chicago.jpg", "Content image", path=True, fixed=True)
    output_image: str = flag("out.png", "The result; .png, .jpg or .ppm", path=True)
    input_dir: str = flag("", "Stylise all pictures in this folder, instead of -input_image", path=True)
    output_dir: str = flag("", "Folder for the results of -input_dir", path=True)
    gpu: float = flag(-1.0, "GPU number from 0 on, or -1 for the CPU")
    backend: str = flag("cuda", "cuda|opencl (opencl is not supported on a GPU)")
    use_cudnn: float = flag(1.0, "0 keeps PyTorch from using cuDNN on a GPU")
    cudnn_benchmark: float = flag(0.0, "1 tries all convolution algorithms for each new size, on a GPU")
    runtime: str = flag("onnx", "onnx (ONNX Runtime)|torch (PyTorch)", ours=True)
    arithmetic: str = flag(
        "native",
        "native (that of -runtime)|torch7 (CPU; the original's picture, byte for byte)",
        ours=True,
    )
    verbose: float = flag(0.0, "1 prints what was detected about the network and how it is run", ours=True)
    instance_norm: str = flag(
        "auto", "Instance norm of a .t7: auto (as trained)|normalise|affine (scale and shift only)", ours=True
    )
    value_range: str = flag(
        "", "Value range of the network's input: vgg|resnet|0-255|0-1|-1-1; empty: detected", ours=True
    )
    output_value_range: str = flag("", "Value range of its output, if different from the input", ours=True)
    channel_order: str = flag("", "rgb|bgr; empty: detected", ours=True)
    layout: str = flag("", "nchw|nhwc; empty: detected", ours=True)
    model_size: str = flag("", "WIDTHxHEIGHT, if the network has a fixed size; empty: detected", ours=True)
    tile: float = flag(
        0.0, "Side of the tiles, to use less memory for the same picture; 0 turns it off", ours=True
    )
    jobs: float = flag(1.0, "Number of pictures of -input_dir processed at the same time", ours=True)
    recursive: float = flag(0.0, "1 includes the folders inside -input_dir", ours=True)
    sorted: float = flag(0.0, "1 processes -input_dir sorted by name, not in directory order", ours=True)
    skip_existing: float = flag(0.0, "1 skips pictures whose result already exists", ours=True)
    input_video: str = flag(
        "", "Video, or frames such as frames/%04d.png; used instead of -input_image", ours=True, path=True
    )
    output_video: str = flag(
        "", "Video (.mp4, .mov, .mkv) or frames such as styled/%04d.png", ours=True, path=True
    )
    fps: float = flag(25.0, "Frames per second if -input_video is a sequence of pictures", ours=True)
    temporal_alpha: float = flag(
        0.0, "Share of the previous frame in each frame of a video, 0 to below 1", ours=True
    )
    threads: float = flag(0.0, "CPU threads of one forward pass; 0 means all cores", ours=True)
    tensorrt: float = flag(0.0, "1 tries TensorRT before CUDA", ours=True)
    tf32: float = flag(0.0, "1 allows TF32 on the GPU: factors rounded to 10 bits", ours=True)
    png_text: float = flag(
        1.0, "0 writes PNG files without our text entry: the bytes of the original's files", ours=True
    )
    require_gpu: float = flag(
        0.0, "1 stops with an error if -gpu cannot be used; 0 runs on the CPU then", ours=True
    )

    def replace(self, **changes: Any) -> TransformSettings:
        """A copy with some fields changed."""
        return replace(self, **changes)

    def validate(self) -> None:
        """Raises SettingsError for an invalid value or combination of values."""
        for name, known in CHOICES.items():
            value = getattr(self, name)
            if value not in known:
                raise SettingsError(f"-{name} {value}: must be one of {', '.join(filter(None, known))}")
        self._check_numbers()
        self._check_files()
        self._check_combinations()
        if self.model_size:
            self.size_of_model()

    def size_of_model(self) -> tuple[int, int] | None:
        """Height and width of -model_size. Raises: SettingsError."""
        if not self.model_size:
            return None
        match = _SIZE.fullmatch(self.model_size)
        if match is None:
            raise SettingsError(f"-model_size {self.model_size}: must be WIDTHxHEIGHT, such as 720x720")
        return int(match[2]), int(match[1])

    def _check_numbers(self) -> None:
        for name, largest in LARGEST.items():
            value = getattr(self, name)
            if not math.isfinite(value) or value > largest:
                raise SettingsError(f"-{name} {format_number(value)}: must be a number up to {largest}")
        for name in WHOLE:
            value = getattr(self, name)
            if not math.isfinite(value) or value != int(value) or (value < 0 and name != "gpu"):
                raise SettingsError(f"-{name} {format_number(value)}: must be a whole number")
        if 0 < self.tile < SMALLEST_TILE:
            raise SettingsError(f"-tile {format_number(self.tile)}: must be at least {SMALLEST_TILE}, or 0")
        if not 0 <= self.temporal_alpha < 1:
            raise SettingsError(
                f"-temporal_alpha {format_number(self.temporal_alpha)}: must be from 0 to below 1"
            )
        check_png_text(self.png_text)
        if self.fps <= 0:
            raise SettingsError(f"-fps {format_number(self.fps)}: must be greater than 0")

    def _check_files(self) -> None:
        cases = (
            (not self.model, "-model: the file name is empty"),
            (
                not (self.input_image or self.input_dir or self.input_video),
                "-input_image and -input_dir are both empty: give one of them",
            ),
            (bool(self.input_dir) and not self.output_dir, "-input_dir needs -output_dir"),
            (
                bool(self.input_video) != bool(self.output_video),
                "-input_video and -output_video must be given together",
            ),
            (
                bool(self.input_video) and bool(self.input_dir),
                "-input_video and -input_dir cannot be used together",
            ),
            (
                self.takes_one_picture and not self.output_image,
                "-output_image: the file name is empty",
            ),
        )
        for wrong, sentence in cases:
            if wrong:
                raise SettingsError(sentence)

    def _check_combinations(self) -> None:
        if self.gpu >= 0 and self.backend == "opencl":
            raise SettingsError(
                "-backend opencl: ONNX Runtime and PyTorch have no OpenCL; use -backend cuda, or -gpu -1"
            )
        if self.runtime == "torch" and self.tile > 0:
            raise SettingsError("-tile: not available with -runtime torch; leave one of them out")
        if self.runtime == "torch" and self.tensorrt:
            raise SettingsError("-tensorrt 1: not available with -runtime torch; leave one of them out")

        if self.arithmetic == "torch7":
            self._check_exact()

    def _check_exact(self) -> None:
        """What has no place in the original's arithmetic. Raises: SettingsError."""
        cases = (
            (self.gpu >= 0 or bool(self.require_gpu), "-gpu", "it computes on the CPU; use -gpu -1"),
            (self.runtime == "torch", "-runtime torch", "it is a runtime of its own; leave one of them out"),
            (self.layout == "nhwc", "-layout nhwc", "it knows nchw only"),
            (self.tile > 0, "-tile", "it works in blocks by itself; leave -tile out"),
        )
        for wrong, flags, reason in cases:
            if wrong:
                raise SettingsError(f"{flags} with -arithmetic torch7: {reason}")

    @property
    def takes_one_picture(self) -> bool:
        """Whether -input_image is used. As in the original, -input_dir has precedence."""
        return not (self.input_dir or self.input_video)

    def notices(self) -> list[str]:
        """Sentences about flags that have no effect in this run, or an unexpected one."""
        folder, film, on_gpu = bool(self.input_dir), bool(self.input_video), self.gpu >= 0
        cases: Sequence[tuple[bool, str]] = (
            (self.jobs > 1 and not folder, "-jobs has no effect without -input_dir"),
            (bool(self.recursive) and not folder, "-recursive has no effect without -input_dir"),
            (bool(self.sorted) and not folder, "-sorted has no effect without -input_dir"),
            (bool(self.skip_existing) and not folder, "-skip_existing has no effect without -input_dir"),
            (self.temporal_alpha > 0 and not film, "-temporal_alpha has no effect without -input_video"),
            (bool(self.tensorrt) and not on_gpu, "-tensorrt 1 has no effect without -gpu 0"),
            (bool(self.tf32) and not on_gpu, "-tf32 1 has no effect without -gpu 0"),
            (bool(self.cudnn_benchmark) and not on_gpu, "-cudnn_benchmark 1 has no effect without -gpu 0"),
            (
                not self.use_cudnn and on_gpu and self.runtime == "onnx",
                "-use_cudnn 0 has no effect with ONNX Runtime on a GPU; use -runtime torch",
            ),
        )
        return [sentence for applies, sentence in cases if applies]
