"""Pictures into H.264 by libx264.

Decided: CRF 17, hardly to be told from the source. Y,U,V with half the colour resolution (yuv420p), which
every player takes; it needs even sides, so the last row or column of an odd picture is cut off, rather than
one invented or everything scaled. No B-frames: frames are stored in the order of showing, so the times of any
film, also with variable frame rate, survive in any container, and parts encoded separately follow each other
without overlapping times; the file is somewhat larger.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.errors import VideoError
from core.transform.video.source import Look, conversion_flags, import_av

if TYPE_CHECKING:
    from av.video.codeccontext import VideoCodecContext

CODEC = "libx264"
# mbtree off: with it, equal frames gave other bytes in one run of some 250 (libx264 in PyAV 18.1), so that a
# resumed film would not equal the uninterrupted one.
CODEC_OPTIONS = {"crf": "17", "preset": "medium", "bf": "0", "mbtree": "0"}


class EncodedFrame(NamedTuple):
    """A frame in H.264: bytes, time in units of the look's time base, whether decoding can start here."""

    data: bytes
    pts: int
    is_keyframe: bool


def even_size(height: int, width: int) -> tuple[int, int]:
    """Width and height of the film for pictures of this size. Raises: VideoError: nothing would be left."""
    if min(height, width) < 2:
        raise VideoError(f"frames of {width}x{height} pixels: a film needs at least 2x2; use larger ones")
    return width // 2 * 2, height // 2 * 2


def configure(context: VideoCodecContext, look: Look, size: tuple[int, int]) -> None:
    """Make two encoders alike, so that the header of one fits the frames of the other."""
    context.width, context.height = size
    context.pix_fmt = "yuv420p"
    context.time_base = look.time_base
    context.framerate = look.rate
    context.color_range, context.colorspace = look.color_range, look.matrix
    context.color_primaries, context.color_trc = look.primaries, look.transfer
    if look.pixel_aspect:
        context.sample_aspect_ratio = look.pixel_aspect


class Encoder:
    """Frames of one size into H.264; the first is a keyframe. Times must increase."""

    def __init__(self, look: Look, size: tuple[int, int]) -> None:
        av = import_av()
        from av.codec.context import Flags

        self._look, self._size, self._flags = look, size, conversion_flags()
        try:
            self._context = av.CodecContext.create(CODEC, "w")
        except (av.FFmpegError, ValueError):
            raise VideoError("this PyAV has no libx264: pip install --force-reinstall av") from None
        configure(self._context, look, size)
        self._context.flags |= Flags.global_header
        self._context.options = CODEC_OPTIONS

    def encode(self, pixels: NDArray[np.uint8], pts: int) -> list[EncodedFrame]:
        """Take a frame, (H, W, 3) R,G,B bytes of at least the film's size; give those that are ready."""
        av = import_av()
        width, height = self._size
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels[:height, :width]), format="rgb24")
        picture.colorspace = self._look.matrix
        frame = picture.reformat(
            format="yuv420p", interpolation=self._flags, dst_color_range=self._look.color_range or None
        )
        frame.pts, frame.time_base = pts, self._look.time_base
        return self._taken(frame)

    def finish(self) -> list[EncodedFrame]:
        """The frames still inside."""
        return self._taken(None)

    def _taken(self, frame: Any) -> list[EncodedFrame]:
        av = import_av()
        try:
            packets = self._context.encode(frame)
        except av.FFmpegError as error:
            width, height = self._size
            raise VideoError(f"frames of {width}x{height} cannot be encoded: {error.strerror}") from None
        return [EncodedFrame(bytes(packet), packet.pts, packet.is_keyframe) for packet in packets]
