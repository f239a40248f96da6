"""When freed memory stays with the process and when it goes back; glibc only, elsewhere nothing is done."""

import ctypes
import platform
from functools import cache

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of mallopt(3)
LARGEST = 1 << 30


@cache
def keep_freed_memory() -> None:
    """Reuse large blocks instead of returning them to the kernel and faulting them in again.

    Feature maps come and go at every evaluation; one at 512 px takes a sixth longer without this.
    """
    if _has_glibc():
        libc = ctypes.CDLL(None)
        libc.mallopt(M_TRIM_THRESHOLD, LARGEST)
        libc.mallopt(M_MMAP_THRESHOLD, LARGEST)


def return_freed_memory() -> None:
    """Give free blocks back: for once, when what comes next has blocks of other sizes."""
    if _has_glibc():
        ctypes.CDLL(None).malloc_trim(0)


@cache
def _has_glibc() -> bool:
    return platform.libc_ver()[0] == "glibc"
