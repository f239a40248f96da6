"""Stylises one picture with a transform network, as ``run_image`` of fast_neural_style.lua (813c834) does.

content file -> load_image -> scale -> encode -> the network -> decode -> median filter -> save_image

| step          | dtype   | shape          | values                                   |
|---------------|---------|----------------|------------------------------------------|
| load_image    | float64 | (3, H, W)      | R,G,B, 0..1                              |
| scale         | float64 | (3, h, w)      | the same; the longer side is -image_size |
| encode        | float32 | (1, 3, h, w)   | the network's own                        |
| the network   | float32 | (1, 3, h', w') | the network's own; rounded up to stride  |
| decode        | float32 | (3, h', w')    | R,G,B, about 0..1, not clamped           |
| median_filter | float32 | (3, h'', w'')  | the same; r - 1 rows and columns less    |
| save_image    | uint8   | h'', w'', 3    | clamped, times 255, truncated            |
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.errors import TransformError
from core.pictures.images import Image, check_writable, create_folder, load_image, save_image
from core.pictures.resize import scale, scale_to
from core.transform.histogram import match_histograms
from core.transform.median import median_filter
from core.transform.pixels import NetworkFormat
from core.transform.runners import Batch, Runner

Timing = Callable[[tuple[int, int], float], None]
Save = Callable[[Path, Path, Image], object]


@dataclass(frozen=True)
class Stylizer:
    """A network with the flags that decide its pictures.

    image_size: longer side of the scaled content in pixels; 0 or less keeps the content's size.
    median_size: side of the median filter's window in pixels.
    matches_histogram: give the result the histogram of the scaled content.
    """

    runner: Runner
    image_size: float = 768.0
    median_size: float = 3.0
    matches_histogram: bool = False

    def __call__(self, content: Image) -> Image:
        """Stylise a float64 picture (3, H, W), RGB, values 0 to 1: float64 (3, h'', w''), not clamped.

        Raises: TransformError: the network cannot run on this picture.
        """
        scaled = self.scaled(content)
        return self.finished(self.runner.run(encoded(scaled, self.runner.format)), scaled)

    def scaled(self, content: Image) -> Image:
        """The content scaled to -image_size."""
        return scale(content, self.image_size) if self.image_size > 0 else content

    def finished(self, result: Batch, scaled: Image) -> Image:
        """The network's result (1, 3, h', w') as a picture, float64 (3, h'', w'').

        Decoding and median filter work in single precision, saving in double, as in the original.
        """
        how = self.runner.format
        picture = how.output.decode(result[0])
        if how.size is not None:
            picture = scale_to(picture.astype(np.float64), *scaled.shape[1:]).astype(np.float32)
        filtered = median_filter(picture, self.median_size).astype(np.float64)
        return match_histograms(filtered, scaled) if self.matches_histogram else filtered


def encoded(scaled: Image, how: NetworkFormat) -> Batch:
    """The scaled content as the network's input, float32 (1, 3, h, w).

    Raises: TransformError: the picture is too small for the network.
    """
    if how.size is not None:
        scaled = scale_to(scaled, *how.size)
    height, width = scaled.shape[1:]
    if min(height, width) < how.smallest:
        raise TransformError(
            f"{width}x{height} pixels are too few for this network: it needs at least {how.smallest} "
            "on the shorter side (for its padding); choose a larger -image_size or picture"
        )
    return how.input.encode(scaled)[None]


def stylize_file(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    stylizer: Stylizer,
    timing: Timing | None = None,
    save: Save = lambda source, target, picture: save_image(target, picture),
) -> None:
    """Load, stylise and save a picture. Creates the folder of ``target`` if needed.

    timing: called with (h, w) and the seconds of one forward pass, measured after a warm-up pass.
    save: called with source, target and picture; writes the picture to target.

    Raises: ImageError, TransformError, both naming the file.
    """
    content = load_image(source)
    check_extension(target)
    try:
        if timing is not None:
            _measure(content, stylizer, timing)
        styled = stylizer(content)
    except TransformError as error:
        raise TransformError(f"{os.fspath(source)}: {error}") from None
    create_folder(Path(target).parent)
    save(Path(source), Path(target), styled)


def check_extension(target: str | os.PathLike[str]) -> None:
    """Check before any work that a picture can be saved under this name. Raises: ImageError."""
    folder = Path(target).parent
    if folder.is_dir():
        check_writable(target)
    else:
        check_writable(Path(Path(target).name))


def _measure(content: Image, stylizer: Stylizer, timing: Timing) -> None:
    batch = encoded(stylizer.scaled(content), stylizer.runner.format)
    stylizer.runner.run(batch)
    started = time.perf_counter()
    stylizer.runner.run(batch)
    timing(batch.shape[2:], time.perf_counter() - started)
