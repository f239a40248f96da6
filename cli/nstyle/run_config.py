"""``nstyle run``: run the stages of a config that are not up to date."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from cli.executors.schedule import Schedule, planned, stop_children
from cli.executors.stage_runs import RUNNERS, run_in_process, run_stage
from cli.neural_style import with_model_that_is_here
from cli.terminal.output import notice
from cli.terminal.program import ending
from core.arithmetic.cores import available_cores
from core.errors import SettingsError
from core.settings.programs import PROGRAMS
from core.stages.changes import at_most, parsed, relocated
from core.stages.config import Stage, program_of, read_config
from core.stages.graph import Dependencies, check_all, dependencies, selected

CHECKPOINT_ITER = 100


@click.command("run")
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--stage", "names", multiple=True, help="Only this stage and those it depends on; repeatable.")
@click.option("--set", "changes", multiple=True, metavar="FLAG=VALUE", help="Set a flag for all stages.")
@click.option("--at-most", "limits", multiple=True, metavar="FLAG=NUMBER", help="Limit a flag in all stages.")
@click.option("--inputs", type=click.Path(), help="Read the input pictures from this folder.")
@click.option("--results", type=click.Path(), help="Write the results into this folder.")
@click.option("--dry-run", is_flag=True, help="List what would run; compute nothing.")
@click.option("--why", is_flag=True, help="List what changed since the result was made.")
@click.option("--jobs", type=click.IntRange(1, 256), default=1, help="Number of stages to run at once.")
@click.option("--executor", type=click.Choice(["local", "ray"]), default="local", show_default=True)
@click.option("--ray-address", default=None, help="Cluster of --executor ray; by default this machine.")
@click.option(
    "--checkpoint-iter",
    type=click.IntRange(0),
    default=CHECKPOINT_ITER,
    show_default=True,
    help="Used if the config has no checkpoint_iter.",
)
def run_command(config: Path, dry_run: bool, why: bool, **options: Any) -> None:
    """Run CONFIG: one run, its stages, or every combination of the values in vary.

    A stage runs if its flags, inputs, weights or this program's numeric version changed since its result was
    made. An interrupted stage continues from its last checkpoint.
    """

    def act() -> int:
        stages, needed = stages_of(config, **_of_stages(options))
        if dry_run:
            click.echo("\n".join(_plan(stages, needed, why)))
            return 0
        return _run(stages, needed, why, options)

    sys.exit(ending("nstyle run", act))


def _of_stages(options: dict[str, Any]) -> dict[str, Any]:
    names = ("names", "changes", "limits", "inputs", "results", "checkpoint_iter")
    return {name: options[name] for name in names}


def stages_of(
    config: Path,
    names: Sequence[str] = (),
    changes: Sequence[str] = (),
    limits: Sequence[str] = (),
    inputs: str | None = None,
    results: str | None = None,
    checkpoint_iter: int = CHECKPOINT_ITER,
) -> tuple[list[Stage], Dependencies]:
    """The stages to run, checked, and the names of the stages each depends on. Raises: SettingsError."""
    kind = PROGRAMS[program_of(config)].settings
    found = read_config(config, parsed(changes, "--set", kind))
    if found.program not in RUNNERS:
        raise SettingsError(f"{config}: nstyle run cannot run {found.program}; use {', '.join(RUNNERS)}")
    stages = at_most(relocated(found.stages, inputs, results), parsed(limits, "--at-most", kind))
    if found.program == "neural_style":
        stages = [_with_checkpoints(stage, checkpoint_iter) for stage in _with_models_that_are_here(stages)]
    moved = replace(found, stages=tuple(stages))
    needed = dependencies(moved)
    chosen = selected(moved, needed, names)
    check_all(chosen, config)
    return list(chosen), needed


def _with_models_that_are_here(stages: Sequence[Stage]) -> Sequence[Stage]:
    """Those that name no model may get another, which is told once."""
    told: list[str] = []
    found = [
        stage
        if "model_file" in stage.given
        else replace(stage, settings=with_model_that_is_here(stage.settings, told.append))
        for stage in stages
    ]
    for sentence in dict.fromkeys(told):
        notice(sentence, "nstyle run")
    return found


def _with_checkpoints(stage: Stage, every: int) -> Stage:
    return stage if stage.settings.checkpoint_iter else stage.replace(checkpoint_iter=float(every))


def _plan(stages: Sequence[Stage], needed: Dependencies, why: bool) -> Iterator[str]:
    for stage, reasons in planned(stages, needed):
        yield f"{stage.name}: {'would run' if reasons else 'up to date'}"
        yield from (f"  {reason}" for reason in reasons if why)


def _run(stages: Sequence[Stage], needed: Dependencies, why: bool, options: dict[str, Any]) -> int:
    def tell(sentence: str, reasons: Sequence[str]) -> None:
        notice(sentence, "nstyle run")
        for reason in reasons if why else ():
            notice(f"  {reason}", "nstyle run")

    schedule = Schedule(stages, needed, tell)
    if options["executor"] == "ray":
        from cli.executors.ray_executor import ray_cluster

        with ray_cluster(options["ray_address"]) as cluster:
            return schedule.run_at_once(cluster.execute, len(stages), cluster.stop)
    jobs = min(options["jobs"], len(stages))
    if jobs == 1:
        return schedule.run_in_turn(run_stage)
    threads = max(1, available_cores() // jobs)
    return schedule.run_at_once(lambda stage: run_in_process(stage, threads), jobs, stop_children)
