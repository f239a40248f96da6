"""Repeat a reference run and compare it stage by stage with the original's files."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from cli.parity.reference_runs import ReferenceRun
from cli.runs.neural_style import Session
from core.devices import Placement
from core.events import Evaluation, Event, NetworkBuilt
from core.network.network import LossNetwork
from core.pictures.images import load_image, preprocess
from core.pictures.png_file import compresses_as_zlib
from core.pictures.resize import scale
from core.settings.neural_style import Settings
from core.stylization import load_inputs, stylize

STAGES = (
    "decode",
    "resize",
    "preprocess",
    "init",
    "targets",
    "layers",
    "Gram",
    "gradient",
    "losses",
    "log",
    "image",
)


@dataclass
class Comparison:
    """The comparison of one stage: the number of results compared, and a sentence for each difference."""

    compared: int = 0
    differences: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        if not self.compared:
            return "."
        return "=" if not self.differences else f"{len(self.differences)}/{self.compared}"


class StageReport:
    """Comparisons by stage."""

    def __init__(self) -> None:
        self.stages = {name: Comparison() for name in STAGES}

    @property
    def equal(self) -> bool:
        """Whether there is no difference."""
        return not any(comparison.differences for comparison in self.stages.values())

    def arrays(self, stage: str, name: str, ours: NDArray[Any], original: NDArray[Any]) -> None:
        """Compare shapes and values; both must be equal."""
        comparison = self.stages[stage]
        comparison.compared += 1
        if ours.shape != original.shape:
            comparison.differences.append(f"{name}: shape {ours.shape}, the original's is {original.shape}")
        elif not np.array_equal(ours, original):
            gap = np.abs(ours.astype(np.float64) - original.astype(np.float64))
            norm = np.linalg.norm(original.astype(np.float64)) or 1.0
            comparison.differences.append(
                f"{name}: {np.count_nonzero(gap)} of {gap.size} values differ, "
                f"by {gap.max():.3g} at most, relative L2 {np.linalg.norm(gap) / norm:.3g}"
            )

    def texts(self, stage: str, name: str, ours: str, original: str) -> None:
        """Compare line by line."""
        comparison = self.stages[stage]
        comparison.compared += 1
        if ours == original:
            return
        pairs = zip(ours.split("\n"), original.split("\n"), strict=False)
        first = next((pair for pair in pairs if pair[0] != pair[1]), ("", "another number of lines"))
        comparison.differences.append(f"{name}: {first[0]!r}, the original's is {first[1]!r}")


def repeat_run(run: ReferenceRun, placement: Placement, folder: Path) -> StageReport:
    """Repeat a run with its output in ``folder`` and compare every stage that the reference run recorded."""
    settings, report = run.settings(folder), StageReport()
    tensors = run.tensors()
    _compare_pictures(run, settings, tensors, report)
    log, trace = io.StringIO(), folder / "trace.csv"
    session = Session(settings, trace_file=str(trace), progress=False)
    try:
        with redirect_stdout(log):
            session.follow(_watch(stylize(settings, placement), tensors, report))
    finally:
        session.close()
    report.texts("log", "stdout", log.getvalue().split("\n", 1)[1], run.log())
    rows = [line.rpartition(",")[0] for line in trace.read_text().split()[1:]]
    report.texts("losses", "losses.csv", "\n".join(rows), "\n".join(run.losses()))
    _compare_results(run, folder, report)
    return report


def _compare_pictures(
    run: ReferenceRun, settings: Settings, tensors: dict[str, Any], report: StageReport
) -> None:
    """Compare decoding, scaling and preprocessing of the inputs, where they were recorded."""
    archive = run.folder.parent.parent / "images_torch7.npz"
    if archive.is_file():
        name = Path(settings.content_image).name
        picture = load_image(settings.content_image)
        with np.load(archive, allow_pickle=False) as known:
            cases = {
                "decode": (f"load_{name}", picture),
                "resize": (f"scale{settings.image_size:g}_{name}", scale(picture, settings.image_size)),
            }
            for stage, (key, ours) in cases.items():
                if key in known.files:
                    report.arrays(stage, key, ours.astype(np.float32), known[key])
    if "style_pre1" in tensors:
        inputs = load_inputs(settings)
        report.arrays("preprocess", "content_pre", preprocess(inputs.content), tensors["content_pre"])
        for number, style in enumerate(inputs.styles, 1):
            report.arrays("preprocess", f"style_pre{number}", style, tensors[f"style_pre{number}"])


def _watch(
    events: Iterator[Event], tensors: dict[str, NDArray[np.float32]], report: StageReport
) -> Iterator[Event]:
    """Yield all events, and compare the network's arrays at each evaluation."""
    recorder = None
    for event in events:
        if isinstance(event, NetworkBuilt):
            recorder = Recorder(event.network)
        elif isinstance(event, Evaluation) and recorder:
            for stage, name, value in recorder.arrays(event):
                if name in tensors:
                    report.arrays(stage, name, value, tensors[name])
        yield event
    if recorder and "x_final" in tensors:
        report.arrays("gradient", "x_final", recorder.picture(), tensors["x_final"])


class Recorder:
    """Keeps the arrays that pass through a network's modules, not copies: later in-place changes show."""

    def __init__(self, network: LossNetwork) -> None:
        self._network = network
        self._inputs: dict[int, Any] = {}
        self._outputs: dict[int, Any] = {}
        self._gradients: dict[int, Any] = {}
        for number, module in enumerate(network.modules, 1):
            self._record(module, number)

    def _record(self, module: Any, number: int) -> None:
        forward, backward = module.forward, module.backward

        def recorded_forward(x: Any) -> Any:
            self._inputs[number] = x
            self._outputs[number] = forward(x)
            return self._outputs[number]

        def recorded_backward(grad: Any) -> Any:
            self._gradients[number] = backward(grad)
            return self._gradients[number]

        module.forward, module.backward = recorded_forward, recorded_backward

    def picture(self) -> NDArray[np.float32]:
        """The optimiser's vector, with its present values."""
        return self._network.modules[0].arithmetic.numpy(self._inputs[1])

    def outputs(self) -> dict[int, NDArray[np.float32]]:
        """Copies of every module's output of the last forward pass, by number."""
        convert = self._network.modules[0].arithmetic.numpy
        return {number: convert(output) for number, output in self._outputs.items()}

    def gradient(self) -> NDArray[np.float32]:
        """A copy of the last gradient at the picture."""
        return self._network.modules[0].arithmetic.numpy(self._gradients[1])

    def arrays(self, evaluation: Evaluation) -> Iterator[tuple[str, str, NDArray[np.float32]]]:
        """(stage, name in the reference run, array) for all arrays of an evaluation."""
        convert, number = self._network.modules[0].arithmetic.numpy, evaluation.number
        yield ("gradient" if number > 1 else "init"), f"x_{number}", evaluation.x
        yield "gradient", f"grad_{number}", self.gradient()
        if number > 1:
            return
        yield "init", "init", evaluation.x
        for i in self._outputs:
            yield "layers", f"layer{i:02}_output", convert(self._outputs[i])
            yield "layers", f"layer{i:02}_gradInput", convert(self._gradients[i])
        for i, content in enumerate(self._network.content_losses, 1):
            yield "targets", f"content_target{i}", convert(content.target)
        for i, style in enumerate(self._network.style_losses, 1):
            yield "targets", f"style_target{i}", convert(style.target)
            yield "Gram", f"style_G{i}", convert(style.gram)


def _compare_results(run: ReferenceRun, folder: Path, report: StageReport) -> None:
    """Compare all picture files byte by byte; PNG files by pixels if Python's zlib is not the original's."""
    for original in run.images():
        ours = folder / original.name
        if not ours.is_file():
            report.texts("image", original.name, "was not written", "was written")
            continue
        same = ours.read_bytes() == original.read_bytes()
        if same or original.suffix == ".jpg" or _are_equal_but_compressed_otherwise(ours, original):
            report.texts("image", original.name, "equal" if same else "other bytes", "equal")
        else:
            report.arrays("image", original.name, _pixels(ours), _pixels(original))


def _are_equal_but_compressed_otherwise(ours: Path, original: Path) -> bool:
    """Whether PNG files of the same pixels differ though zlib is the original's."""
    return compresses_as_zlib() and np.array_equal(_pixels(ours), _pixels(original))


def _pixels(path: Path) -> NDArray[np.uint8]:
    with PillowImage.open(path) as picture:
        return np.asarray(picture.convert("RGB"))
