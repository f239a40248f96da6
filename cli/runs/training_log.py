"""Curves of a training: a CSV file with a row for every iteration, and TensorBoard."""

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
    """Somewhere that losses are kept, as soon as they are known."""

    def step(self, step: Step) -> None:
        """One iteration."""

    def validated(self, validated: Validated) -> None:
        """A validation behind it."""

    def close(self) -> None:
        """Nothing more comes."""


class LossFile:
    """The CSV file of -log_file.

    names: of the parts of the loss.  done: iterations of an earlier call, whose rows stay, and their seconds.
    Raises: SettingsError where the file cannot be written.
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
        """Append a row; numbers with all their digits."""
        now = time.perf_counter()
        row: list[Any] = [step.iteration, step.epoch, step.learning_rate, step.loss]
        row += [step.parts[name] for name in self._names]
        row += [f"{now - self._started:.3f}", f"{waiting_share(step, now - self._opened):.4f}"]
        try:
            self._file.write(_lines([row]))
        except OSError as error:
            raise self._unwritable(error) from None

    def validated(self, validated: Validated) -> None:
        """Not in this file; in ``CHECKPOINT_NAME.json``."""

    def close(self) -> None:
        """What was written stays."""
        self._file.close()

    def _unwritable(self, error: OSError) -> SettingsError:
        return SettingsError(f"-log_file {self._path}: cannot be written: {error.strerror or error}")


def _rows(path: Path, done: int) -> list[list[str]]:
    """The rows of the first iterations, without the header; none of a file that is something else."""
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
    """The share of the time that training spent waiting for pictures."""
    return min(1.0, step.seconds_waited / seconds) if seconds > 0 else 0.0


class TensorBoard:
    """Curves in the folder of -tensorboard. Raises: SettingsError: no package, or no folder."""

    def __init__(self, folder: str, done: int = 0) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise SettingsError(
                "-tensorboard needs the package tensorboard: pip install tensorboard, or leave it out "
                "(-log_file writes the same as CSV)"
            ) from None
        try:
            self._writer: Any = SummaryWriter(folder, purge_step=done + 1 if done else None)
        except OSError as error:
            raise SettingsError(
                f"-tensorboard {folder}: cannot be written: {error.strerror or error}"
            ) from None

    def step(self, step: Step) -> None:
        """Loss, its parts and the learning rate."""
        self._writer.add_scalar("loss/train", step.loss, step.iteration)
        self._writer.add_scalar("learning_rate", step.learning_rate, step.iteration)
        for name, value in step.parts.items():
            self._writer.add_scalar(f"parts/{name}", value, step.iteration)

    def validated(self, validated: Validated) -> None:
        """The validation loss."""
        self._writer.add_scalar("loss/validation", validated.loss, validated.iteration)

    def close(self) -> None:
        """Write what is left."""
        self._writer.close()
