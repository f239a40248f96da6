"""``fast_neural_style``: the drop-in for ``th fast_neural_style.lua``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cli.runs.config import CONFIG_FLAGS, save_if_asked, settings_of
from cli.terminal import output as terminal
from cli.terminal.lua_flags import CommandLine, Grammar
from cli.terminal.program import run_program
from core.models.registry import MODELS_DIR
from core.settings.fast_neural_style import TransformSettings

if TYPE_CHECKING:
    from core.transform.open_model import OpenedModel

GRAMMAR = Grammar(
    "fast_neural_style",
    TransformSettings,
    CONFIG_FLAGS,
)
BUNDLED = MODELS_DIR / "evening.onnx"
notice = partial(terminal.notice, program=GRAMMAR.program)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status: 0, 1 for an error or a failed picture, 130 if interrupted."""
    return run_program(GRAMMAR, _command, arguments)


def _command(line: CommandLine) -> int:
    settings = settings_of(line, TransformSettings())
    save_if_asked(line, settings)
    return run_settings(settings)


def run_settings(settings: TransformSettings) -> int:
    """Run with these flags; returns the exit status. Raises: NeuralStyleError."""
    settings = _with_bundled_network(settings)
    from cli.runs.fast_neural_style import check_before, stylize_film, stylize_folder, stylize_picture
    from core.transform.open_model import open_model

    settings.validate()
    check_before(settings)
    opened = open_model(settings)
    _tell(opened, settings)
    if settings.input_video:
        return stylize_film(settings, opened)
    if settings.input_dir:
        return stylize_folder(settings, opened)
    return stylize_picture(settings, opened)


def _with_bundled_network(settings: TransformSettings) -> TransformSettings:
    """The settings, with the bundled network where -model is its default and that file does not exist."""
    default = TransformSettings().model
    if settings.model != default or Path(default).exists():
        return settings
    notice(f"{default} not found; using the bundled network {BUNDLED.name} (-model names another)")
    return settings.replace(model=str(BUNDLED))


def _tell(opened: OpenedModel, settings: TransformSettings) -> None:
    for sentence in (*settings.notices(), *opened.notices):
        notice(sentence)
    details = opened.details if settings.verbose else opened.details[:1] if settings.gpu >= 0 else ()
    for sentence in details:
        notice(sentence)


if __name__ == "__main__":
    sys.exit(main())
