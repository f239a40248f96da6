"""Calls SciPy's OpenBLAS with one thread per call, which gives the bits of Torch7 with one BLAS thread.

The routines are called by their C function pointers (the capsules of ``scipy.linalg.cython_blas``). The
bits are those of ``scipy.linalg.blas``, but ctypes releases the interpreter lock, so several threads can
each compute a product.

Splitting a product can change its last bits. These splits do not, as measured with OpenBLAS's Haswell
kernel (tests/core/arithmetic/test_blas.py checks them for random shapes):

* columns of the (column-major) result: at multiples of 12, the width of a packed panel;
* rows: at multiples of 640, two blocks of the kernel's 320. The last piece must keep at least 640 rows. If
  the number of columns leaves a remainder of 8 to 11 when divided by 12, the kernel computes the first 320
  rows of every call by another routine for the last of these columns. :func:`sgemm_rows` therefore starts a
  piece 320 rows earlier for them and drops the extra rows.

With any other kernel no product is split. So the number of threads never changes a picture.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from core.arithmetic.workers import Float32

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

COLUMN_CUT = 12
ROW_CUT = 640
ROW_LEAD = 320
LATE_REMAINDER = 8  # of the columns divided by COLUMN_CUT
REFERENCE_KERNELS = ("Haswell", "Zen")  # both give the same bits; the goldens were made with the first


class BlasBuild(NamedTuple):
    """The BLAS that comes with SciPy: library ('openblas', ...), version, and the kernel in use."""

    library: str
    version: str
    kernel: str

    @property
    def description(self) -> str:
        """For a person."""
        return f"{self.library} {self.version}, kernel {self.kernel}"

    @property
    def matches_reference(self) -> bool:
        """Whether matrix products have the bits of the reference runs."""
        return self.library == "openblas" and self.kernel in REFERENCE_KERNELS


def _prefer_reference_kernel() -> None:
    """Select OpenBLAS's Haswell kernel, before OpenBLAS is loaded, if the processor has AVX2 and FMA.

    By default OpenBLAS uses a kernel for the newest instruction set it finds, which gives other bits.
    A value that the user has set is kept.
    """
    if "scipy.linalg" not in sys.modules and has_avx2_and_fma(processor_features()):
        os.environ.setdefault("OPENBLAS_CORETYPE", "Haswell")


def processor_features() -> Mapping[str, bool]:
    """The processor's instruction sets by NumPy's names, on any system. Empty if NumPy has no list."""
    try:
        from numpy._core._multiarray_umath import __cpu_features__
    except ImportError:  # NumPy's own list is not part of its public interface
        return {}
    features: Mapping[str, bool] = __cpu_features__
    return features


def has_avx2_and_fma(features: Mapping[str, bool]) -> bool:
    """Whether ``features`` name AVX2 and FMA, one by one or as the level x86-64-v3 that includes both."""
    return bool(features.get("X86_V3") or (features.get("AVX2") and features.get("FMA3")))


_prefer_reference_kernel()


@cache
def blas_build() -> BlasBuild:
    """The BLAS that :func:`sgemm` calls."""
    for library in _scipy_blas().info():
        return BlasBuild(
            str(library["internal_api"]),
            str(library["version"]),
            str(library.get("architecture", "unknown")),
        )
    return BlasBuild("unknown", "unknown", "unknown")


def _scipy_blas() -> ThreadpoolController:
    """SciPy's own BLAS, not NumPy's copy. All loaded BLAS libraries if SciPy has no copy of its own."""
    import scipy.linalg.cython_blas  # noqa: F401  (loads the library)
    from threadpoolctl import ThreadpoolController

    controller = ThreadpoolController()
    blas = controller.select(user_api="blas")
    of_scipy = [library["filepath"] for library in blas.info() if "scipy.libs" in library["filepath"]]
    return controller.select(filepath=of_scipy) if of_scipy else blas


def single_threaded_blas() -> None:
    """Limit every BLAS call of this process to one thread (with two, products are split differently)."""
    _scipy_blas().limit(limits=1)


@cache
def _routine(name: str, result: Any, arguments: int) -> Callable[..., Any]:
    """A Fortran routine; SciPy is loaded with the first, which takes a quarter of a second."""
    from scipy.linalg import cython_blas

    single_threaded_blas()
    capsules: dict[str, object] = dict(cython_blas.__pyx_capi__)
    capsule = capsules[name]
    get_name = ctypes.pythonapi.PyCapsule_GetName
    get_name.restype, get_name.argtypes = ctypes.c_char_p, [ctypes.py_object]
    get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
    get_pointer.restype, get_pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    address = get_pointer(capsule, get_name(capsule))
    assert address is not None
    return ctypes.CFUNCTYPE(result, *[ctypes.c_void_p] * arguments)(address)


def _int(value: int) -> Any:
    return ctypes.byref(ctypes.c_int(value))


def _float(value: float) -> Any:
    return ctypes.byref(ctypes.c_float(value))


class Matrix(NamedTuple):
    """A column-major float32 matrix in an array: the address of its first element, its leading dimension."""

    address: int
    leading: int

    @classmethod
    def of(cls, array: Float32) -> Matrix:
        """The transpose of a C-contiguous 2-D array, which is column-major. No copy is made."""
        assert array.dtype == np.float32 and array.flags.c_contiguous
        return cls(array.ctypes.data, array.shape[-1])

    def row(self, index: int) -> Matrix:
        """The same matrix without its first ``index`` rows."""
        return Matrix(self.address + 4 * index, self.leading)

    def column(self, index: int) -> Matrix:
        """The same matrix without its first ``index`` columns."""
        return Matrix(self.address + 4 * index * self.leading, self.leading)


def sgemm(ta: bytes, tb: bytes, m: int, n: int, k: int, a: Matrix, b: Matrix, beta: float, c: Matrix) -> None:
    """``C = op(A) op(B) + beta C`` with a column-major m x n matrix C, on the calling thread.

    ``ta`` and ``tb`` are ``b"n"`` or ``b"t"`` (transposed). The caller must keep the arrays alive.
    """
    _routine("sgemm", None, 13)(
        ctypes.c_char_p(ta), ctypes.c_char_p(tb), _int(m), _int(n), _int(k), _float(1.0),
        a.address, _int(a.leading), b.address, _int(b.leading), _float(beta), c.address, _int(c.leading),
    )  # fmt: skip


def lead_rows(start: int, columns: int) -> int:
    """How many rows before ``start`` :func:`sgemm_rows` needs of its first factor."""
    return ROW_LEAD if start > 0 and columns % COLUMN_CUT >= LATE_REMAINDER else 0


def sgemm_rows(tb: bytes, start: int, k: int, a: Matrix, b: Matrix, beta: float, c: Float32) -> None:
    """Rows of ``C = A op(B) + beta C`` from ``start`` on, with the bits of the whole product.

    a: A without its first ``start`` rows; :func:`lead_rows` of those stand in memory before it.
    c: (columns, rows) array, rows contiguous: the piece of C, changed.
    """
    columns, rows = c.shape
    lead = lead_rows(start, columns)
    late = columns % COLUMN_CUT if lead else 0
    if columns > late:
        sgemm(b"n", tb, rows, columns - late, k, a, b, beta, Matrix(c.ctypes.data, c.strides[0] // 4))
    if late:
        piece = np.zeros((late, lead + rows), np.float32)
        piece[:, lead:] = c[-late:]
        rest = b.column(columns - late) if tb == b"n" else b.row(columns - late)
        sgemm(b"n", tb, lead + rows, late, k, a.row(-lead), rest, beta, Matrix.of(piece))
        c[-late:] = piece[:, lead:]


def sgemv(transpose: bool, matrix: Float32, x: Float32, beta: float, y: Float32) -> None:
    """``y = M x + beta y``, or with ``M^T`` if ``transpose``, in place. M is C-contiguous (rows, columns)."""
    rows, columns = matrix.shape
    trans = b"n" if transpose else b"t"  # the column-major view is already the transpose
    _routine("sgemv", None, 11)(
        ctypes.c_char_p(trans), _int(columns), _int(rows), _float(1.0), matrix.ctypes.data, _int(columns),
        x.ctypes.data, _int(1), _float(beta), y.ctypes.data, _int(1),
    )  # fmt: skip


def saxpy(alpha: float, x: Float32, y: Float32) -> None:
    """``y += alpha x`` in place, for contiguous arrays (with fused multiply-add if the kernel has it)."""
    assert x.flags.c_contiguous and y.flags.c_contiguous and x.size == y.size
    _routine("saxpy", None, 6)(_int(x.size), _float(alpha), x.ctypes.data, _int(1), y.ctypes.data, _int(1))


def sdot(x: Float32, y: Float32) -> float:
    """The float32 dot product of two contiguous arrays, as a Python float."""
    assert x.flags.c_contiguous and y.flags.c_contiguous and x.size == y.size
    return float(
        _routine("sdot", ctypes.c_float, 5)(_int(x.size), x.ctypes.data, _int(1), y.ctypes.data, _int(1))
    )
