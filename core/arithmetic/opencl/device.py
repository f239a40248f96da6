"""The OpenCL devices of this machine, and whether one can compute exactly."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from core.errors import DeviceError

HOW_TO_INSTALL = "pip install 'neural-style-exact[opencl]'"
NO_PLATFORM = (
    "no OpenCL platform: install the OpenCL driver of your graphics card, or PoCL for the processor "
    "(Debian: apt install pocl-opencl-icd)"
)
SAMPLES = 4096


class Found(NamedTuple):
    """All devices in the order of -gpu, graphics cards first; or why there is none."""

    devices: tuple[Any, ...]
    reason: str = ""

    def pick(self, number: int) -> Any:
        """The device of this number. Raises: DeviceError: there is none, or it cannot compute exactly."""
        if number >= len(self.devices):
            raise DeviceError(
                f"-gpu {number} -backend clnn: there is no such OpenCL device; this machine has "
                f"{len(self.devices)}, counted from 0 (nstyle doctor lists them)"
            )
        device = self.devices[number]
        missing = missing_features(device)
        if missing:
            raise DeviceError(
                f"-gpu {number} -backend clnn: {device.name.strip()} cannot compute the exact picture: it "
                f"has no {', no '.join(missing)}; use -gpu -1, or -backend nn"
            )
        return device


def find_devices() -> Found:
    """Every OpenCL device of every platform."""
    try:
        import pyopencl as cl
    except ImportError:
        return Found((), f"pyopencl is not installed: {HOW_TO_INSTALL}")
    try:
        devices = [device for platform in cl.get_platforms() for device in platform.get_devices()]
    except cl.Error:
        devices = []
    kinds = (cl.device_type.GPU, cl.device_type.ACCELERATOR)
    ordered = sorted(devices, key=lambda device: [not device.type & kind for kind in kinds])
    return Found(tuple(ordered), "" if ordered else NO_PLATFORM)


def full_name(number: int, device: Any) -> str:
    """As records and the plan show it: 'opencl:0 (NVIDIA H100, driver 550.1)'."""
    return f"opencl:{number} ({device.name.strip()}, driver {device.driver_version.strip()})"


def missing_features(device: Any) -> list[str]:
    """What exact results need and the device says it has not."""
    import pyopencl as cl

    has = device.single_fp_config
    needs = {
        "fused multiply-add (CL_FP_FMA)": cl.device_fp_config.FMA,
        "subnormal numbers (CL_FP_DENORM)": cl.device_fp_config.DENORM,
        "correctly rounded division and square root (CL_FP_CORRECTLY_ROUNDED_DIVIDE_SQRT)": (
            cl.device_fp_config.CORRECTLY_ROUNDED_DIVIDE_SQRT
        ),
        "rounding to nearest (CL_FP_ROUND_TO_NEAREST)": cl.device_fp_config.ROUND_TO_NEAREST,
        "infinity and NaN (CL_FP_INF_NAN)": cl.device_fp_config.INF_NAN,
    }
    return [what for what, bit in needs.items() if not has & bit]


def check_exact(engine: Any) -> None:
    """Compute on the device what this processor knows to be right.

    Raises: DeviceError: with the first operation that is not rounded as IEEE 754 says.
    """
    x, y = _samples()
    names = ("quotient", "root", "rest", "cancelled", "product")
    out = {name: engine.empty(x.shape) for name in names}
    engine.run(
        engine.kernel("check", "check"), (x.size,), (1,), engine.upload(x), engine.upload(y), *out.values()
    )
    found = {name: engine.download(array)[0] for name, array in out.items()}
    with np.errstate(all="ignore"):
        product = x * y
        expected = {
            "product": (product, "a product, or a subnormal number, is rounded otherwise"),
            "cancelled": (product - product, "multiplication and subtraction are fused against orders"),
            "rest": (
                (x.astype(np.float64) * y - product).astype(np.float32),
                "the fused multiply-add rounds twice",
            ),
            "quotient": (x / y, "division is not correctly rounded"),
            "root": (np.sqrt(x), "the square root is not correctly rounded"),
        }
    for name, (right, complaint) in expected.items():
        if not np.array_equal(found[name], right):
            raise DeviceError(f"{engine.device.name}: not exact: {complaint}")


def _samples() -> tuple[np.ndarray[Any, np.dtype[np.float32]], np.ndarray[Any, np.dtype[np.float32]]]:
    """Pairs of positive float32 numbers; the products of the second half are subnormal."""
    random = np.random.default_rng(1)
    x, y = (random.uniform(1, 2, SAMPLES).astype(np.float32) for _ in range(2))
    x[SAMPLES // 2 :] *= np.float32(2.0**-100)
    y[SAMPLES // 2 :] *= np.float32(2.0**-30)
    return x, y
