"""Converts a transform network of any known file type to one ONNX file and checks it by running both."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from caffe_loader.errors import printable
from core.devices import torch7_placement
from core.errors import TransformError
from core.pictures.images import Image
from core.transform.exact.from_onnx import network_of_model
from core.transform.exact.referee import Verdict, judge
from core.transform.exact.runner import ExactRunner
from core.transform.networks.load import load_network, source_digest
from core.transform.networks.transform_network import TransformNetwork
from core.transform.onnx.file import read_onnx, write_onnx
from core.transform.onnx.graph import to_onnx
from core.transform.onnx.metadata import ModelMetadata, write_metadata
from core.transform.onnx.modernize import modernize
from core.transform.onnx.session import SessionSettings, import_runtime
from core.transform.open_model import onnx_runner, probe_picture
from core.transform.pixels import FORMATS, NetworkFormat
from core.transform.runners import Runner
from core.transform.torch_runner import TorchRunner

if TYPE_CHECKING:
    from onnx import ModelProto

TOLERANCE, HALF_TOLERANCE = 1e-5, 1e-2  # largest difference, as a share of the output's range
NORMALISATIONS = {"InstanceNormalization": "instance", "BatchNormalization": "batch"}


@dataclass(frozen=True)
class Conversion:
    """The result of a conversion.

    difference: largest difference between source and result on the probe pictures, as a share of the
    output's range.  probes: the sizes of the probe batches, (N, H, W).  changes: what was changed in the
    graph.  notices: remarks about the source file for the user.  exact: the result of the comparison with
    the run in torch7 arithmetic, if it was asked for.
    """

    target: Path
    difference: float
    probes: tuple[tuple[int, int, int], ...]
    changes: tuple[str, ...]
    notices: tuple[str, ...]
    exact: Verdict | None = None


@dataclass(frozen=True)
class _Source:
    """A network to convert: ``runner`` runs the source, ``model`` is the converted graph."""

    runner: Runner
    model: ModelProto
    metadata: ModelMetadata
    changes: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    network: TransformNetwork | None = None


def convert(
    source: Path, target: Path, *, half: bool = False, instance_norm: str = "auto", exact: bool = False
) -> Conversion:
    """Convert ``source`` to the ONNX file ``target``; nothing is written unless both give the same pictures.

    half: weights and arithmetic in float16; instance normalisation, input and output stay float32.
    instance_norm: see :func:`core.transform.networks.from_t7.to_modules`.
    exact: compare the result with the run in torch7 arithmetic, too.

    Raises: T7Error, TransformError: the source cannot be read or converted, or the pictures differ.
    """
    _check_names(source, target)
    import_runtime()
    try:
        made = (
            _from_onnx(source) if source.suffix.lower() == ".onnx" else _from_network(source, instance_norm)
        )
    except TransformError as error:
        message = str(error)
        shown = printable(str(source))
        raise TransformError(message if message.startswith(shown) else f"{shown}: {message}") from None
    model = _halved(made.model) if half else made.model
    write_metadata(model, made.metadata)
    probes = _probe_sizes(made.runner.format)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as folder:
        trial = Path(folder) / target.name
        write_onnx(model, trial)
        difference = _proved(made.runner, trial, probes, HALF_TOLERANCE if half else TOLERANCE)
        verdict = _against_exact(made, source, trial, probes) if exact else None
        trial.replace(target)
    return Conversion(target, difference, probes, made.changes, made.notices, verdict)


def _against_exact(
    made: _Source, source: Path, trial: Path, probes: Sequence[tuple[int, int, int]]
) -> Verdict:
    """The judgement on the file. Raises: TransformError: torch7 arithmetic cannot run the network."""
    network = made.network
    if network is None:
        write_metadata(made.model, made.metadata)
        network = network_of_model(made.model, source)
    runner = ExactRunner(network.module, network.format, torch7_placement(0).first)
    result = onnx_runner(read_onnx(trial), SessionSettings())
    return judge(result, runner, [probe_picture(height, width) for _, height, width in probes])


def _check_names(source: Path, target: Path) -> None:
    shown = printable(str(target))
    if target.suffix.lower() != ".onnx":
        raise TransformError(f"{shown}: the result is an ONNX file; its name must end in .onnx")
    if not target.parent.is_dir():
        raise TransformError(f"{shown}: the folder {target.parent} does not exist; create it first")
    if target.exists() and (not target.is_file() or (source.exists() and source.samefile(target))):
        raise TransformError(f"{shown}: is the source file or not a regular file; choose another name")


def _from_network(path: Path, instance_norm: str) -> _Source:
    network = load_network(path, instance_norm)
    runner = TorchRunner(network.module, network.format, torch.device("cpu"))
    model, metadata = to_onnx(network.module), _network_metadata(network)
    return _Source(runner, model, metadata, notices=network.notices, network=network)


def _network_metadata(network: TransformNetwork) -> ModelMetadata:
    sizes = network.geometry
    return ModelMetadata(
        preprocessing=network.preprocessing,
        output_pixels=network.preprocessing,
        channel_order=FORMATS[network.preprocessing].order,
        tanh_constant=network.tanh_constant,
        size_multiple=sizes.multiple,
        smallest_size=sizes.smallest,
        enlargement=sizes.enlargement,
        source_file=network.path.name,
        source_sha256=source_digest(network.path),
        normalisation=network.normalisation,
    )


def _from_onnx(path: Path) -> _Source:
    model = read_onnx(path)
    modernized = modernize(model)
    runner = onnx_runner(model, SessionSettings())
    how = runner.format
    name = modernized.preprocessing or how.input.name
    metadata = ModelMetadata(
        preprocessing=name,
        output_pixels=modernized.preprocessing or how.output.name,
        channel_order=FORMATS[name].order if modernized.preprocessing else how.input.order,
        tanh_constant=0.0,
        size_multiple=how.multiple,
        smallest_size=how.smallest,
        enlargement=1.0,
        source_file=path.name,
        source_sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        normalisation=_normalisation(modernized.model),
    )
    return _Source(runner, modernized.model, metadata, modernized.changes)


def _normalisation(model: ModelProto) -> str:
    operators = {node.op_type for node in model.graph.node}
    return next((name for operator, name in NORMALISATIONS.items() if operator in operators), "")


def _halved(model: ModelProto) -> ModelProto:
    """The model in float16, except instance normalisation: a variance over 65504 overflows float16."""
    try:
        from onnxruntime.transformers.float16 import convert_float_to_float16
    except ImportError as error:
        raise TransformError(
            f"--fp16: the float16 converter of ONNX Runtime cannot be imported: {error}"
        ) from None
    halved: ModelProto = convert_float_to_float16(
        model, keep_io_types=True, op_block_list=["InstanceNormalization", "Resize"]
    )
    return halved


def _probe_sizes(how: NetworkFormat) -> tuple[tuple[int, int, int], ...]:
    """(N, H, W) of the probe batches: odd sizes, one of them a batch of two; or the network's fixed size."""
    if how.size is not None:
        return ((1, *how.size),)
    side = max(how.smallest, 32)
    return (1, side + 45, side + 90), (2, side + 32, side + 57)


def _proved(source: Runner, trial: Path, probes: Sequence[tuple[int, int, int]], tolerance: float) -> float:
    """The largest difference on the probes. Raises TransformError if it is above the tolerance."""
    result = onnx_runner(read_onnx(trial), SessionSettings())
    if source.format.size is not None:
        _check_takes_other_sizes(result)
    worst = 0.0
    for number, height, width in probes:
        pictures = [probe_picture(height, width)[:, ::step] for step in (1, -1)[:number]]
        wanted, found = _through(source, pictures), _through(result, pictures)
        if wanted.shape != found.shape:
            raise TransformError(
                f"the converted network gives a size of {found.shape[2:]}, the source {wanted.shape[2:]}"
            )
        worst = max(worst, float(np.abs(wanted - found).max() / np.ptp(wanted)))
    if not worst <= tolerance:
        raise TransformError(
            f"the converted network differs from the source by {worst:.2e} of the output's range; "
            f"allowed are {tolerance:g}; the file was not written"
        )
    return worst


def _check_takes_other_sizes(result: Runner) -> None:
    """Check that two pictures of an odd size come back at about that size. Raises: TransformError."""
    height, width = result.format.smallest + 101, result.format.smallest + 150
    try:
        shape = result.run(np.stack([result.format.input.encode(probe_picture(height, width))] * 2)).shape
    except TransformError as error:
        raise TransformError(
            f"the network works for one picture size only, which could not be changed: {error}"
        ) from None
    if shape[0] != 2 or abs(shape[2] / shape[3] - height / width) > 0.1:
        raise TransformError(
            f"the network works for one picture size only: {width}x{height} pixels became {shape}"
        )


def _through(runner: Runner, pictures: Sequence[Image]) -> NDArray[np.float32]:
    """The network's pictures as float32 (N, 3, H', W'), RGB, values about 0 to 1."""
    batch = np.stack([runner.format.input.encode(picture) for picture in pictures])
    return np.stack([runner.format.output.decode(picture) for picture in runner.run(batch)])
