"""The compiled functions behind ctypes, which releases the interpreter lock while they run.

The structures repeat ``source/windows.h``. Arguments are checked by ``products.py`` and ``elementwise.py``.
"""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Callable, Mapping
from ctypes import POINTER, c_float, c_int, c_long, c_void_p
from functools import cache
from importlib.util import find_spec
from typing import Any, ClassVar, NamedTuple

import numpy as np

from core.arithmetic.operations import Window

INTERFACE = 2  # of source/processor.c: a library of another number is not used
VECTORS = ("portable", "avx2", "avx512")  # as widest_vectors() counts them
SIZES = ("tile_rows", "rows_at_once", "scratch_rows")
MATRIX, TRANSPOSED, WINDOWS = range(3)
Pointer = c_void_p


class Windows(ctypes.Structure):
    """A sliding window over a picture."""

    _fields_: ClassVar[list[Any]] = [
        (name, c_long)
        for name in (
            "channels", "height", "width", "kernel_height", "kernel_width",
            "stride_y", "stride_x", "padding_y", "padding_x", "out_height", "out_width",
        )
    ]  # fmt: skip

    @classmethod
    def of(cls, window: Window, shape: tuple[int, ...], size: tuple[int, ...]) -> Windows:
        """For an input of ``shape`` (C, H, W) and an output of ``size`` (H', W')."""
        return cls(*shape, *window.kernel, *window.stride, *window.padding, *size)


class Factor(ctypes.Structure):
    """Where a product's first factor is read from."""

    _fields_: ClassVar[list[Any]] = [
        ("kind", c_long),
        ("data", Pointer),
        ("leading", c_long),
        ("window", Windows),
    ]


class Result(ctypes.Structure):
    """Where a product's sums begin, and where they go."""

    _fields_: ClassVar[list[Any]] = [
        ("data", Pointer),
        ("leading", c_long),
        ("bias", Pointer),
        ("keeps", c_long),
    ]


class Region(ctypes.Structure):
    """The part of a product that one call computes."""

    _fields_: ClassVar[list[Any]] = [
        ("row", c_long),
        ("row_end", c_long),
        ("panel", c_long),
        ("panel_end", c_long),
    ]


_SIGNATURES: Mapping[str, tuple[Any, list[Any]]] = {
    "product": (
        None,
        [POINTER(Factor), Pointer, POINTER(Result), POINTER(Region), c_long, c_long, c_long, Pointer],
    ),
    "convolve_backward": (
        None,
        [POINTER(Windows), Pointer, c_long, Pointer, Pointer, *[c_long] * 5, Pointer],
    ),
    "gram": (None, [Pointer, c_long, c_long, Pointer, c_long, c_long, Pointer]),
    "dot": (c_float, [c_long, Pointer, Pointer]),
    "axpy": (None, [c_long, c_float, Pointer, Pointer]),
    "gate": (None, [c_long, Pointer, Pointer]),
    "scaled_sum": (None, [c_long, c_float, Pointer, Pointer]),
    "max_pool": (None, [POINTER(Windows), Pointer, Pointer, Pointer, c_long, c_long]),
    "max_pool_backward": (None, [POINTER(Windows), Pointer, Pointer, Pointer, c_long, c_long]),
}


class Functions(NamedTuple):
    """The compiled functions for one vector width.

    vectors: one of VECTORS.  instructions: the processor's, for a person.
    tile_rows: rows of a product are best cut at multiples of it.
    rows_at_once: rows that one call packs at a time, at most.
    scratch_rows: rows of scratch memory that it needs for them.
    """

    vectors: str
    instructions: str
    tile_rows: int
    rows_at_once: int
    scratch_rows: int
    product: Callable[..., None]
    convolve_backward: Callable[..., None]
    gram: Callable[..., None]
    dot: Callable[..., float]
    axpy: Callable[..., None]
    gate: Callable[..., None]
    scaled_sum: Callable[..., None]
    max_pool: Callable[..., None]
    max_pool_backward: Callable[..., None]
    pack_columns: Callable[..., None]


@cache
def load(vectors: str | None = None) -> Functions | None:
    """The functions for the widest vectors of this processor, or for those named; None: not built.

    Raises: ValueError: a width that this processor or library does not have.
    """
    library = _library()
    if library is None:
        return None
    widest = library.widest_vectors()
    chosen = VECTORS[widest] if vectors is None else vectors
    if chosen not in VECTORS[: widest + 1]:
        raise ValueError(f"this processor has no {chosen} vectors, only {', '.join(VECTORS[: widest + 1])}")
    found: dict[str, Any] = {
        name: _function(library, f"{name}_{chosen}", *signature) for name, signature in _SIGNATURES.items()
    }
    found |= {name: c_long.in_dll(library, f"{name}_{chosen}").value for name in SIZES}
    arguments = [c_int, c_long, c_long, Pointer, c_long, Pointer]
    found["pack_columns"] = _function(library, "pack_columns", None, arguments)
    return Functions(chosen, _instructions(chosen), **found)


def _instructions(vectors: str) -> str:
    if vectors == "portable":
        return "NEON" if platform.machine() in ("aarch64", "arm64") else "plain C"
    return {"avx2": "AVX2", "avx512": "AVX-512"}[vectors]


def _library() -> ctypes.CDLL | None:
    """The shared library, where it was built and is of this interface."""
    spec = find_spec("core.arithmetic.kernel._products")
    if spec is None or spec.origin is None:
        return None
    try:
        library = ctypes.CDLL(spec.origin)
        interface = c_long.in_dll(library, "products_interface").value
    except (OSError, ValueError):  # for another processor or system, or older than this file
        return None
    return library if interface == INTERFACE else None


def _function(library: ctypes.CDLL, name: str, result: Any, arguments: list[Any]) -> Callable[..., Any]:
    function = library[name]
    function.restype, function.argtypes = result, arguments
    return function


def address(array: np.ndarray[Any, Any]) -> int:
    """Where an array's first element lies."""
    return int(array.ctypes.data)
