"""Write the losses of a training to a CSV file, a row for every iteration, and to TensorBoard."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from core.atomic import replaced_when_complete
from core.errors import SettingsError
from core.training.events import Step, Validated


class Curves(Protocol):
    """A destination for the losses; each is written as soon as it is known."""

    def step(self, step: Step) -> None:
        """Write the losses of an iteration."""

    def validated(self, validated: Validated) -> None:
        """Write the loss of a validation."""

    def close(self) -> None:
        """Close the file."""


class LossFile:
    """The CSV file of -log_file.

    names: the parts of the loss.  done: iterations of an earlier call; their rows and their time are kept.
    Raises: SettingsError: the file cannot be written.
    """

    def __init__(self, path: str, names: Sequence[str], done: int = 0) -> None:
        self._path, self._names = path, tuple(names)
        header = ["iteration", "epoch", "learning_rate", "loss", *names, "seconds", "waiting_share"]
        rows = _rows(Path(path), done) if done else []
        earlier = float(rows[-1][-2]) if rows else 0.0
        self._started = time.perf_counter() - earlier
        self._opened = time.perf_counter()
        try:
            with replaced_when_complete(Path(path)) as file:
                file.write(_lines([header, *rows]))
            self._file = Path(path).open("ab", buffering=0)  # noqa: SIM115  (closed by close)
        except OSError as error:
            raise self._unwritable(error) from None

    def step(self, step: Step) -> None:
        """Append a row, with all digits of the numbers."""
        now = time.perf_counter()
        row: list[Any] = [step.iteration, step.epoch, step.learning_rate, step.loss]
        row += [step.parts[name] for name in self._names]
        row += [f"{now - self._started:.3f}", f"{waiting_share(step, now - self._opened):.4f}"]
        try:
            self._file.write(_lines([row]))
        except OSError as error:
            raise self._unwritable(error) from None

    def validated(self, validated: Validated) -> None:
        """Write nothing: validation losses are in ``CHECKPOINT_NAME.json``."""

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _unwritable(self, error: OSError) -> SettingsError:
        return SettingsError(f"-log_file {self._path}: cannot be written: {error.strerror or error}")


def _rows(path: Path, done: int) -> list[list[str]]:
    """The rows of the first ``done`` iterations, without the header; [] for a file of another kind."""
    try:
        rows = list(csv.reader(path.read_text().splitlines()))[1:]
        return [row for row in rows if int(row[0]) <= done]
    except (OSError, ValueError, IndexError):
        return []


def _lines(rows: Sequence[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def waiting_share(step: Step, seconds: float) -> float:
    """The share of the time spent waiting for pictures, 0 to 1."""
    return min(1.0, step.seconds_waited / seconds) if seconds > 0 else 0.0


class TensorBoard:
    """The curves of -tensorboard. Raises: SettingsError: the package or the folder is missing."""

    def __init__(self, folder: str, done: int = 0) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise SettingsError(
                "-tensorboard needs the package tensorboard: pip install tensorboard, or use -log_file, "
                "which writes the same values as CSV"
            ) from None
        try:
            self._writer: Any = SummaryWriter(folder, purge_step=done + 1 if done else None)
        except OSError as error:
            raise SettingsError(
                f"-tensorboard {folder}: cannot be written: {error.strerror or error}"
            ) from None

    def step(self, step: Step) -> None:
        """Write the loss, its parts and the learning rate."""
        self._writer.add_scalar("loss/train", step.loss, step.iteration)
        self._writer.add_scalar("learning_rate", step.learning_rate, step.iteration)
        for name, value in step.parts.items():
            self._writer.add_scalar(f"parts/{name}", value, step.iteration)

    def validated(self, validated: Validated) -> None:
        """Write the validation loss."""
        self._writer.add_scalar("loss/validation", validated.loss, validated.iteration)

    def close(self) -> None:
        """Write the remaining values and close the file."""
        self._writer.close()
