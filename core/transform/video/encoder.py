"""Encodes pictures as H.264 with libx264.

Settings: CRF 17, which is hard to tell from the source. yuv420p (half the colour resolution), which every
player supports; it needs even sides, so the last row or column of an odd picture is cut off. No B-frames:
frames are stored in display order. This keeps the times of any video, also with variable frame rate, in any
container, and lets separately encoded parts follow each other. The file becomes somewhat larger.
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
# mbtree is off: with it, about one run in 250 gave other bytes for equal frames (libx264 in PyAV 18.1), and a
# resumed video must equal an uninterrupted one.
CODEC_OPTIONS = {"crf": "17", "preset": "medium", "bf": "0", "mbtree": "0"}


class EncodedFrame(NamedTuple):
    """An encoded H.264 frame: bytes, time in units of the time base, whether decoding can start here."""

    data: bytes
    pts: int
    is_keyframe: bool


def even_size(height: int, width: int) -> tuple[int, int]:
    """(width, height) of the video for pictures of this size, both even. Raises: VideoError: too small."""
    if min(height, width) < 2:
        raise VideoError(f"frames of {width}x{height} pixels: a video needs at least 2x2; use larger ones")
    return width // 2 * 2, height // 2 * 2


def configure(context: VideoCodecContext, look: Look, size: tuple[int, int]) -> None:
    """Set size and colours of an encoder. The header of one encoder then fits the frames of another."""
    context.width, context.height = size
    context.pix_fmt = "yuv420p"
    context.time_base = look.time_base
    context.framerate = look.rate
    context.color_range, context.colorspace = look.color_range, look.matrix
    context.color_primaries, context.color_trc = look.primaries, look.transfer
    if look.pixel_aspect:
        context.sample_aspect_ratio = look.pixel_aspect


class Encoder:
    """Encodes frames of one size as H.264; the first frame is a keyframe. Times must increase."""

    def __init__(self, look: Look, size: tuple[int, int]) -> None:
        av = import_av()
        from av.codec.context import Flags

        self._look, self._size, self._flags = look, size, conversion_flags()
        try:
            self._context = av.CodecContext.create(CODEC, "w")
        except (av.FFmpegError, ValueError):
            raise VideoError(
                "the installed PyAV has no libx264 encoder; run pip install --force-reinstall av"
            ) from None
        configure(self._context, look, size)
        self._context.flags |= Flags.global_header
        self._context.options = CODEC_OPTIONS

    def encode(self, pixels: NDArray[np.uint8], pts: int) -> list[EncodedFrame]:
        """Encode a frame, uint8 (H, W, 3) RGB, at least as large as the video; returns finished frames."""
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
        """Flush the encoder and return its remaining frames."""
        return self._taken(None)

    def _taken(self, frame: Any) -> list[EncodedFrame]:
        av = import_av()
        try:
            packets = self._context.encode(frame)
        except av.FFmpegError as error:
            width, height = self._size
            raise VideoError(f"frames of {width}x{height} cannot be encoded: {error.strerror}") from None
        return [EncodedFrame(bytes(packet), packet.pts, packet.is_keyframe) for packet in packets]
