"""``nstyle doctor``: is everything there, and is it exact here?"""

from __future__ import annotations

import sys

import click

from core.doctor import PROBLEM, examine

SELF_TEST = "lbfgs_random"
WIDTH = 22


@click.command("doctor")
def doctor_command() -> None:
    """Look at Python, PyTorch, ONNX Runtime, BLAS, models, disk and memory, and repeat a reference run.

    The exit status is 1 if something keeps the program from its promise; what is only absent is none.
    """
    from core.models.registry import MODELS_DIR

    problems = 0
    for finding in examine(MODELS_DIR, _self_test):
        problems += finding.state == PROBLEM
        click.echo(f"{finding.state:<8} {finding.what:<{WIDTH}} {finding.message}")
        if finding.remedy:
            click.echo(f"{'':<8} {'':<{WIDTH}} -> {finding.remedy}")
    click.echo(f"{problems} problems" if problems != 1 else "1 problem")
    sys.exit(int(problems > 0))


def _self_test() -> str:
    """Where the bundled reference run differs, '' if nowhere."""
    from cli.parity.command import check_run
    from cli.parity.reference_runs import bundled_run
    from core.devices import choose
    from core.settings.neural_style import Settings

    run = bundled_run(SELF_TEST)
    report, _ = check_run(run, choose(Settings(arithmetic="torch7", gpu="-1")))
    differences = [f"{stage}: {text}" for stage, found in report.stages.items() for text in found.differences]
    return differences[0] if differences else ""
