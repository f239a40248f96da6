"""Which device -gpu N -backend clnn takes, and which ones it refuses."""

from types import SimpleNamespace

import numpy as np
import pytest

from core.arithmetic.opencl import device as devices
from core.arithmetic.opencl.device import Found, check_exact, find_devices
from core.arithmetic.opencl.tiling import choose_tilings
from core.devices import choose
from core.doctor import ABSENT, FINE, _opencl
from core.errors import DeviceError
from core.records.identity import differences
from core.settings.neural_style import Settings

CLNN = Settings(backend="clnn", gpu="0", threads=1)


def test_clnn_takes_the_device(device):
    placement = choose(CLNN)
    assert placement.kind == "opencl"
    assert placement.devices == (f"opencl:0 ({device.name}, driver {device.driver_version})",)
    assert choose(CLNN.replace(arithmetic="torch7")).kind == "opencl"


def test_a_negative_number_and_other_backends_stay_where_they_were(device):
    assert choose(CLNN.replace(gpu="-1")).kind == "torch7"
    assert choose(CLNN.replace(gpu="-1", backend="nn")).kind == "torch7"
    assert choose(CLNN.replace(arithmetic="native", gpu="-1")).kind == "native"


def test_a_number_without_a_device(device):
    with pytest.raises(DeviceError, match="-gpu 99 -backend clnn: there is no such OpenCL device"):
        choose(CLNN.replace(gpu="99"))


def test_without_any_device_the_cpu_gives_the_same_picture(monkeypatch):
    monkeypatch.setattr(devices, "find_devices", lambda: Found((), "no OpenCL platform"))
    placement = choose(CLNN)
    assert (placement.kind, placement.devices) == ("torch7", ("cpu",))
    assert "-backend clnn: no OpenCL platform; running on the CPU" in placement.notices[0]


def fake(features, kind=4, name="card"):
    return SimpleNamespace(single_fp_config=features, type=kind, name=name)


def test_a_device_that_lacks_something_is_refused_with_the_reason(device):
    import pyopencl as cl

    has = cl.device_fp_config
    everything = has.FMA | has.DENORM | has.CORRECTLY_ROUNDED_DIVIDE_SQRT | has.ROUND_TO_NEAREST | has.INF_NAN
    assert Found((fake(everything),)).pick(0).name == "card"
    for lacking, reason in (
        (has.FMA, "no fused multiply-add"),
        (has.DENORM, "no subnormal numbers"),
        (has.CORRECTLY_ROUNDED_DIVIDE_SQRT, "no correctly rounded division and square root"),
    ):
        with pytest.raises(DeviceError, match=rf"card cannot compute the exact picture: it has {reason}"):
            Found((fake(everything & ~lacking),)).pick(0)


def test_graphics_cards_come_first(device, monkeypatch):
    import pyopencl as cl

    kinds = cl.device_type
    named = [fake(0, kinds.CPU, "cpu"), fake(0, kinds.ACCELERATOR, "board"), fake(0, kinds.GPU, "gpu")]
    monkeypatch.setattr(cl, "get_platforms", lambda: [SimpleNamespace(get_devices=lambda: named)])
    assert [found.name for found in find_devices().devices] == ["gpu", "board", "cpu"]


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        (0, "division is not correctly rounded"),
        (1, "square root is not correctly rounded"),
        (2, "fused multiply-add rounds twice"),
        (3, "multiplication and subtraction are fused"),
        (4, "subnormal number"),
    ],
)
def test_a_device_that_computes_otherwise_is_refused(ours, monkeypatch, wrong, complaint):
    """The n-th of the five results is wrong in one last bit."""
    engine, download = ours.engine, ours.engine.download
    calls = iter(range(5))

    def downloaded(array):
        values, event = download(array)
        if next(calls) == wrong:
            values[-1] = np.nextafter(values[-1], np.float32(9))
        return values, event

    monkeypatch.setattr(engine, "download", downloaded)
    with pytest.raises(DeviceError, match=complaint):
        check_exact(engine)


def test_a_picture_too_large_for_the_device(ours):
    with pytest.raises(DeviceError, match=r"has no arrays of .* MiB; lower -image_size"):
        ours.engine.empty((64, 1 << 14, 1 << 14))


def test_tilings_fit_small_devices():
    small = SimpleNamespace(max_work_group_size=32, local_mem_size=16 << 10)
    for tiling in choose_tilings(small, is_cpu=False):
        assert tiling.across * tiling.down <= 32
        assert tiling.local_bytes <= 16 << 10
    large = SimpleNamespace(max_work_group_size=1024, local_mem_size=48 << 10)
    assert choose_tilings(large, is_cpu=False)[0].height == 128


def test_doctor_lists_the_devices_by_name(device, monkeypatch):
    finding = next(_opencl())
    assert (finding.what, finding.state) == ("OpenCL -gpu 0", FINE)
    assert device.name in finding.message
    monkeypatch.setattr(devices, "missing_features", lambda _: ["fused multiply-add"])
    finding = next(_opencl())
    assert (finding.state, "it has no fused multiply-add" in finding.message) == (ABSENT, True)
    monkeypatch.setattr(devices, "find_devices", lambda: Found((), "no OpenCL platform"))
    assert [found.message for found in _opencl()] == ["no OpenCL platform"]


def test_records_of_the_processor_and_the_device_are_of_one_picture():
    cpu = {"settings": {"backend": "nn"}, "inputs": {}, "arithmetic": "torch7", "devices": ["cpu"]}
    opencl = {"settings": {"backend": "clnn"}, "inputs": {}, "arithmetic": "opencl", "devices": ["opencl:0"]}
    native = {**opencl, "arithmetic": "native", "devices": ["cuda:0"]}
    assert differences(cpu, opencl, Settings) == []
    assert len(differences(cpu, native, Settings)) == 3
