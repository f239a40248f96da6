"""``nstyle parity``: repeat the reference runs of the original program and list the differences."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import click

from cli.parity.native import HEADER, drift_row
from cli.parity.reference_runs import ReferenceRun, reference_runs
from cli.parity.stages import STAGES, StageReport, repeat_run
from core.devices import Placement, choose
from core.errors import NetworkError
from core.settings.neural_style import Settings


@click.command("parity")
@click.argument("jobs", nargs=-1)
@click.option(
    "--program",
    type=click.Choice(["neural_style", "fast_neural_style"]),
    default="neural_style",
    show_default=True,
    help="The program of the reference runs; with fast_neural_style all are compared.",
)
@click.option(
    "--arithmetic", type=click.Choice(["torch7", "opencl", "native"]), default="torch7", show_default=True
)
@click.option("--gpu", help="Device of native and opencl arithmetic.  [default: -1; with opencl 0]")
@click.option("--threads", default=0, show_default="all cores", help="CPU threads.")
@click.option(
    "--update", type=click.Path(dir_okay=False, path_type=Path), help="Replace the table in this page."
)
def parity_command(
    jobs: tuple[str, ...], program: str, arithmetic: str, gpu: str | None, threads: int, update: Path | None
) -> None:
    """Compare JOBS (default: all) with the reference runs of the original Torch7 program.

    torch7, opencl: compares stage by stage. '=' means equal, '.' means not recorded in the reference run, and
    n/m means that n of m results differ, which is an error. native: shows how far PyTorch's kernels are from
    the original.
    """
    if program == "fast_neural_style":
        rows, failed = _fast()
        marker = program
    else:
        rows, failed = _slow(jobs, arithmetic, gpu, threads)
        marker = arithmetic
    if update:
        _update(update, marker, rows)
    if failed:
        raise click.ClickException(f"{failed} of {len(rows) - 1} runs are not equal to the original's")


def _fast() -> tuple[list[list[str]], int]:
    from cli.parity.exact_jobs import job_distances
    from cli.parity.transform import HEADER, distances

    rows, failed = [list(HEADER)], 0
    _show(rows[0])
    for runtime in ("torch7", "onnx", "torch"):
        for distance in (*distances(runtime), *job_distances(runtime)):
            rows.append(distance.row())
            _show(rows[-1])
            if not distance.passed:
                failed += 1
                limit = "    not equal" if runtime == "torch7" else "    differs by more than the limit"
                click.echo(limit)
            for detail in distance.details:
                click.echo(f"    {detail}")
    if len(rows) == 1:
        raise click.ClickException("no reference runs found: they belong in ../shared beside the clone")
    click.echo(f"{len(rows) - 1 - failed} passed, {failed} failed")
    return rows, failed


def _slow(
    jobs: tuple[str, ...], arithmetic: str, gpu: str | None, threads: int
) -> tuple[list[list[str]], int]:
    runs = [run for run in reference_runs() if not jobs or run.name in jobs]
    if not runs:
        raise click.ClickException(f"no reference run is called {' or '.join(jobs) or 'anything'}")
    if arithmetic == "opencl":
        settings = Settings(backend="clnn", gpu=gpu or "0", threads=float(threads))
    else:
        settings = Settings(arithmetic=arithmetic, gpu=gpu or "-1", threads=float(threads))
    placement = choose(settings)
    for sentence in placement.notices:
        click.echo(sentence, err=True)
    if placement.kind != arithmetic:
        raise click.ClickException(f"no device for {arithmetic} arithmetic is here")
    return _native(runs, settings) if arithmetic == "native" else _exact(runs, placement)


def _exact(runs: Sequence[ReferenceRun], placement: Placement) -> tuple[list[list[str]], int]:
    """The rows of the table of exact runs, and the number of runs that differ."""
    rows, failed = [["job", *STAGES, "seconds"]], 0
    _show(rows[0])
    for run in runs:
        started = time.perf_counter()
        report, remark = check_run(run, placement)
        seconds = f"{time.perf_counter() - started:.1f}"
        cells = [remark] if remark else list(map(str, report.stages.values()))
        rows.append([run.name, *cells, *[""] * (len(STAGES) - len(cells)), seconds])
        _show(rows[-1])
        failed += not report.equal
        for stage, comparison in report.stages.items():
            for difference in comparison.differences[:5]:
                click.echo(f"    {stage}: {difference}")
    click.echo(f"{len(runs) - failed} passed, {failed} failed")
    return rows, failed


def check_run(run: ReferenceRun, placement: Placement) -> tuple[StageReport, str]:
    """Repeat one run; returns the comparison, and a remark where none is made (two threads, or refused)."""
    if run.threads != 1:
        return StageReport(), "not compared: two BLAS threads, the original itself varies"
    with tempfile.TemporaryDirectory() as folder:
        if run.exit_code == 0:
            return repeat_run(run, placement, Path(folder)), ""
        report = StageReport()
        try:
            repeat_run(run, placement, Path(folder))
        except NetworkError:
            return report, "refused, as by the original"
        report.texts("log", "exit code", "0", str(run.exit_code))
        return report, ""


def _native(runs: Sequence[ReferenceRun], settings: Settings) -> tuple[list[list[str]], int]:
    rows = [list(HEADER)]
    _show(rows[0])
    for run in runs:
        if run.threads == 1 and run.exit_code == 0:
            rows.append(drift_row(run, settings))
            _show(rows[-1])
    return rows, 0


def _show(cells: Sequence[str]) -> None:
    click.echo(" ".join([f"{cells[0]:32}", *(f"{cell:>10}" for cell in cells[1:])]).rstrip())
    sys.stdout.flush()


def _update(page: Path, marker: str, rows: Sequence[Sequence[str]]) -> None:
    """Replace the table between the page's comments ``<!-- marker -->`` and ``<!-- end -->``."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    lines.insert(1, "|" + " --- |" * len(rows[0]))
    before, _, rest = page.read_text().partition(f"<!-- {marker} -->\n")
    _, end, after = rest.partition("<!-- end -->")
    if not end:
        raise click.ClickException(f"{page}: has no lines <!-- {marker} --> and <!-- end -->")
    text = f"{before}<!-- {marker} -->\n" + "\n".join(lines) + f"\n{end}{after}"
    temporary = page.with_suffix(".part")
    temporary.write_text(text)
    temporary.replace(page)
