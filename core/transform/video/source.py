"""Reads video files as a sequence of pictures with their times, decoded by PyAV.

Colours are converted with the colour matrix and range that the video declares (BT.601 if it declares none, as
in ffmpeg), to RGB with 8 bits, or with 16 bits if the video has more than 8.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from core.errors import VideoError
from core.pictures.images import Image

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

BT709 = 1  # the number of matrix, primaries and transfer in ISO/IEC 23091-2
LIMITED_RANGE = 1
KNOWN_MATRICES = (1, 2, 4, 5, 6, 7, 9)  # those libswscale and H.264 with Y, U, V share; 2: not declared
# Demuxers that would accept a text or a picture as a video, or read other files than the one named.
NOT_VIDEOS = ("tty", "image2", "hls", "dash", "concat", "ffmetadata")


def import_av() -> Any:
    """The module ``av``. Raises: VideoError: it is not installed."""
    try:
        import av
    except ImportError as error:
        raise VideoError(f"videos need PyAV ({error}): pip install 'neural-style-exact[video]'") from None
    return av


def conversion_flags() -> int:
    """The flags of libswscale's most exact RGB-YUV conversion, which is the same on every processor."""
    import_av()
    from av.video.reformatter import Interpolation as Way

    return int(Way.BICUBIC | Way.ACCURATE_RND | Way.FULL_CHR_H_INT | Way.BITEXACT)


@dataclass(frozen=True)
class Look:
    """The properties of a video's frames: time base, frames per second, colours, pixel aspect ratio.

    matrix, primaries, transfer: numbers of ISO/IEC 23091-2 (2: not declared).  color_range: 0 not declared,
    1 limited (16 to 235), 2 full (0 to 255).  pixel_aspect: width / height of a pixel, None if not declared.
    """

    time_base: Fraction
    rate: Fraction
    color_range: int = LIMITED_RANGE
    matrix: int = BT709
    primaries: int = BT709
    transfer: int = BT709
    pixel_aspect: Fraction | None = None

    @property
    def step(self) -> int:
        """The usual time between two frames in units of ``time_base``, at least 1."""
        return max(1, round(1 / (self.rate * self.time_base)))


@dataclass(frozen=True)
class SourceFrame:
    """One frame: its number, its time and duration in units of the time base, and its picture.

    ``image()`` returns float64 (3, H, W), RGB, values 0 to 1. Raises: VideoError, ImageError.
    """

    number: int
    pts: int
    duration: int
    image: Callable[[], Image]


class Source(Protocol):
    """A video or an image sequence.

    total: number of frames, None if unknown.  audio: the video whose sound is copied, or None.  Frames have
    consecutive numbers from ``first_number`` on.
    """

    look: Look
    total: int | None
    audio: Path | None
    first_number: int

    def identity(self) -> str:
        """A hash that changes if a file changes."""
        ...

    def frames(self) -> Iterator[SourceFrame]:
        """All frames in display order, from the beginning."""
        ...


class VideoFile:
    """A video file; frames count from 1. Raises: VideoError: missing, damaged, or without a video stream."""

    first_number = 1

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        with opened(self.path) as container:
            stream = _moving_pictures(container, self.path)
            self.total = stream.frames or None
            self.audio = self.path if container.streams.audio else None
            first = next(_decoded(self.path, container, stream), None)
            if first is None:
                raise VideoError(f"{self.path}: has no frame that can be decoded; is the file complete?")
            self.look = _look(stream, first)

    def identity(self) -> str:
        """A hash of the file's name, size and modification time."""
        return file_identity([self.path])

    def frames(self) -> Iterator[SourceFrame]:
        """Frames with strictly increasing times; frames without a time follow at the video's frame rate."""
        previous: int | None = None
        with opened(self.path) as container:
            stream = _moving_pictures(container, self.path)
            for number, frame in enumerate(_decoded(self.path, container, stream), 1):
                pts = frame.pts if frame.pts is not None else frame.dts
                if pts is None:
                    pts = 0 if previous is None else previous + self.look.step
                if previous is not None and pts <= previous:
                    pts = previous + 1
                previous = pts
                yield SourceFrame(number, pts, frame.duration or self.look.step, self._getter(frame))

    def _getter(self, frame: VideoFrame) -> Callable[[], Image]:
        return lambda: _picture(self.path, frame)


@contextmanager
def opened(path: Path) -> Iterator[InputContainer]:
    """Open a video for reading. Raises: VideoError."""
    av = import_av()
    if not path.is_file():
        what = "is a folder, not a video" if path.is_dir() else "no such file"
        raise VideoError(f"{path}: {what}; name a video or a pattern such as frames/%04d.png")
    try:
        container = av.open(f"file:{path}")
    except (av.FFmpegError, OSError) as error:
        raise VideoError(f"{path}: not a video that can be read: {error.strerror}") from None
    with container:
        names = container.format.name
        if names in NOT_VIDEOS or names.endswith("_pipe"):
            raise VideoError(f"{path}: not a video but '{names}'; name a file such as video.mp4")
        yield container


def _moving_pictures(container: InputContainer, path: Path) -> VideoStream:
    """The first video stream that is not a cover picture, thumbnail or still picture."""
    from av.stream import Disposition

    still = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
    for stream in container.streams.video:
        if not stream.disposition & still:
            stream.thread_type = "AUTO"
            return stream
    raise VideoError(
        f"{path}: has no video stream, only {_contents(container)}; name a file with a video stream"
    )


def _contents(container: InputContainer) -> str:
    return ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"


def _decoded(path: Path, container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    av = import_av()
    number = 0
    try:
        for number, frame in enumerate(container.decode(stream), 1):  # noqa: B007  (used in the message)
            yield frame
    except av.FFmpegError as error:
        raise VideoError(
            f"{path}: damaged after frame {number}: {error.strerror}; repair it, for example with ffmpeg"
        ) from None


def _look(stream: VideoStream, frame: VideoFrame) -> Look:
    """The properties of a video, from the first frame, which has more of them than the container.

    RGB videos and unknown colour matrices get the default colours.
    """
    look = Look(
        time_base=stream.time_base or Fraction(1, 1000),
        rate=stream.average_rate or stream.guessed_rate or Fraction(25),
        pixel_aspect=_aspect(stream, frame),
    )
    if frame.colorspace not in KNOWN_MATRICES:
        return look
    return replace(
        look,
        color_range=frame.color_range,
        matrix=frame.colorspace,
        primaries=frame.color_primaries,
        transfer=frame.color_trc,
    )


def _aspect(stream: VideoStream, frame: VideoFrame) -> Fraction | None:
    aspect = stream.sample_aspect_ratio
    return 1 / aspect if aspect and _quarter_turns(frame) % 2 else aspect or None


def _quarter_turns(frame: VideoFrame) -> int:
    """Counterclockwise quarter turns that make a frame upright, from the video's display matrix."""
    return round(frame.rotation / 90)


def _picture(path: Path, frame: VideoFrame) -> Image:
    """The frame as float64 (3, H, W), RGB, values 0 to 1, turned upright."""
    av = import_av()
    deep = max(component.bits for component in frame.format.components) > 8
    try:
        levels = frame.to_ndarray(format="rgb48le" if deep else "rgb24", interpolation=conversion_flags())
    except (av.FFmpegError, ValueError) as error:
        raise VideoError(
            f"{path}: the pixel format {frame.format.name} with colour matrix {frame.colorspace} cannot be "
            f"converted ({error}); convert the video to yuv420p first"
        ) from None
    values = levels.astype(np.float64) * (1 / (65535 if deep else 255))
    upright = np.rot90(values, _quarter_turns(frame))
    return np.ascontiguousarray(upright.transpose(2, 0, 1))


def file_identity(paths: list[Path]) -> str:
    """A hash of the files' names, sizes and modification times. Raises: VideoError."""
    digest = hashlib.sha256()
    for path in paths:
        try:
            status = path.stat()
        except OSError as error:
            raise VideoError(f"{path}: cannot be read: {error.strerror}") from None
        digest.update(f"{path.name}\0{status.st_size}\0{status.st_mtime_ns}\0".encode())
    return digest.hexdigest()
