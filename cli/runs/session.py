"""Shared by ``neural_style`` and ``slow_neural_style``: keep and save the last picture with a finite loss."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, NoReturn

from tqdm import tqdm

from cli.terminal.above_bar import notice_above_bar
from cli.terminal.output import shows_progress
from core.errors import DivergenceError
from core.events import Evaluation

ADVICE = {
    "lbfgs": "L-BFGS takes fixed steps and can overshoot; try -optimizer adam, or smaller weights",
    "adam": "Try a lower -learning_rate, or smaller weights",
}


class PictureSession(ABC):
    """A run that makes one picture: its progress bar, and its last evaluation with a finite loss.

    program: the name printed before notices.  output: the file of the result.
    advice: printed when the loss is no longer finite.  total, done: evaluations, for the bar.
    """

    def __init__(
        self, program: str, output: str, advice: str, *, total: int, done: int = 0, bar: bool = True
    ) -> None:
        self._program, self._output, self._advice = program, output, advice
        self._last: Evaluation | None = None
        self._bar: tqdm[NoReturn] = tqdm(
            total=total, initial=done, unit="it", disable=not (bar and shows_progress()), leave=False
        )

    @abstractmethod
    def _save(self, path: str, evaluation: Evaluation, **more: Any) -> None:
        """Write the picture of an evaluation and its record."""

    def keep_last(self, why: str) -> None:
        """Save the last picture with a finite loss as the result, if there is one."""
        if self._last is None:
            self._notice(f"{why} before the first evaluation; no picture is written")
            return
        self._save(self._output, self._last)
        self._notice(f"{why}; evaluation {self._last.number} is saved as {self._output}")

    def close(self) -> None:
        """Close the progress bar."""
        self._bar.close()

    def _check_finite(self, evaluation: Evaluation) -> None:
        """Check the loss. Raises: DivergenceError, after the last picture with a finite loss is saved."""
        if math.isfinite(evaluation.total):
            return
        if self._last is not None:
            self.keep_last(f"the loss of evaluation {evaluation.number} is {evaluation.total}")
        raise DivergenceError(
            f"stopped at evaluation {evaluation.number}: the loss is no longer finite. {self._advice}"
        )

    def _notice(self, text: str) -> None:
        notice_above_bar(text, program=self._program)
