"""Opens the network named by -model with the runtime and device that the flags choose.

PyTorch is imported only for files and runtimes that need it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.errors import TransformError
from core.pictures.images import Image
from core.settings.fast_neural_style import TransformSettings
from core.transform.onnx.detect import detect_format
from core.transform.onnx.file import read_onnx
from core.transform.onnx.norms import with_exact_norms
from core.transform.onnx.session import CPU, OpenedSession, SessionSettings, open_session
from core.transform.pixels import NetworkFormat, overridden
from core.transform.runners import Batch, OnnxRunner, Runner

if TYPE_CHECKING:
    from onnx import ModelProto

    from core.transform.networks.transform_network import TransformNetwork


@dataclass(frozen=True)
class OpenedModel:
    """A network ready to run, and the notices to show to the user."""

    runner: Runner
    notices: tuple[str, ...]

    @property
    def details(self) -> tuple[str, ...]:
        """One sentence each: the runtime, then the properties of the network's input and output."""
        return (f"runs on {self.runner.description}", *self.runner.format.reasons)


def open_model(settings: TransformSettings) -> OpenedModel:
    """Open the network of flag -model. Raises: T7Error, TransformError, DeviceError."""
    path = Path(settings.model)
    if settings.arithmetic == "torch7":
        return _opened_exact(path, settings)
    if path.suffix.lower() != ".onnx":
        from core.transform.networks.load import load_network

        return _opened_network(load_network(path, settings.instance_norm), settings)
    if settings.runtime == "torch":
        raise TransformError(
            f"{path}: -runtime torch reads .t7, .safetensors and .pth files; use -runtime onnx for .onnx"
        )
    return _opened_onnx(path, settings)


def _opened_exact(path: Path, settings: TransformSettings) -> OpenedModel:
    from core.devices import torch7_placement
    from core.transform.exact.runner import ExactRunner
    from core.transform.networks.load import load_network

    if path.suffix.lower() == ".onnx":
        from core.transform.exact.from_onnx import network_of_onnx

        network = network_of_onnx(path)
    else:
        network = load_network(path, settings.instance_norm)
    placement = torch7_placement(settings.threads)
    how = _as_asked(network.format, settings)
    try:
        runner = ExactRunner(network.module, how, placement.first, int(settings.threads))
    except TransformError as error:
        raise TransformError(f"{path}: {error}") from None
    return OpenedModel(runner, (*network.notices, *placement.notices))


def _opened_network(network: TransformNetwork, settings: TransformSettings) -> OpenedModel:
    from core.transform.onnx.graph import to_onnx
    from core.transform.torch_runner import TorchRunner, torch_device

    how = _as_asked(network.format, settings)
    if settings.runtime == "torch":
        _configure_cuda(settings)
        device, notices = torch_device(int(settings.gpu), bool(settings.require_gpu))
        runner: Runner = TorchRunner(network.module, how, device, int(settings.threads))
    else:
        runner, notices = _session(to_onnx(network.module), how, settings)
    return OpenedModel(runner, (*network.notices, *notices))


def _configure_cuda(settings: TransformSettings) -> None:
    """Set PyTorch's CUDA options for the whole process; they have no effect on the CPU."""
    import torch

    torch.backends.cudnn.enabled = bool(settings.use_cudnn)
    torch.backends.cudnn.benchmark = bool(settings.cudnn_benchmark)
    torch.backends.cudnn.allow_tf32 = bool(settings.tf32)
    torch.backends.cuda.matmul.allow_tf32 = bool(settings.tf32)


def _opened_onnx(path: Path, settings: TransformSettings) -> OpenedModel:
    try:
        model = read_onnx(path)
        opened = _opened(model, session_settings(settings))
        how = _as_asked(_detected(model, opened), settings)
        runner = _tiled(model, how, settings) if settings.tile else OnnxRunner(opened, how)
    except TransformError as error:
        raise TransformError(f"{path}: {error}") from None
    notices = (*opened.notices, *_fixed_size_notice(path, how))
    if settings.instance_norm != "auto":
        notices += (f"-instance_norm {settings.instance_norm} has no effect on an .onnx file",)
    return OpenedModel(runner, notices)


def onnx_runner(model: ModelProto, settings: SessionSettings) -> OnnxRunner:
    """A session for the model, with its pixel format detected. Raises: TransformError, DeviceError."""
    opened = _opened(model, settings)
    return OnnxRunner(opened, _detected(model, opened))


def _opened(model: ModelProto, settings: SessionSettings) -> OpenedSession:
    """A session for the model. On the CPU, also as fallback from an absent GPU, it has exact norms."""
    if settings.gpu < 0:
        return open_session(with_exact_norms(model).SerializeToString(), settings)
    opened = open_session(model.SerializeToString(), settings)
    if opened.provider != CPU:
        return opened
    on_cpu = replace(settings, gpu=-1, require_gpu=False)
    return replace(_opened(model, on_cpu), notices=opened.notices)


def _detected(model: ModelProto, opened: OpenedSession) -> NetworkFormat:
    def probe(how: NetworkFormat) -> Batch:
        height, width = how.size or (PROBE_SIDE, PROBE_SIDE)
        return OnnxRunner(opened, how).run(how.input.encode(probe_picture(height, width))[None])

    return detect_format(model, probe)


PROBE_SIDE = 256


def probe_picture(height: int, width: int) -> Image:
    """A test picture with all brightnesses, several colours and noise: float64 (3, height, width), 0 to 1.

    Values are multiples of 1/255. Without noise, instance normalisation divides by nearly 0 and amplifies
    rounding errors a thousandfold: changing the input by one unit in the last place moved candy's output
    by 3e-4 of its range.
    """
    down, across = np.mgrid[0:height, 0:width] / np.array([height, width]).reshape(2, 1, 1)
    smooth = np.stack([across, (down + across) / 2, 0.5 + 0.5 * np.sin(20 * (down - across))])
    grain = np.random.default_rng(0).random(smooth.shape)
    return np.round(255 * (0.75 * smooth + 0.25 * grain)) / 255


def _session(
    model: ModelProto, how: NetworkFormat, settings: TransformSettings
) -> tuple[Runner, tuple[str, ...]]:
    opened = _opened(model, session_settings(settings))
    runner = _tiled(model, how, settings) if settings.tile else OnnxRunner(opened, how)
    return runner, opened.notices


def _tiled(model: ModelProto, how: NetworkFormat, settings: TransformSettings) -> Runner:
    from core.transform.tiles.runner import TiledRunner

    return TiledRunner(model, how, session_settings(settings), int(settings.tile))


def session_settings(settings: TransformSettings) -> SessionSettings:
    """The flags that configure ONNX Runtime."""
    return SessionSettings(
        gpu=int(settings.gpu),
        tensorrt=bool(settings.tensorrt),
        require_gpu=bool(settings.require_gpu),
        tf32=bool(settings.tf32),
        search_exhaustively=bool(settings.cudnn_benchmark),
        threads=int(settings.threads),
    )


def _as_asked(how: NetworkFormat, settings: TransformSettings) -> NetworkFormat:
    return overridden(
        how,
        value_range=settings.value_range,
        output_value_range=settings.output_value_range,
        channel_order=settings.channel_order,
        layout=settings.layout,
        size=settings.size_of_model(),
    )


def _fixed_size_notice(path: Path, how: NetworkFormat) -> tuple[str, ...]:
    if how.size is None:
        return ()
    height, width = how.size
    return (
        f"{path.name} takes {width}x{height} pixels only: the content is scaled to this size, and the result "
        f"back. 'nstyle convert {path.name} any_size.onnx' writes a model for any size",
    )
