"""Files that a run writes beside its pictures: the trace of losses, saved settings."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from cli.runs.log import seventeen_digits
from core.atomic import replaced_when_complete
from core.errors import SettingsError
from core.events import Evaluation
from core.records.checkpoint import Checkpoint
from core.settings.yaml_files import to_yaml

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


@contextmanager
def replaced(flag: str, path: str) -> Iterator[IO[bytes]]:
    """A file to write; it replaces ``path`` when the block ends without an error.

    Raises: SettingsError: the file cannot be written.
    """
    try:
        with replaced_when_complete(Path(path)) as file:
            yield file
    except OSError as error:
        raise _unwritable(flag, path, error) from None


def check_target(flag: str, path: str) -> None:
    """Check that ``path`` can be created or replaced; a device or a pipe must not be replaced.

    Raises: SettingsError.
    """
    target, folder = Path(path), Path(path).parent
    if target.is_dir():
        raise SettingsError(f"-{flag} {path}: is a folder; name a file")
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise SettingsError(f"-{flag} {path}: cannot be written; check that the folder {folder} exists")
    if flag != "trace_file" and target.exists() and not target.is_file():
        raise SettingsError(f"-{flag} {path}: not an ordinary file; name another")


def _unwritable(flag: str, path: str, error: OSError) -> SettingsError:
    return SettingsError(f"-{flag} {path}: cannot be written: {error.strerror or error}")


def save_config(path: str, settings: DataclassInstance) -> None:
    """Write settings as YAML for -config. Raises: SettingsError: the file cannot be written."""
    with replaced("save_config", path) as file:
        file.write(to_yaml(settings, Path(path).parent).encode())


class Trace:
    """Writes the losses of every evaluation to a CSV file, each row as soon as it is known.

    Columns: evaluation, content losses, style losses, total, seconds since the start.
    resumed: the checkpoint that the run continues from; its rows come first.
    Raises: SettingsError: the file cannot be written.
    """

    def __init__(self, path: str, content_layers: int, resumed: Checkpoint | None = None) -> None:
        self._path, self._content_layers = path, content_layers
        earlier = resumed.seconds.tolist() if resumed else []
        self._started = time.perf_counter() - (earlier[-1] if earlier else 0)
        try:
            self._file = Path(path).open("wb", buffering=0)  # noqa: SIM115  (closed by close)
        except OSError as error:
            raise _unwritable("trace_file", path, error) from None
        for number, seconds in enumerate(earlier, 1):
            self._write(number, resumed.losses[number - 1].tolist() if resumed else [], seconds)

    def add(self, evaluation: Evaluation) -> None:
        """Append one row, and the header before the first."""
        losses = (*evaluation.content_losses, *evaluation.style_losses, evaluation.total)
        self._write(evaluation.number, losses, time.perf_counter() - self._started)

    def _write(self, number: int, losses: Sequence[float], seconds: float) -> None:
        row = f"{number},{','.join(map(seventeen_digits, losses))},{seconds:.3f}\n"
        if number == 1:
            row = ",".join(self._header(len(losses))) + "\n" + row
        try:
            self._file.write(row.encode())
        except OSError as error:
            raise _unwritable("trace_file", self._path, error) from None

    def _header(self, losses: int) -> list[str]:
        content = [f"content_{i}" for i in range(1, self._content_layers + 1)]
        style = [f"style_{i}" for i in range(1, losses - self._content_layers)]
        return ["evaluation", *content, *style, "total", "seconds"]

    def close(self) -> None:
        """Close the file. The rows stay, also after an interruption."""
        self._file.close()
