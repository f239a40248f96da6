"""Films as a sequence of pictures with their times; PyAV decodes.

A film's colours are converted by the colour matrix and range it declares (BT.601 where it declares none, as
ffmpeg does), to R,G,B with 8 bits, or 16 where the film has more than 8.
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
# Demuxers that would take a text or a picture for a film, or read other files than the one named.
NOT_FILMS = ("tty", "image2", "hls", "dash", "concat", "ffmetadata")


def import_av() -> Any:
    """The module ``av``. Raises: VideoError: it is not installed."""
    try:
        import av
    except ImportError as error:
        raise VideoError(f"films need PyAV ({error}): pip install 'neural-style-exact[video]'") from None
    return av


def conversion_flags() -> int:
    """The most exact conversion between R,G,B and Y,U,V that libswscale has, the same on every processor."""
    import_av()
    from av.video.reformatter import Interpolation as Way

    return int(Way.BICUBIC | Way.ACCURATE_RND | Way.FULL_CHR_H_INT | Way.BITEXACT)


@dataclass(frozen=True)
class Look:
    """What a film says about its frames: units of time, frames per second, colours, shape of a pixel.

    Colours are the numbers of ISO/IEC 23091-2 (2: not declared); ``color_range`` is 0 not declared, 1 limited
    (16..235), 2 full (0..255). ``pixel_aspect`` is width over height, None where not declared.
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
        """The usual distance of two frames in units of ``time_base``, at least 1."""
        return max(1, round(1 / (self.rate * self.time_base)))


@dataclass(frozen=True)
class SourceFrame:
    """One frame: its number, its time and length in units of the look's time base, and how to get it.

    ``image`` returns float64 (3, H, W), R,G,B, 0..1; it raises VideoError or ImageError.
    """

    number: int
    pts: int
    duration: int
    image: Callable[[], Image]


class Source(Protocol):
    """A film or an image sequence: its look, its number of frames where known, the film to take sound from.

    Frames have consecutive numbers from ``first_number`` on.
    """

    look: Look
    total: int | None
    audio: Path | None
    first_number: int

    def identity(self) -> str:
        """Changes when a file changes."""
        ...

    def frames(self) -> Iterator[SourceFrame]:
        """All frames in the order of showing, from the beginning."""
        ...


class Film:
    """A film file; frames count from 1. Raises: VideoError: missing, damaged, or without moving pictures."""

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
        """Changes with the file's name, size or time of change."""
        return file_identity([self.path])

    def frames(self) -> Iterator[SourceFrame]:
        """Frames with strictly increasing times; those that have no time follow at the film's frame rate."""
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
    """The film opened for reading. Raises: VideoError."""
    av = import_av()
    if not path.is_file():
        what = "is a folder, not a film" if path.is_dir() else "no such file"
        raise VideoError(f"{path}: {what}; name a film or a pattern such as frames/%04d.png")
    try:
        container = av.open(f"file:{path}")
    except (av.FFmpegError, OSError) as error:
        raise VideoError(f"{path}: not a film that can be read: {error.strerror}") from None
    with container:
        names = container.format.name
        if names in NOT_FILMS or names.endswith("_pipe"):
            raise VideoError(f"{path}: not a film (it looks like '{names}'); name a file such as film.mp4")
        yield container


def _moving_pictures(container: InputContainer, path: Path) -> VideoStream:
    """The first stream of pictures that is not a cover or a still."""
    from av.stream import Disposition

    still = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
    for stream in container.streams.video:
        if not stream.disposition & still:
            stream.thread_type = "AUTO"
            return stream
    raise VideoError(
        f"{path}: has no moving pictures, only {_contents(container)}; name a film with a picture"
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
            f"{path}: damaged after frame {number}: {error.strerror}; repair it, for example with ffmpeg -i"
        ) from None


def _look(stream: VideoStream, frame: VideoFrame) -> Look:
    """From the first frame, which knows more than the container; R,G,B films get those of pictures."""
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
    """Counterclockwise, to bring a frame upright; a film's display matrix says so."""
    return round(frame.rotation / 90)


def _picture(path: Path, frame: VideoFrame) -> Image:
    """float64 (3, H, W), R,G,B, 0..1, turned upright."""
    av = import_av()
    deep = max(component.bits for component in frame.format.components) > 8
    try:
        levels = frame.to_ndarray(format="rgb48le" if deep else "rgb24", interpolation=conversion_flags())
    except (av.FFmpegError, ValueError) as error:
        raise VideoError(
            f"{path}: pixels of kind {frame.format.name} with colour matrix {frame.colorspace} cannot be "
            f"converted ({error}); convert the film to yuv420p first"
        ) from None
    values = levels.astype(np.float64) * (1 / (65535 if deep else 255))
    upright = np.rot90(values, _quarter_turns(frame))
    return np.ascontiguousarray(upright.transpose(2, 0, 1))


def file_identity(paths: list[Path]) -> str:
    """A hash over names, sizes and times of change. Raises: VideoError."""
    digest = hashlib.sha256()
    for path in paths:
        try:
            status = path.stat()
        except OSError as error:
            raise VideoError(f"{path}: cannot be read: {error.strerror}") from None
        digest.update(f"{path.name}\0{status.st_size}\0{status.st_mtime_ns}\0".encode())
    return digest.hexdigest()
