"""The device of these tests, usually PoCL on the processor; without one they say why and are skipped."""

import pytest

from core.arithmetic.blas import blas_build
from core.arithmetic.opencl.device import find_devices
from core.arithmetic.opencl.tiling import Tiling
from core.arithmetic.torch7 import Torch7Arithmetic


@pytest.fixture(scope="session")
def device():
    found = find_devices()
    if not found.devices:
        pytest.skip(found.reason)
    return found.devices[0]


@pytest.fixture(scope="session")
def ours(device):
    """The arithmetic as it is used on this device."""
    from core.arithmetic.opencl.arithmetic import OpenClArithmetic

    return OpenClArithmetic(device, 1)


@pytest.fixture(scope="session")
def in_groups(device):
    """The same with work groups of several work items, local memory and barriers, as on a graphics card."""
    from core.arithmetic.opencl.arithmetic import OpenClArithmetic

    arithmetic = OpenClArithmetic(device, 1)
    arithmetic.engine.is_cpu = False
    arithmetic.engine.plain_tiling = Tiling(4, 1, 2, 4, 2, 8)
    arithmetic.engine.double_tiling = Tiling(4, 1, 2, 4, 2, 8)
    return arithmetic


@pytest.fixture(scope="session")
def theirs():
    """Torch7's bits from the processor."""
    if not blas_build().matches_reference:
        pytest.skip("no reference here: this machine's BLAS has other bits than Torch7's")
    return Torch7Arithmetic(1)


@pytest.fixture(params=["ours", "in_groups"])
def each_way(request):
    """Both cuts into work groups."""
    return request.getfixturevalue(request.param)
