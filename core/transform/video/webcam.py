"""Shows a camera's frames stylised by several networks, side by side, as webcam_demo.lua does.

Frames are not scaled and not filtered. The camera may deliver another size and frame rate than requested.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from core.errors import SettingsError, VideoError
from core.pictures.images import Image, to_bytes
from core.settings.flags import flag
from core.transform.video.encoder import Encoder, even_size
from core.transform.video.smoothing import size_changed
from core.transform.video.source import Look, VideoFile
from core.transform.video.writer import VideoWriter, check_video_target, new_video

Strings = tuple[str, ...]
Stylizer = Callable[[Image], Image]
TimedImage = tuple[Fraction, Image]

TITLE = "webcam_demo"
QUIT_KEYS = (ord("q"), 27)  # 27: Esc
CLOCK = Fraction(1, 90000)  # time base in seconds: rounds the times of frames by at most 6 microseconds
INSTALL = "pip install 'neural-style-exact[video]'"
RANGES = {
    "height": (1, 1 << 16),
    "width": (1, 1 << 16),
    "webcam_idx": (0, 1 << 16),
    "frames": (0, 1 << 31),
    "show": (0, 1),
}
LEAST_FPS, LARGEST_FPS = 0.01, 1000


@dataclass(frozen=True)
class WebcamOptions:
    """The flags of webcam_demo.lua; numbers are floats, as in Lua."""

    models: Strings = flag(("models/instance_norm/candy.t7",), "Model(s), a comma list", path=True)
    height: float = flag(480.0, "Height requested from the camera, in pixels")
    width: float = flag(640.0, "Width requested from the camera, in pixels")
    gpu: float = flag(-1.0, "GPU number from 0 on, or -1 for the CPU")
    backend: str = flag("cuda", "cuda|opencl (opencl has no counterpart and is refused with a GPU)")
    use_cudnn: float = flag(1.0, "1 lets cuDNN compute on a GPU")
    webcam_idx: float = flag(0.0, "Number of the camera, from 0 on")
    webcam_fps: float = flag(60.0, "Frames per second requested from the camera")
    video: str = flag("", "A video file to use instead of the camera", ours=True, path=True)
    frames: float = flag(0.0, "Stop after this many frames; 0 never stops", ours=True)
    output_video: str = flag("", "Record what is shown; .mp4, .mov, .m4v or .mkv", ours=True, path=True)
    show: float = flag(1.0, "0 opens no window", ours=True)

    def validate(self) -> None:
        """Check all values. Raises: SettingsError; VideoError: the video cannot be written."""
        self._check_ranges()
        if not self.models or not all(self.models):
            raise SettingsError("-models: lists no file, or has an empty name between two commas")
        if not self.show and not self.output_video and not self.frames:
            raise SettingsError("-show 0: there would be no output; add -output_video or -frames")
        if self.output_video:
            check_video_target(Path(self.output_video))
            if self.video and Path(self.video).resolve() == Path(self.output_video).resolve():
                raise SettingsError("-output_video: would overwrite -video; choose another name")

    def _check_ranges(self) -> None:
        for name, (least, largest) in RANGES.items():
            value = getattr(self, name)
            if not least <= value <= largest or value != int(value):
                raise SettingsError(f"-{name} {value:.14g}: must be a whole number from {least} to {largest}")
        if not LEAST_FPS <= self.webcam_fps <= LARGEST_FPS:
            raise SettingsError(
                f"-webcam_fps {self.webcam_fps:.14g}: must be at least {LEAST_FPS} and at most {LARGEST_FPS}"
            )


def source_frames(options: WebcamOptions) -> Generator[TimedImage, None, None]:
    """Frames of the camera or of -video: (time in seconds, float64 (3, H, W), RGB, values 0 to 1).

    Raises: VideoError.
    """
    return video_frames(options.video) if options.video else camera_frames(options)


def video_frames(path: str) -> Generator[TimedImage, None, None]:
    """All frames of a video in their own size; times start at 0."""
    video = VideoFile(path)
    first = None
    for frame in video.frames():
        seconds = frame.pts * video.look.time_base
        first = seconds if first is None else first
        yield seconds - first, frame.image()


def camera_frames(options: WebcamOptions) -> Generator[TimedImage, None, None]:
    """Frames of a camera until it stops; times are measured with the clock and start at 0."""
    cv2 = import_cv2()
    number = int(options.webcam_idx)
    camera = cv2.VideoCapture(number)
    try:
        if not camera.isOpened():
            raise VideoError(
                f"-webcam_idx {number}: no such camera; choose another number, or use -video FILE"
            )
        camera.set(cv2.CAP_PROP_FRAME_WIDTH, options.width)
        camera.set(cv2.CAP_PROP_FRAME_HEIGHT, options.height)
        camera.set(cv2.CAP_PROP_FPS, options.webcam_fps)
        started = None
        while True:
            delivered, levels = camera.read()
            if not delivered:
                raise VideoError(
                    f"-webcam_idx {number}: the camera delivers no more frames; is it unplugged?"
                )
            started = time.monotonic() if started is None else started
            yield Fraction(time.monotonic() - started), from_bgr(levels)
    finally:
        camera.release()


def import_cv2() -> Any:
    """The module ``cv2``. Raises: VideoError: it is not installed."""
    try:
        import cv2
    except ImportError as error:
        raise VideoError(f"a camera or window needs OpenCV ({error}): {INSTALL}") from None
    return cv2


def from_bgr(levels: Any) -> Image:
    """OpenCV's uint8 picture (H, W, 3), BGR, as float64 (3, H, W), RGB, values 0 to 1."""
    return np.ascontiguousarray(levels[..., ::-1].transpose(2, 0, 1) * (1 / 255))


def tile(images: Sequence[Image]) -> Image:
    """n pictures of one size tiled into one, floor(sqrt(n)) in a row, clamped to 0..1.

    Matches ``image.toDisplayTensor``: unused space in the last row is filled with the largest value of all
    pictures. Raises: VideoError: the sizes differ.
    """
    channels, height, width = images[0].shape
    for image in images:
        if image.shape != images[0].shape:
            raise VideoError(size_changed(image, (height, width)))
    per_row = math.isqrt(len(images))
    rows = math.ceil(len(images) / per_row)
    grid = np.full(
        (channels, rows * height, per_row * width), max(image.max() for image in images), np.float64
    )
    for i, image in enumerate(images):
        y, x = i // per_row * height, i % per_row * width
        grid[:, y : y + height, x : x + width] = image
    return np.clip(grid, 0, 1)


def tiled_frames(frames: Iterable[TimedImage], stylizers: Sequence[Stylizer]) -> Iterator[TimedImage]:
    """Stylise every frame with every network and tile the results; yields (seconds, picture)."""
    for seconds, frame in frames:
        yield seconds, tile([stylize(frame) for stylize in stylizers])


class Window:
    """A window on the screen. Raises: VideoError: OpenCV has none, or there is no screen."""

    def __init__(self) -> None:
        self._cv2 = import_cv2()
        try:
            self._cv2.namedWindow(TITLE, self._cv2.WINDOW_AUTOSIZE)
        except self._cv2.error:
            raise VideoError(
                "-show 1: this OpenCV cannot open a window; with a screen: pip uninstall "
                "opencv-python-headless && pip install opencv-python; without: -show 0 -output_video FILE"
            ) from None

    def show(self, picture: Image) -> bool:
        """Show a (3, H, W) picture, values 0 to 1; False if the user closed the window or typed q or Esc."""
        self._cv2.imshow(TITLE, np.ascontiguousarray(to_bytes(picture)[..., ::-1]))
        key = self._cv2.waitKey(1) & 0xFF
        return key not in QUIT_KEYS and self._cv2.getWindowProperty(TITLE, self._cv2.WND_PROP_VISIBLE) >= 1

    def close(self) -> None:
        """Close the window."""
        self._cv2.destroyAllWindows()


class Recorder:
    """Context manager that records pictures with their times in a video, written to its name at the end.

    On an exception in the block no file is left, so Ctrl-C must be caught inside. Raises: VideoError.
    """

    def __init__(self, target: str, fps: float) -> None:
        self._target = Path(target)
        self._look = Look(CLOCK, Fraction(fps).limit_denominator(1001))
        self._stack = ExitStack()
        self._encoder: Encoder | None = None
        self._writer: VideoWriter | None = None
        self._size, self._pts, self._duration = (0, 0), -1, self._look.step

    def __enter__(self) -> Recorder:
        return self

    def add(self, seconds: Fraction, picture: Image) -> None:
        """Append a (3, H, W) picture shown from this time on; times must not decrease."""
        size = even_size(*picture.shape[1:])
        if self._encoder is None or self._writer is None:
            self._size, self._encoder = size, Encoder(self._look, size)
            self._writer = self._stack.enter_context(new_video(self._target, self._look, size, None))
        if size != self._size:
            raise VideoError(size_changed(picture, self._size[::-1]))
        pts = max(round(seconds / CLOCK), self._pts + 1)
        if self._pts >= 0:
            self._duration = pts - self._pts
        self._pts = pts
        for frame in self._encoder.encode(to_bytes(picture), pts):
            self._writer.add(frame)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._stack:
            if error is not None:
                self._stack.__exit__(kind, error, trace)
            elif self._encoder is not None and self._writer is not None:
                for frame in self._encoder.finish():
                    self._writer.add(frame)
                self._writer.finish(self._duration)
