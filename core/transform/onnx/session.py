"""Creates ONNX Runtime sessions with the chosen provider and settings.

Order of preference: TensorRT (only if asked), CUDA, CPU. ONNX Runtime falls back to the CPU silently; this
module checks which provider is in use and returns a notice.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from caffe_loader.errors import printable
from core.arithmetic.cores import available_cores
from core.errors import DeviceError, TransformError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"
TENSORRT = "TensorrtExecutionProvider"
SHORT = {CPU: "CPU", CUDA: "CUDA", TENSORRT: "TensorRT"}
_QUIET = 3  # log errors only; the runtime warns about harmless properties of old files
INSTALL = "ONNX Runtime is not installed: pip install 'neural-style-exact[onnx]', or [onnx-gpu] for CUDA"


@dataclass(frozen=True)
class SessionSettings:
    """Settings of a session.

    gpu: number of the CUDA device, or -1 for the CPU.  threads: CPU threads, 0 for all cores.
    tensorrt: try TensorRT first.  require_gpu: raise an error, not a notice, if the GPU is not used.
    tf32: let CUDA round factors to 10 bits.  search_exhaustively: try all convolution algorithms for every
    new picture size; faster only if all pictures have the same size.
    """

    gpu: int = -1
    tensorrt: bool = False
    require_gpu: bool = False
    tf32: bool = False
    search_exhaustively: bool = False
    threads: int = 0


@dataclass(frozen=True)
class OpenedSession:
    """A session.

    provider: the provider in use, by its ONNX Runtime name.  notices: sentences to show to the user.
    """

    session: InferenceSession
    provider: str
    version: str
    notices: tuple[str, ...]


def open_session(model: bytes, settings: SessionSettings) -> OpenedSession:
    """Create a session for a serialised model.

    Raises: TransformError: ONNX Runtime is missing or rejects the model. DeviceError: require_gpu, no GPU.
    """
    runtime = import_runtime()
    wanted = providers(settings)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # missing providers: _checked reports them
            session = runtime.InferenceSession(model, _options(runtime, settings), providers=wanted)
    except Exception as error:  # ONNX Runtime's exceptions share no more specific base class
        raise TransformError(f"ONNX Runtime rejects the model: {first_line(error)}") from None
    used = session.get_providers()[0]
    return OpenedSession(session, used, runtime.__version__, _checked(settings, used))


def import_runtime() -> Any:
    """The module onnxruntime. Raises: TransformError with the command that installs it."""
    try:
        import onnxruntime
    except ImportError as error:
        raise TransformError(INSTALL if "onnxruntime" in str(error) else f"{INSTALL} ({error})") from None
    onnxruntime.set_default_logger_severity(_QUIET)
    return onnxruntime


def providers(settings: SessionSettings) -> list[tuple[str, dict[str, str]]]:
    """Providers with their options, the preferred one first."""
    if settings.gpu < 0:
        return [(CPU, {})]
    cuda = {
        "device_id": str(settings.gpu),
        "use_tf32": str(int(settings.tf32)),
        "cudnn_conv_algo_search": "EXHAUSTIVE" if settings.search_exhaustively else "HEURISTIC",
        "arena_extend_strategy": "kSameAsRequested",  # the next power of two would waste memory
    }
    wanted = [(CUDA, cuda), (CPU, {})]
    if settings.tensorrt:
        wanted.insert(0, (TENSORRT, {"device_id": str(settings.gpu), "trt_fp16_enable": "0"}))
    return wanted


def _options(runtime: Any, settings: SessionSettings) -> Any:
    if settings.gpu >= 0 and hasattr(runtime, "preload_dlls"):
        with contextlib.redirect_stdout(io.StringIO()):  # preload_dlls prints the libraries it does not find
            runtime.preload_dlls()  # loads CUDA and cuDNN installed by pip
    options = runtime.SessionOptions()
    options.log_severity_level = _QUIET
    options.intra_op_num_threads = settings.threads or available_cores()
    # The memory arena keeps blocks of every size used: 18 % more memory at 1920x1080, not faster.
    options.enable_cpu_mem_arena = False
    return options


def _checked(settings: SessionSettings, used: str) -> tuple[str, ...]:
    """Notices about a GPU that is not used. Raises: DeviceError: it is not used and require_gpu is set."""
    if settings.gpu < 0:
        if settings.require_gpu:
            raise DeviceError("-require_gpu 1 needs -gpu 0 (or another number); -gpu -1 means the CPU")
        return ()
    if used == CPU:
        cause = (
            f"-gpu {settings.gpu}: ONNX Runtime does not use a GPU here; it needs the wheel onnxruntime-gpu, "
            "an NVIDIA driver, CUDA and cuDNN"
        )
        if settings.require_gpu:
            raise DeviceError(f"{cause}; stopped because of -require_gpu 1")
        return (f"NOT ON THE GPU. {cause}. Running on the CPU",)
    if settings.tensorrt and used != TENSORRT:
        return (f"-tensorrt 1: TensorRT could not be used; running on {SHORT.get(used, used)}",)
    return ()


def first_line(error: Exception) -> str:
    """The first line of an error's message, at most 200 characters."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return printable(lines[0][:200])
