"""Where a run computes: its arithmetic, its devices, and how the network is split over several GPUs.

Matches -gpu, -backend and -multigpu_strategy of neural_style.lua (07c4b82).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from core.arithmetic.allocation import keep_freed_memory
from core.arithmetic.operations import Arithmetic
from core.errors import DeviceError
from core.settings.neural_style import Settings, format_number

NATIVE_IS_FASTER = (
    "exact arithmetic (torch7) on the CPU: with the original's weights, its picture byte for byte. "
    "-arithmetic native is a little faster, but its picture differs: PSNR 20 to 30 dB after about 50 "
    "iterations of L-BFGS. The original differs from itself as much with another number of threads "
    "(docs/exactness.md)"
)

OPENCL_IS_EXACT = "exact arithmetic on OpenCL: the original's picture, byte for byte, as with -gpu -1"


@dataclass(frozen=True)
class Placement:
    """The arithmetic of every module of the network.

    kind: 'torch7', 'opencl' (the same bits) or 'native'.
    devices: the names of the devices, in the order of the flag -gpu.
    splits: the number of the last module of each chunk but the last. Counted from 1, losses included.
    notices: sentences to show to the user.
    """

    kind: str
    devices: tuple[str, ...]
    arithmetics: tuple[Arithmetic, ...]
    splits: tuple[int, ...] = ()
    notices: tuple[str, ...] = ()

    def arithmetic_of(self, module: int) -> Arithmetic:
        """The arithmetic of module number ``module`` of the network, counted from 1."""
        return self.arithmetics[bisect_left(self.splits, module)]

    @property
    def first(self) -> Arithmetic:
        """The arithmetic of the image being optimised and of the optimiser."""
        return self.arithmetics[0]

    def keeps_groups(self, backend: str) -> bool:
        """Whether grouped convolutions are kept. As in the original: only with -backend cudnn on a GPU."""
        return backend == "cudnn" and self.kind == "native" and self.devices != ("cpu",)

    def check_splits(self, modules: int) -> None:
        """Raises DeviceError if a split is beyond the last module of the network."""
        if self.splits and self.splits[-1] > modules:
            raise DeviceError(
                f"-multigpu_strategy: there is no module {self.splits[-1]}; the network has {modules} modules"
            )


def split_strategy(gpus: int, strategy: Sequence[float], tv_weight: float) -> tuple[int, ...]:
    """The number of the last module of each chunk except the last chunk, for ``gpus`` devices.

    As in the original, only two GPUs have a default strategy: module 3, or 4 if there is a total variation
    module. The original does not shift the numbers of a user's strategy, and neither do we.

    Raises: DeviceError: a wrong count of numbers, or numbers that do not ascend.
    """
    if gpus == 1:
        return ()
    if not strategy and gpus == 2:
        return (4,) if tv_weight > 0 else (3,)
    splits = tuple(int(number) for number in strategy)
    if not splits:
        raise DeviceError(f"{gpus} GPUs need -multigpu_strategy with {gpus - 1} ascending layer numbers")
    if len(splits) != gpus - 1:
        raise DeviceError(
            f"-multigpu_strategy {','.join(map(str, splits))}: {gpus} GPUs need {gpus - 1} numbers"
        )
    if min(splits) < 1 or list(splits) != sorted(set(splits)):
        raise DeviceError(
            f"-multigpu_strategy {','.join(map(str, splits))}: the numbers must be 1 or more and ascend"
        )
    return splits


def parse_gpus(flag: str) -> tuple[int, ...]:
    """The GPU numbers in the flag -gpu. Empty for the CPU (any negative number).

    Raises: DeviceError.
    """
    try:
        numbers = [int(float(part)) for part in flag.split(",") if part.strip()]
    except ValueError:
        numbers = []
    if not numbers:
        raise DeviceError(f"-gpu {flag}: should be a number (-1 for the CPU) or a comma list of GPU numbers")
    if len(numbers) == 1 and numbers[0] < 0:
        return ()
    if min(numbers) < 0:
        raise DeviceError(f"-gpu {flag}: a list of GPUs cannot contain the CPU (a negative number)")
    return tuple(numbers)


def choose(settings: Settings) -> Placement:
    """The arithmetic and devices for a run.

    Raises: DeviceError: a GPU that does not exist, or a -multigpu_strategy that does not fit.
    """
    keep_freed_memory()
    gpus = parse_gpus(settings.gpu)
    splits = split_strategy(max(1, len(gpus)), settings.multigpu_strategy, settings.tv_weight)
    if gpus and settings.backend == "clnn" and settings.arithmetic != "native":
        return _opencl(settings, gpus, splits)
    if settings.arithmetic == "torch7":
        notice = ("-arithmetic torch7 computes on the CPU; -gpu is not used",) if gpus else ()
        return torch7_placement(settings.threads, notice)
    if not gpus:
        return _on_cpu(settings, ())
    names = _gpu_names(gpus)
    if not names:
        return _on_cpu(settings, (_no_gpu(settings.gpu),))
    return native_placement(names, splits, settings.cudnn_autotune)


def choose_native(gpu: float, threads: float) -> Placement:
    """PyTorch on GPU number ``gpu``. On the CPU if ``gpu`` is negative or the machine has no GPU.

    Raises: DeviceError: a GPU that does not exist.
    """
    keep_freed_memory()
    named = format_number(gpu)
    gpus = parse_gpus(named)
    names = _gpu_names(gpus) if gpus else []
    if names:
        return native_placement(names, ())
    return _native_on_cpu(threads, (_no_gpu(named),) if gpus else ())


def _no_gpu(flag: str) -> str:
    return f"-gpu {flag}: PyTorch finds no GPU; running on the CPU"


def native_placement(names: Sequence[str], splits: tuple[int, ...], autotune: bool = False) -> Placement:
    """PyTorch on the named devices ('cuda:0', 'mps', 'cpu'), each with one chunk of the network."""
    import torch

    from core.arithmetic.native import NativeArithmetic

    torch.backends.cudnn.allow_tf32 = False  # float32 throughout, as the original's cuDNN
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.benchmark = autotune
    arithmetics = tuple(NativeArithmetic(torch.device(name)) for name in names)
    return Placement("native", tuple(names), arithmetics, splits)


def _on_cpu(settings: Settings, notices: tuple[str, ...]) -> Placement:
    if settings.arithmetic == "auto":
        return torch7_placement(settings.threads, (*notices, NATIVE_IS_FASTER))
    return _native_on_cpu(settings.threads, notices)


def _native_on_cpu(threads: float, notices: tuple[str, ...]) -> Placement:
    import torch

    from core.arithmetic.cores import available_cores

    torch.set_num_threads(int(threads) or available_cores())
    placement = native_placement(["cpu"], ())
    return Placement("native", ("cpu",), placement.arithmetics, (), notices)


def torch7_placement(threads: float, notices: tuple[str, ...] = ()) -> Placement:
    """The arithmetic of the original on the CPU. threads: 0 means all cores."""
    from core.arithmetic.torch7 import Torch7Arithmetic, products_in_use

    found, exact = products_in_use()
    notice = f"products: {found}"
    if not exact:
        notice += (
            "; the reference runs used OpenBLAS with kernel Haswell, so expect another rounding and, after "
            "some iterations, a visibly different picture. With a C compiler, make setup builds the kernel "
            "that is exact on every processor"
        )
    arithmetic = Torch7Arithmetic(int(threads))
    return Placement("torch7", ("cpu",), (arithmetic,), (), (*notices, notice))


def _opencl(settings: Settings, gpus: tuple[int, ...], splits: tuple[int, ...]) -> Placement:
    """The exact arithmetic on OpenCL devices; on the CPU, with the same picture, where there is none."""
    from core.arithmetic.opencl.device import find_devices, full_name

    found = find_devices()
    if not found.devices:
        notice = f"-backend clnn: {found.reason}; running on the CPU, which gives the same picture"
        return torch7_placement(settings.threads, (notice,))
    from core.arithmetic.opencl.arithmetic import OpenClArithmetic

    devices = [found.pick(gpu) for gpu in gpus]
    arithmetics = tuple(OpenClArithmetic(device, int(settings.threads)) for device in devices)
    names = tuple(map(full_name, gpus, devices))
    return Placement("opencl", names, arithmetics, splits, (OPENCL_IS_EXACT,))


def has_gpu() -> bool:
    """Whether PyTorch finds a GPU."""
    import torch

    return torch.cuda.is_available() or torch.backends.mps.is_available()


def _gpu_names(gpus: tuple[int, ...]) -> list[str]:
    """PyTorch's names of the GPUs. Empty if the machine has no GPU. Raises: DeviceError."""
    import torch

    if torch.cuda.is_available():
        count, name = torch.cuda.device_count(), _cuda_name
    elif torch.backends.mps.is_available():
        count, name = 1, _mps_name
    else:
        return []
    missing = [gpu for gpu in gpus if gpu >= count]
    if missing:
        raise DeviceError(f"-gpu: there is no GPU {missing[0]}; this machine has {count}, counted from 0")
    return [name(gpu) for gpu in gpus]


def _cuda_name(gpu: int) -> str:
    return f"cuda:{gpu}"


def _mps_name(gpu: int) -> str:
    return "mps"
