"""Writes a video file: encoded frames, and the sound of another video copied packet by packet."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from core.errors import VideoError
from core.transform.video.encoder import CODEC, CODEC_OPTIONS, EncodedFrame, configure
from core.transform.video.source import Look, import_av, opened

if TYPE_CHECKING:
    from av.packet import Packet
    from av.stream import Stream

CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}
TRIAL_SIZE = (16, 16)


class VideoWriter:
    """Writes encoded frames and the sound of another video to a file; see :func:`new_video`."""

    def __init__(self, file: str | IO[bytes], target: Path, look: Look, size: tuple[int, int]) -> None:
        self._target, self._look = target, look
        self._waiting: EncodedFrame | None = None
        self._sound: Iterator[Packet[Stream]] = iter(())
        self._next_sound: Packet[Stream] | None = None
        av = import_av()
        with self._errors_named():
            self._container = av.open(file, "w", format=CONTAINERS[target.suffix.lower()])
            self._stream = self._container.add_stream(CODEC, rate=look.rate, options=dict(CODEC_OPTIONS))
            configure(self._stream.codec_context, look, size)
            self._stream.time_base = look.time_base

    def copy_sound(self, source: Any) -> None:
        """Copy all sound streams of an opened video with their languages; call before the first frame.

        Raises: VideoError: the container does not support this kind of sound.
        """
        streams: dict[int, Stream] = {}
        for stream in source.streams.audio:
            try:
                streams[stream.index] = self._container.add_stream_from_template(stream)
            except ValueError as error:
                way = (
                    "convert it to AAC first" if self._target.suffix.lower() == ".mkv" else "use a .mkv name"
                )
                raise VideoError(f"{self._target}: cannot store this sound: {error}; {way}") from None
            streams[stream.index].metadata.update(stream.metadata)
            streams[stream.index].disposition = stream.disposition
        if streams:
            self._sound = _sound_packets(source, streams)

    def start(self) -> None:
        """Write the header. Raises: VideoError: the container does not support these streams."""
        with self._errors_named():
            self._container.start_encoding()
            self._next_sound = next(self._sound, None)

    def add(self, frame: EncodedFrame) -> None:
        """Append a frame; it is written when the next frame determines its duration. Raises: VideoError."""
        if self._waiting is not None:
            self._write(self._waiting, frame.pts - self._waiting.pts)
        self._waiting = frame

    def finish(self, last_duration: int) -> None:
        """Write the last frame, the rest of the sound and the index. Raises: VideoError."""
        if self._waiting is not None:
            self._write(self._waiting, last_duration)
        self._write_sound(None)
        with self._errors_named():
            self._container.close()

    def abandon(self) -> None:
        """Close an unfinished file; errors are ignored."""
        av = import_av()
        try:
            self._container.close()
        except (av.FFmpegError, OSError):
            return  # the first error is reported, not this one

    def _write(self, frame: EncodedFrame, duration: int) -> None:
        packet = import_av().Packet(frame.data)
        packet.stream, packet.time_base = self._stream, self._look.time_base
        packet.pts = packet.dts = frame.pts
        packet.duration, packet.is_keyframe = duration, frame.is_keyframe
        self._write_sound(frame.pts * self._look.time_base)
        with self._errors_named():
            self._container.mux(packet)

    def _write_sound(self, until: Fraction | None) -> None:
        """Write the sound before a time in seconds, so that frames and sound alternate in the file."""
        while self._next_sound is not None:
            time = self._next_sound.dts if self._next_sound.dts is not None else self._next_sound.pts
            if until is not None and time is not None and time * self._next_sound.time_base > until:
                return
            with self._errors_named():
                self._container.mux(self._next_sound)
                self._next_sound = next(self._sound, None)

    @contextmanager
    def _errors_named(self) -> Iterator[None]:
        av = import_av()
        try:
            yield
        except (av.FFmpegError, OSError, ValueError) as error:
            raise VideoError(f"{self._target}: cannot be written: {error}") from None


def _sound_packets(source: Any, streams: dict[int, Stream]) -> Iterator[Packet[Stream]]:
    for packet in source.demux([source.streams[index] for index in streams]):
        if packet.size:  # the empty packet at the end only flushes decoders
            packet.stream = streams[packet.stream_index]
            yield packet


@contextmanager
def new_video(target: Path, look: Look, size: tuple[int, int], sound: Path | None) -> Iterator[VideoWriter]:
    """Context manager for a new video; the file gets its name only if the block ends without an exception.

    The block must call ``finish``. ``size``: width and height, both even. ``sound``: a video whose sound is
    copied, or None. Raises: VideoError.
    """
    try:
        descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
    except OSError as error:
        raise VideoError(f"{target}: cannot be written: {error.strerror}") from None
    os.close(descriptor)
    try:
        with _started(temporary, target, look, size, sound) as writer:
            yield writer
        mask = os.umask(0)
        os.umask(mask)
        Path(temporary).chmod(0o666 & ~mask)  # temporary files are private; use the default mode
        Path(temporary).replace(target)
    finally:
        Path(temporary).unlink(missing_ok=True)


@contextmanager
def _started(
    file: str | IO[bytes], target: Path, look: Look, size: tuple[int, int], sound: Path | None
) -> Iterator[VideoWriter]:
    writer = VideoWriter(file, target, look, size)
    try:
        if sound is None:
            writer.start()
            yield writer
        else:
            with opened(sound) as source:
                writer.copy_sound(source)
                writer.start()
                yield writer
    finally:
        writer.abandon()


def check_video_target(target: Path, look: Look | None = None, sound: Path | None = None) -> None:
    """Check before any work that the video can be written with this sound. Raises: VideoError."""
    if target.suffix.lower() not in CONTAINERS:
        known = ", ".join(CONTAINERS)
        raise VideoError(f"{target}: unknown video format '{target.suffix}'; the name must end in {known}")
    if not target.parent.is_dir():
        raise VideoError(f"{target}: the folder {target.parent} does not exist; create it first")
    if (target.exists() and not target.is_file()) or not os.access(target.parent, os.W_OK | os.X_OK):
        raise VideoError(f"{target}: cannot be written; check the name and the folder's permissions")
    trial = look or Look(Fraction(1, 90000), Fraction(25))
    with _started(io.BytesIO(), target, replace(trial, pixel_aspect=None), TRIAL_SIZE, sound) as writer:
        writer.finish(1)
