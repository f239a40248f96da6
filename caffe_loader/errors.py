"""The package's only error: a model file that cannot be used. The message is one line."""

from __future__ import annotations

from pathlib import Path


class CaffemodelError(ValueError):
    """A caffemodel cannot be read or turned into a network; the message is one complete line.

    The form is "FILE: layer 'NAME' (byte N): cause; what to do". Layer and byte are left out if unknown.
    """

    def __init__(self, path: Path | str, cause: str, *, layer: str | None = None, offset: int | None = None):
        place = []
        if layer is not None:
            place.append(f"layer {quoted(layer)}")
        if offset is not None:
            place.append(f"(byte {offset})" if place else f"byte {offset}")
        super().__init__(": ".join([printable(str(path)), *([" ".join(place)] if place else []), cause]))


def printable(text: str) -> str:
    """``text`` on one line, with control characters (line ends, terminal escapes) shown as escapes."""
    return text if text.isprintable() else repr(text)[1:-1]


def quoted(name: str) -> str:
    """``name`` in quotes, on one line, cut to 60 characters."""
    shown = printable(name)
    return f"'{shown if len(shown) <= 60 else shown[:57] + '...'}'"
