"""PNG files of 8-bit RGB, byte for byte those of ``image.save``: libpng's filter choice and zlib settings.

Matches libpng 1.6.39 with its defaults over zlib, as torch/image 5aa1881 called it. Pillow's own writer
never tries the Average filter, and its wheels compress with zlib-ng, so that its files differ although the
pixels are the same. What a PNG library does not offer, and is therefore written out here, is exactly that.

An IHDR, pieces of IDAT and an IEND are all that the original's file holds; :func:`encode_png` may put
texts between the first two.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterator, Mapping
from functools import cache

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]

SIGNATURE = b"\x89PNG\r\n\x1a\n"
PIECE = 8192  # bytes of an IDAT
CHANNELS = 3
NONE, SUB, UP, AVERAGE, PAETH = range(5)
_BYTES_AT_ONCE = 1 << 17  # rows that are filtered together stay in the cache
_SMALL = 16384  # bytes of filtered rows up to which libpng declares a smaller window
OTHER_ZLIB = (
    "this Python compresses with another library than zlib (zlib-ng?): the pixels of PNG files are the "
    "original's, their bytes are not"
)
_PROBE_SHA256 = "82ac96ba8d91d8d560b68a196aa69a3083c322391edff2fcf0ac7f7dd9c56d05"  # by zlib 1.2.13


def encode_png(pixels: Bytes, texts: Mapping[str, str] | None = None) -> bytes:
    """The file of (H, W, 3) bytes. texts: by keyword, each a compressed zTXt chunk before the picture.

    Without texts these are the original's bytes wherever :func:`compresses_as_zlib`.
    """
    height, width = pixels.shape[:2]
    parts = [SIGNATURE, _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))]
    for keyword, text in (texts or {}).items():
        content = zlib.compress(text.encode("latin-1", "backslashreplace"))
        parts.append(_chunk(b"zTXt", keyword.encode("latin-1") + b"\0\0" + content))
    data = _compressed(pixels)
    parts += [_chunk(b"IDAT", data[start : start + PIECE]) for start in range(0, len(data), PIECE)]
    return b"".join([*parts, _chunk(b"IEND", b"")])


@cache
def compresses_as_zlib() -> bool:
    """Whether Python's zlib compresses as the zlib library does; zlib-ng and others give other bytes."""
    noise = np.cumsum(np.arange(40_000, dtype=np.uint32) ** 2 * np.uint32(2654435761), dtype=np.uint32)
    probe = (noise >> np.uint32(29)).astype(np.uint8).tobytes()  # short repeats of eight values
    return hashlib.sha256(_deflated([probe], zlib.Z_FILTERED)).hexdigest() == _PROBE_SHA256


def _chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(content, zlib.crc32(kind))
    return b"".join([struct.pack(">I", len(content)), kind, content, struct.pack(">I", checksum)])


def _compressed(pixels: Bytes) -> bytes:
    """The zlib stream of the filtered rows."""
    height, width = pixels.shape[:2]
    filters = _tried_filters(height, width)
    # libpng uses another strategy if no filter is tried, that is, for a picture of one pixel.
    strategy = zlib.Z_DEFAULT_STRATEGY if filters == (NONE,) else zlib.Z_FILTERED
    stream = _deflated(_filtered(pixels, filters), strategy)
    return _with_smaller_window(stream, height * (1 + CHANNELS * width))


def _deflated(pieces: Iterator[bytes] | list[bytes], strategy: int) -> bytes:
    compressor = zlib.compressobj(6, zlib.DEFLATED, 15, 8, strategy)
    return b"".join([*map(compressor.compress, pieces), compressor.flush()])


def _with_smaller_window(stream: bytes, size: int) -> bytes:
    """With the smallest window in the header that holds ``size`` bytes, if those are few (optimize_cmf)."""
    if size > _SMALL:
        return stream
    information = 7
    while information > 0 and size <= 1 << (information + 7):
        information -= 1
    first, second = information << 4 | 8, stream[1] & 0xE0
    return bytes([first, second + 31 - (first << 8 | second) % 31]) + stream[2:]


def _tried_filters(height: int, width: int) -> tuple[int, ...]:
    """As in libpng, without those that need a row above or a pixel to the left, if there is none."""
    if height == 1:
        return (NONE,) if width == 1 else (NONE, SUB)
    return (NONE, UP) if width == 1 else (NONE, SUB, UP, AVERAGE, PAETH)


def _filtered(pixels: Bytes, filters: tuple[int, ...]) -> Iterator[bytes]:
    """Rows behind their filter's number, some rows at a time.

    As in libpng, a row gets the filter whose bytes, read as signed, have the smallest sum of absolute values;
    on a tie the first.
    """
    height, width = pixels.shape[:2]
    rows = pixels.reshape(height, CHANNELS * width)
    bordered = np.zeros((height + 1, CHANNELS * (width + 1)), np.uint8)  # zero above and to the left
    bordered[1:, CHANNELS:] = rows
    strip = max(1, _BYTES_AT_ONCE // rows.shape[1])
    for top in range(0, height, strip):
        candidates = [_candidate(number, bordered[top : top + strip + 1]) for number in filters]
        costs = [np.abs(c.view(np.int8)).view(np.uint8).sum(axis=1, dtype=np.int64) for c in candidates]
        chosen = np.argmin(costs, axis=0)
        result = np.empty((len(chosen), rows.shape[1] + 1), np.uint8)
        result[:, 0] = np.take(filters, chosen)
        for index, candidate in enumerate(candidates):
            result[chosen == index, 1:] = candidate[chosen == index]
        yield result.tobytes()


def _candidate(number: int, bordered: Bytes) -> Bytes:
    """Rows under one filter, modulo 256. bordered: with the row above and one pixel to the left."""
    here, left = bordered[1:, CHANNELS:], bordered[1:, :-CHANNELS]
    above, corner = bordered[:-1, CHANNELS:], bordered[:-1, :-CHANNELS]
    if number == NONE:
        return np.ascontiguousarray(here)
    if number == SUB:
        return here - left
    if number == UP:
        return here - above
    if number == AVERAGE:
        return here - ((left & above) + ((left ^ above) >> 1))  # the mean rounded down, without a carry
    return here - _paeth(left, above, corner)


def _paeth(left: Bytes, above: Bytes, corner: Bytes) -> Bytes:
    """Of the three the nearest to left + above - corner; the first of several."""
    from_left = above.astype(np.int16) - corner  # the estimate's distance to ``left``, with its sign
    from_above = left.astype(np.int16) - corner
    from_corner = np.abs(from_left + from_above)
    np.abs(from_left, out=from_left)
    np.abs(from_above, out=from_above)
    rest = np.where(from_above <= from_corner, above, corner)
    return np.where(from_left <= np.minimum(from_above, from_corner), left, rest)
