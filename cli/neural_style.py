"""``neural_style``: the drop-in for ``th neural_style.lua``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from cli.runs.config import CONFIG_FLAGS, save_if_asked, settings_of
from cli.terminal.lua_flags import CommandLine, Grammar
from cli.terminal.output import notice, print_log
from cli.terminal.program import run_program
from core.settings.neural_style import Settings, format_number

if TYPE_CHECKING:
    from core.devices import Placement
    from core.events import Event
    from core.records.checkpoint import Checkpoint

GRAMMAR = Grammar(
    "neural_style",
    Settings,
    {
        **CONFIG_FLAGS,
        "trace_file": "Write the losses of every evaluation to a CSV file",
        "plot_losses": "Draw the losses into a PNG file",
        "resume": "Continue from the checkpoint of -checkpoint_iter, if there is one (takes no value)",
        "dry_run": "Print sizes and memory, compute nothing (takes no value)",
    },
    switches=("dry_run", "resume"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status: 0, 1 for an error, 130 or 143 when interrupted."""
    return run_program(GRAMMAR, _command, arguments)


def _command(line: CommandLine) -> int:
    settings = settings_of(line, Settings())
    if not settings_of(line, Settings(model_file="")).model_file:  # nobody names a model
        settings = with_model_that_is_here(settings, notice)
    return run_settings(settings, line)


def with_model_that_is_here(settings: Settings, tell: Callable[[str], None]) -> Settings:
    """For a run that names no model: with the copy in 8 bits, and a notice, if the original is missing."""
    from core.models.stand_in import SENTENCE, stand_in_for

    file = stand_in_for(settings.model_file)
    if file is None:
        return settings
    tell(SENTENCE.format(missing=settings.model_file, file=file))
    return settings.replace(model_file=file)


def run_settings(
    settings: Settings,
    line: CommandLine,
    resume_if_possible: bool = False,
    observe: Callable[[Event], None] = lambda event: None,
) -> int:
    """Run with these settings; returns the exit status. Of ``line`` only ``others`` is used.

    resume_if_possible: continue from a checkpoint of the same run if there is one; otherwise start anew.
    observe: called with every event.
    Raises: NeuralStyleError, CaffemodelError.
    """
    settings.validate()
    _check_outputs(settings, line)
    return _start(settings, line, resume_if_possible, observe)


def _check_outputs(settings: Settings, line: CommandLine) -> None:
    """Check before any work that every output can be written. Raises: NeuralStyleError."""
    from cli.runs.files import check_target
    from core.pictures.images import check_writable

    check_writable(settings.output_image)
    for flag in ("trace_file", "plot_losses", "save_config"):
        if flag in line.others:
            check_target(flag, line.others[flag])


def _start(
    settings: Settings, line: CommandLine, resume_if_possible: bool, observe: Callable[[Event], None]
) -> int:
    from cli.runs.neural_style import run
    from core.devices import choose
    from core.memory import plan

    for sentence in (*settings.notices(), *_differences_to_prototxt(settings)):
        notice(sentence)
    placement = choose(settings)
    for sentence in (*placement.notices, *_without_effect_on(placement, settings)):
        notice(sentence)
    planned = plan(settings, placement)
    save_if_asked(line, settings)
    if "dry_run" in line.others:
        print_log("\n".join(planned.lines()) + "\n")
        return 0
    planned.check()
    resumed = None
    if "resume" in line.others or resume_if_possible:
        resumed = _checkpoint(settings, placement, strict=not resume_if_possible)
    trace_file, plot_file = line.others.get("trace_file", ""), line.others.get("plot_losses", "")
    return run(settings, placement, trace_file, plot_file, resumed, observe)


def _checkpoint(settings: Settings, placement: Placement, strict: bool) -> Checkpoint | None:
    """The checkpoint to continue from, or None.

    Raises: CheckpointError: it belongs to another run or is damaged, and ``strict``. If not ``strict``, such
    a checkpoint is ignored with a notice.
    """
    from core.errors import CheckpointError
    from core.records.checkpoint import checkpoint_file, load_checkpoint
    from core.records.provenance import run_identity

    path = checkpoint_file(settings.output_image)
    if not path.exists():
        if strict:
            notice(f"-resume: there is no {path}; the run starts from the beginning")
        return None
    try:
        checkpoint = load_checkpoint(path, run_identity(settings, placement))
        if checkpoint.due.number >= settings.num_iterations:
            raise CheckpointError(
                f"{path}: was written after evaluation {checkpoint.due.number}, and -num_iterations is "
                f"{format_number(settings.num_iterations)}; raise -num_iterations or leave out -resume"
            )
    except CheckpointError as error:
        if strict:
            raise
        notice(f"checkpoint not used: {error}")
        return None
    notice(f"continuing after evaluation {checkpoint.due.number}, from {path}")
    return checkpoint


def _without_effect_on(placement: Placement, settings: Settings) -> list[str]:
    """Notices about flags that have no effect on the devices in use."""
    on_cpu = placement.devices == ("cpu",)
    cases = (
        (
            on_cpu and settings.backend != "nn",
            f"-backend {settings.backend}: treated as nn on the CPU, as in the original",
        ),
        (on_cpu and settings.cudnn_autotune, "-cudnn_autotune has no effect on the CPU"),
        (not on_cpu and settings.threads > 0, "-threads has no effect on a GPU"),
    )
    return [sentence for applies, sentence in cases if applies]


def _differences_to_prototxt(settings: Settings) -> list[str]:
    """Notices about differences between the prototxt and the caffemodel.

    As in the original, the network comes from the caffemodel alone.
    """
    from caffe_loader import compare_prototxt, open_caffemodel
    from core.models.proof.equivalents import stands_for
    from core.models.registry import find_model_file, find_proto_file

    defaults = Settings()
    named = settings.proto_file != defaults.proto_file
    model_file = find_model_file(settings.model_file)
    if not named and (settings.model_file != defaults.model_file or stands_for(model_file)):
        return []
    path = find_proto_file(settings.proto_file)
    if path is None:
        return [f"-proto_file {settings.proto_file}: not found; it is not needed"] if named else []
    with open_caffemodel(model_file) as model:
        return [f"{sentence} (the caffemodel is used)" for sentence in compare_prototxt(path, model)]


if __name__ == "__main__":
    sys.exit(main())
