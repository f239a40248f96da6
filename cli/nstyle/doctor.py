"""``nstyle doctor``: check the installation, and repeat a reference run to check exactness."""

from __future__ import annotations

import sys

import click

from core.doctor import PROBLEM, examine

SELF_TEST = "lbfgs_random"
WIDTH = 22


@click.command("doctor")
def doctor_command() -> None:
    """Check Python, PyTorch, ONNX Runtime, products, OpenCL, models, disk and memory; repeat a reference run.

    The exit status is 1 if there is a problem. An optional package or model that is absent is not a problem.
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
    """The first difference to the bundled reference run; '' if there is none."""
    from cli.parity.command import check_run
    from cli.parity.reference_runs import bundled_run
    from core.devices import choose
    from core.settings.neural_style import Settings

    run = bundled_run(SELF_TEST)
    report, _ = check_run(run, choose(Settings(arithmetic="torch7", gpu="-1")))
    differences = [f"{stage}: {text}" for stage, found in report.stages.items() for text in found.differences]
    return differences[0] if differences else ""
