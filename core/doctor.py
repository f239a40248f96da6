"""Checks the machine and the installation, and says how to fix what is wrong."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

GIBIBYTE = 1 << 30
LITTLE_DISK, LITTLE_MEMORY = 2 * GIBIBYTE, 2 * GIBIBYTE
TORCH = "2.13.0"
FINE, ABSENT, PROBLEM = "ok", "absent", "problem"


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    state: FINE, ABSENT (an optional part is not installed) or PROBLEM.
    remedy: what to do; '' if nothing.
    """

    what: str
    state: str
    message: str
    remedy: str = ""


def examine(models: Path, self_test: Callable[[], str]) -> Iterator[Finding]:
    """Run all checks and yield their findings.

    models: the folder of the model files.
    self_test: repeats a reference run of the original program. Returns '' if equal, else what differs.
    """
    yield _python()
    yield _torch()
    yield _onnx_runtime()
    yield from _optional_packages()
    yield _products()
    yield from _opencl()
    yield _exactness(self_test)
    yield _png_files()
    yield from _models(models)
    yield _disk()
    yield _memory()


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _python() -> Finding:
    return Finding("Python", FINE, f"{platform.python_version()} on {platform.system()} {platform.machine()}")


def _torch() -> Finding:
    import torch

    names = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    gpus = ", ".join(names) or "no GPU"
    message = f"{torch.__version__}, {gpus}"
    if torch.__version__.partition("+")[0] != TORCH:
        message += f"; measured was {TORCH}, and the native arithmetic may round differently"
    return Finding("PyTorch", FINE, message)


def _onnx_runtime() -> Finding:
    wheels = [name for name in ("onnxruntime", "onnxruntime-gpu") if _installed(name)]
    if len(wheels) > 1:
        remedy = "pip uninstall onnxruntime onnxruntime-gpu, then install one of them again"
        return Finding("ONNX Runtime", PROBLEM, "two packages are installed and break each other", remedy)
    if not wheels:
        remedy = "pip install 'neural-style-exact[onnx]', or [onnx-gpu] for CUDA"
        return Finding("ONNX Runtime", ABSENT, "fast_neural_style needs it unless -runtime torch", remedy)
    import onnxruntime

    providers = ", ".join(
        name.removesuffix("ExecutionProvider") for name in onnxruntime.get_available_providers()
    )
    return Finding("ONNX Runtime", FINE, f"{wheels[0]} {onnxruntime.__version__}: {providers}")


def _optional_packages() -> Iterator[Finding]:
    for what, package, needed_by, extra in (
        ("pyopencl", "pyopencl", "-backend clnn", "opencl"),
        ("PyAV", "av", "films", "video"),
        ("OpenCV", "opencv-python", "webcam_demo", "video"),
        ("scikit-image", "scikit-image", "nstyle compare", "report"),
        ("Jinja", "jinja2", "nstyle report", "report"),
        ("tree-sitter", "tree-sitter-bash", "nstyle port", "port"),
        ("Ray", "ray", "nstyle run --executor ray", "ray"),
    ):
        found = _installed(package) or (_installed("opencv-python-headless") if what == "OpenCV" else "")
        if found:
            yield Finding(what, FINE, found)
        else:
            remedy = f"pip install 'neural-style-exact[{extra}]'"
            yield Finding(what, ABSENT, f"{needed_by} needs it", remedy)


def _products() -> Finding:
    """What computes the exact arithmetic's products."""
    from core.arithmetic.torch7 import products_in_use

    found, exact = products_in_use()
    if not exact:
        remedy = "install a C compiler and run make setup again: our own kernel is exact on every processor"
        return Finding("products", PROBLEM, f"{found}: not the original's bits", remedy)
    return Finding("products", FINE, found)


def _opencl() -> Iterator[Finding]:
    """The devices of -backend clnn, numbered as -gpu counts them."""
    from core.arithmetic.opencl.device import find_devices
    from core.errors import DeviceError

    found = find_devices()
    if not found.devices and _installed("pyopencl"):
        yield Finding("OpenCL", ABSENT, found.reason)
    for number, device in enumerate(found.devices):
        what, name = f"OpenCL -gpu {number}", f"{device.name.strip()} ({device.platform.name.strip()})"
        try:
            from core.arithmetic.opencl.arithmetic import OpenClArithmetic

            OpenClArithmetic(found.pick(number), 1)
        except DeviceError as error:
            yield Finding(what, ABSENT, f"{name}: {error}")
        else:
            yield Finding(what, FINE, f"{name}, {device.global_mem_size / GIBIBYTE:.1f} GiB: exact")


def _exactness(self_test: Callable[[], str]) -> Finding:
    difference = self_test()
    if difference:
        remedy = "see products above, and docs/exactness.md"
        return Finding("exactness", PROBLEM, f"a reference run differs: {difference}", remedy)
    return Finding("exactness", FINE, "equal to a reference run of the original program in every stage")


def _png_files() -> Finding:
    from core.pictures.png_file import OTHER_ZLIB, compresses_as_zlib

    if not compresses_as_zlib():
        remedy = "use a Python that is linked against zlib, where PNG files have to be equal"
        return Finding("PNG files", PROBLEM, OTHER_ZLIB, remedy)
    return Finding("PNG files", FINE, "compressed as by the original (-png_text 0 leaves our text out)")


def _models(folder: Path) -> Iterator[Finding]:
    from core.models.presence import verify_model
    from core.models.registry import load_registry

    for entry in load_registry().values():
        path = folder / entry.file
        if not path.exists():
            remedy = f"nstyle models fetch {entry.name}"
            yield Finding(f"model {entry.name}", ABSENT, "not in vgg_models/", remedy)
            continue
        found = verify_model(entry, path)
        remedy = "" if found.passed else f"delete it, then nstyle models fetch {entry.name}"
        yield Finding(f"model {entry.name}", FINE if found.passed else PROBLEM, found.message, remedy)


def _disk() -> Finding:
    free = shutil.disk_usage(Path.cwd()).free
    message = f"{free / GIBIBYTE:.1f} GiB free here"
    if free < LITTLE_DISK:
        return Finding("disk", PROBLEM, message, "make room; models and results need about 2 GiB")
    return Finding("disk", FINE, message)


def _memory() -> Finding:
    import psutil

    memory = psutil.virtual_memory()
    message = f"{memory.available / GIBIBYTE:.1f} of {memory.total / GIBIBYTE:.1f} GiB free"
    if memory.available < LITTLE_MEMORY:
        remedy = "close other programs, or use a smaller -image_size (-dry_run shows the memory needed)"
        return Finding("memory", PROBLEM, message, remedy)
    return Finding("memory", FINE, message)
