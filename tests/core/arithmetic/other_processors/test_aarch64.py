"""The kernel on an ARM processor (NEON), emulated: the bits of this processor's.

Needs Debian's gcc-aarch64-linux-gnu and qemu-user-static; skipped without them.
"""

import shutil
import subprocess

import numpy as np
import pytest

from core.arithmetic.kernel import library
from core.arithmetic.operations import Window
from core.arithmetic.torch7 import Torch7Arithmetic
from tests.conftest import ROOT

HERE = ROOT / "tests" / "core" / "arithmetic" / "other_processors"
SOURCE = ROOT / "core" / "arithmetic" / "kernel" / "source"
COMPILER, EMULATOR = "aarch64-linux-gnu-gcc", "qemu-aarch64-static"
pytestmark = [
    pytest.mark.skipif(
        not (shutil.which(COMPILER) and shutil.which(EMULATOR)), reason=f"{COMPILER} or {EMULATOR} is absent"
    ),
    pytest.mark.skipif(library.load() is None, reason="the kernel was not built: there is no C compiler"),
]
RNG = np.random.default_rng(31)
SAME = Window((3, 3), (1, 1), (1, 1))
CONVOLUTIONS = [
    (SAME, 3, 64, 21, 37),
    (SAME, 36, 28, 33, 24),
    (SAME, 13, 330, 9, 12),
    (SAME, 64, 20, 12, 16),
    (Window((3, 3)), 7, 13, 20, 19),
    (Window((5, 2), (2, 3), (1, 2)), 4, 17, 19, 23),
    (Window((11, 11), (4, 4)), 3, 24, 43, 39),
]


def random(*shape):
    return RNG.standard_normal(shape, dtype=np.float32)


def cases(arithmetic):
    """Everything for the driver: headers, inputs and what this processor makes of them."""
    for window, n_in, n_out, height, width in CONVOLUTIONS:
        x, weight, bias = random(n_in, height, width), random(n_out, n_in, *window.kernel), random(n_out)
        parameters = arithmetic.convolution(weight, bias, 1)
        out = arithmetic.convolve(x, parameters, window)
        grad = random(*out.shape)
        sizes = [*x.shape, *window.kernel, *window.stride, *window.padding, *out.shape[1:], n_out]
        yield np.array(sizes, np.int64)
        yield from (x, weight, bias, grad, out, arithmetic.convolve_backward(grad, parameters, window, x))
    for channels, height, width in ((5, 7, 9), (64, 31, 17), (100, 3, 200)):
        x, y = random(channels, height, width), random(channels, height, width)
        yield np.array([channels, height * width, *[0] * 10], np.int64)
        yield from (
            x,
            y,
            arithmetic.gram(x),
            np.float32(arithmetic.dot(x, y)),
            arithmetic.axpy_(0.37, x, y.copy()),
        )


def test_neon_has_the_same_bits(tmp_path):
    program = tmp_path / "driver"
    flags = ["-std=c11", "-O3", "-ffp-contract=off", "-fno-fast-math", "-static", f"-I{SOURCE}"]
    sources = [HERE / "driver.c", SOURCE / "kernel_portable.c", SOURCE / "columns.c"]
    subprocess.run([COMPILER, *flags, *map(str, sources), "-o", str(program), "-lm"], check=True)
    given = b"".join(part.tobytes() for part in cases(Torch7Arithmetic(1)))
    done = subprocess.run([EMULATOR, str(program)], input=given, capture_output=True)
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert b"8 rows a tile: 0 of" in done.stdout
