"""The files a run writes beside its pictures: the trace of losses, their plot, saved settings."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from cli.report import seventeen_digits
from core.errors import SettingsError
from core.events import Evaluation
from core.settings import Settings
from core.settings_text import to_yaml


@contextmanager
def replaced_when_complete(path: str, mode: str = "w") -> Iterator[IO[str]]:
    """A text file that appears under its name only once the block has ended well.

    Raises: SettingsError: the file cannot be written.
    """
    target = Path(path)
    try:
        descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
    except OSError as error:
        raise SettingsError(f"{path}: cannot be written: {error.strerror}") from None
    try:
        with os.fdopen(descriptor, mode) as file:
            yield file
        Path(temporary).chmod(0o644)
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def check_folder(flag: str, path: str) -> None:
    """Raises SettingsError where ``path`` cannot be created, before any work is done."""
    folder = Path(path).parent
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK) or Path(path).is_dir():
        raise SettingsError(f"-{flag} {path}: cannot be written; does the folder {folder} exist?")


def save_config(path: str, settings: Settings) -> None:
    """Write the settings of a run, to be read with -config. Raises: SettingsError."""
    with replaced_when_complete(path) as file:
        file.write(to_yaml(settings, Path(path).parent))


class Trace:
    """Losses of every evaluation, written as they come: the rows of the goldens' losses.csv plus seconds."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._started = time.perf_counter()
        try:
            self._file = Path(path).open("w")  # noqa: SIM115  (closed by close)
        except OSError as error:
            raise SettingsError(f"-trace_file {path}: cannot be written: {error.strerror}") from None

    def add(self, evaluation: Evaluation) -> None:
        """Append one row; the first is preceded by the header."""
        if evaluation.number == 1:
            self._file.write(",".join(loss_names(evaluation, "evaluation", "total", "seconds")) + "\n")
        losses = (*evaluation.content_losses, *evaluation.style_losses, evaluation.total)
        seconds = time.perf_counter() - self._started
        self._file.write(f"{evaluation.number},{','.join(map(seventeen_digits, losses))},{seconds:.3f}\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file; what was written stays, also after an interruption."""
        self._file.close()


def loss_names(evaluation: Evaluation, first: str, *last: str) -> list[str]:
    """Column names: content_1 ..., style_1 ... between ``first`` and ``last``."""
    content = [f"content_{i}" for i in range(1, len(evaluation.content_losses) + 1)]
    style = [f"style_{i}" for i in range(1, len(evaluation.style_losses) + 1)]
    return [first, *content, *style, *last]


def plot_losses(path: str, settings: Settings, rows: list[list[float]], names: list[str]) -> None:
    """Draw losses (one row per evaluation, the total last) over evaluations, both axes logarithmic."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    labels = [*settings.content_layers, *settings.style_layers, "total"]
    figure, axes = pyplot.subplots(figsize=(9, 5.5), layout="constrained")
    evaluations = range(1, len(rows) + 1)
    for name, label, losses in zip(names, labels, zip(*rows, strict=True), strict=True):
        kind = name.split("_")[0]
        style = {"content": "--", "style": "-", "total": "-"}[kind]
        axes.plot(
            evaluations,
            losses,
            style,
            label=label if kind == "total" else f"{kind}  {label}",
            color="black" if kind == "total" else None,
            linewidth=2 if kind == "total" else 1.3,
        )
    axes.set_ylim(bottom=max(min(rows[-1]), rows[-1][-1] * 1e-9) / 3)  # a content loss may begin at 0
    axes.set(xlabel="evaluation", ylabel="loss, weights included", yscale="log", xscale="log")
    axes.set_title(f"{Path(settings.content_image).name} in the style of {_style_names(settings)}")
    axes.grid(alpha=0.25, which="both")
    axes.legend(frameon=False)
    temporary = f"{path}.part"
    try:
        figure.savefig(temporary, dpi=120, format="png")
        Path(temporary).replace(path)
    except OSError as error:
        raise SettingsError(f"-plot_losses {path}: cannot be written: {error.strerror}") from None
    finally:
        pyplot.close(figure)


def _style_names(settings: Settings) -> str:
    return " and ".join(Path(name).name for name in settings.style_image)
