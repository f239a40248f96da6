"""What a file is that is not a caffemodel, told from its first bytes."""

from __future__ import annotations

import re

HEAD_BYTES = 4096

_KINDS: tuple[tuple[re.Pattern[bytes], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), cause)
    for pattern, cause in (
        (
            rb"(\xef\xbb\xbf)?\s*(<!doctype html|<html|<head|<\?xml|<!--)",
            "is a web page, not a model (a server's HTML answer); download it again, from another mirror",
        ),
        (
            rb"version https://git-lfs",
            "is a Git LFS pointer, not the model itself; run `git lfs pull` where it came from",
        ),
        (
            rb"PK\x03\x04",
            "is a zip archive, perhaps a PyTorch .pth; unpack it, or give the original .caffemodel",
        ),
        (rb"\x80[\x02-\x05]", "is a Python pickle, perhaps a PyTorch .pth; give the original .caffemodel"),
        (rb"\x1f\x8b|BZh|\xfd7zXZ|7z\xbc\xaf", "is a compressed archive; unpack it first"),
        (rb"\x89HDF\r\n", "is an HDF5 file (.caffemodel.h5); give the binary protobuf .caffemodel"),
        (
            rb"[\x01-\x04]\x00\x00\x00|[1-4]\r?\n\d+\r?\n",
            "is a Torch7 .t7 file; give the Caffe original, a .caffemodel",
        ),
        (
            rb"(\s|#[^\n]*\n)*(name|layers?|input|input_dim|input_shape|state|force_backward)\s*[:{]",
            "is a prototxt, the text description of a network; give the .caffemodel with the weights",
        ),
    )
)


def describe(head: bytes) -> str | None:
    """The cause to report for a file that starts with ``head``, or None if nothing is recognised."""
    for pattern, cause in _KINDS:
        if pattern.match(head):
            return cause
    return None
