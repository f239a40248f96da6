"""``train_fast_neural_style``: the drop-in for ``th train.lua``."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence

from cli.runs.config import CONFIG_FLAGS, save_if_asked, settings_of
from cli.terminal.lua_flags import CommandLine, Grammar
from cli.terminal.program import run_program
from core.settings.training import TrainSettings
from core.settings.yaml_files import written, yaml_entries

GRAMMAR = Grammar(
    "train_fast_neural_style",
    TrainSettings,
    {
        **CONFIG_FLAGS,
        "resume": "Continue from CHECKPOINT_NAME.state.safetensors, if there is one (takes no value)",
    },
    switches=("resume",),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status: 0, 1 for an error, 130 or 143 when interrupted."""
    return run_program(GRAMMAR, _command, arguments)


def _command(line: CommandLine) -> int:
    given = set(line.settings)
    if "config" in line.others:
        given |= {str(written(key)) for key, _ in yaml_entries(line.others["config"])}
    settings = prepared(settings_of(line, TrainSettings()), given)
    save_if_asked(line, settings)
    return run_settings(settings, "resume" in line.others)


def prepared(settings: TrainSettings, given: Collection[str]) -> TrainSettings:
    """The settings, checked, with every value filled in that depends on other flags or on a checkpoint.

    Saved with -save_config they give the same training when read again.
    given: the flags set on the command line or in the config.  Raises: NeuralStyleError.
    """
    settings = settings.completed(given)
    settings.validate()

    from core.training.network_start import with_inherited

    return with_inherited(settings, given)


def run_settings(settings: TrainSettings, resume: bool = False, resume_if_possible: bool = False) -> int:
    """Train with ``prepared`` settings; returns the exit status.

    resume: continue from the saved state.  resume_if_possible: the same, but start anew if the state belongs
    to another training.

    Raises: NeuralStyleError, CaffemodelError.
    """
    from cli.runs.training import run

    return run(settings, resume or resume_if_possible, strict=not resume_if_possible)


if __name__ == "__main__":
    sys.exit(main())
