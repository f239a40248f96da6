"""The losses of a training, and the JSON file that train.lua writes with them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from core.atomic import replaced_when_complete
from core.errors import CheckpointError
from core.settings.training import TrainSettings


@dataclass
class History:
    """The losses of all iterations.

    total: the total loss of each iteration.  parts: the same for each part, by name.
    validation: the validation losses after the iterations in ``validated_at``.
    """

    total: list[float] = field(default_factory=list)
    parts: dict[str, list[float]] = field(default_factory=dict)
    validation: list[float] = field(default_factory=list)
    validated_at: list[int] = field(default_factory=list)

    @property
    def iterations(self) -> int:
        """The number of iterations done."""
        return len(self.total)

    def add(self, total: float, parts: Mapping[str, float]) -> None:
        """Append the losses of the next iteration."""
        self.total.append(total)
        for name, value in parts.items():
            self.parts.setdefault(name, []).append(value)

    def add_validation(self, loss: float) -> None:
        """Append the validation loss after the last iteration."""
        self.validation.append(loss)
        self.validated_at.append(self.iterations)


def save_history(path: Path, settings: TrainSettings, history: History) -> None:
    """Write ``CHECKPOINT_NAME.json`` as train.lua does, with all flags. Raises: CheckpointError."""
    record: dict[str, Any] = {
        "opt": {name: _plain(value) for name, value in asdict(settings).items()},
        "train_loss_history": history.total,
        "val_loss_history": history.validation,
        "val_loss_history_ts": history.validated_at,
    }
    if settings.task == "style":
        record["style_loss_history"] = {name: v for name, v in history.parts.items() if name != "pixel"}
    try:
        with replaced_when_complete(path) as file:
            file.write(json.dumps(record).encode())
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be written: {error.strerror}") from None


def _plain(value: Any) -> Any:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(part) for part in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
