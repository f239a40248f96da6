"""``slow_neural_style``: the drop-in for ``th slow_neural_style.lua``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from cli.terminal import output as terminal
from cli.terminal.lua_flags import CommandLine, Grammar
from cli.terminal.program import run_program
from core.settings.slow_neural_style import SlowSettings
from core.settings.yaml_files import read_yaml

GRAMMAR = Grammar(
    "slow_neural_style",
    SlowSettings,
    {
        "config": "YAML file with any of these flags; the command line wins",
        "save_config": "Write the flags of this run to a YAML file",
    },
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status: 0, 1 for an error, 130 or 143 when interrupted."""
    return run_program(GRAMMAR, _command, arguments)


def _command(line: CommandLine) -> int:
    from cli.runs.files import check_target, save_config

    settings = SlowSettings()
    if "config" in line.others:
        settings = read_yaml(line.others["config"], settings)
    settings = settings.replace(**line.settings)
    if "save_config" in line.others:
        check_target("save_config", line.others["save_config"])
        save_config(line.others["save_config"], settings)
    return run_settings(settings)


def run_settings(settings: SlowSettings) -> int:
    """One run with these flags; returns the exit status. Raises: NeuralStyleError, CaffemodelError."""
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
