"""``slow_neural_style``: the drop-in for ``th slow_neural_style.lua``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from cli.runs.config import CONFIG_FLAGS, save_if_asked, settings_of
from cli.terminal import output as terminal
from cli.terminal.lua_flags import CommandLine, Grammar
from cli.terminal.program import run_program
from core.settings.slow_neural_style import SlowSettings

GRAMMAR = Grammar(
    "slow_neural_style",
    SlowSettings,
    CONFIG_FLAGS,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status: 0, 1 for an error, 130 or 143 when interrupted."""
    return run_program(GRAMMAR, _command, arguments)


def _command(line: CommandLine) -> int:
    settings = settings_of(line, SlowSettings())
    save_if_asked(line, settings)
    return run_settings(settings)


def run_settings(settings: SlowSettings) -> int:
    """Run with these settings; returns the exit status. Raises: NeuralStyleError, CaffemodelError."""
    settings.validate()

    from cli.runs.slow_neural_style import run
    from core.devices import choose_native
    from core.pictures.images import check_writable

    check_writable(settings.output_image)
    placement = choose_native(settings.gpu, settings.threads)
    for sentence in (*settings.notices(), *placement.notices):
        terminal.notice(sentence, GRAMMAR.program)
    return run(settings, placement)


if __name__ == "__main__":
    sys.exit(main())
