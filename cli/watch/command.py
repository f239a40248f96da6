"""``nstyle watch``: ``nstyle run`` with a page in the browser that shows its progress."""

from __future__ import annotations

import secrets
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.executors.schedule import Schedule
from cli.executors.stage_runs import work
from cli.nstyle.run_config import run_command, stages_of
from cli.terminal.output import notice
from cli.terminal.program import ending
from cli.watch.access import AUTO, Access

if TYPE_CHECKING:
    from core.report.live import Live
    from core.stages.config import Stage
    from core.stages.graph import Dependencies

PROGRAM = "nstyle watch"
LOOPBACK = "127.0.0.1"
LINGER = 3.0  # seconds to go on serving after the end, so that the page can fetch the final status
INTERRUPTED = 130
OF_RUN = ("config", "names", "changes", "limits", "inputs", "results", "checkpoint_iter")


@click.command("watch", params=[item for item in run_command.params if item.name in OF_RUN])
@click.option("--host", default=LOOPBACK, show_default=True, help="Address to serve on; others need --token.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="Port to serve on; by default a free one."
)
@click.option("--token", default="", help="Secret that the URL must contain; 'auto' makes one.")
def watch_command(config: Path, host: str, port: int, token: str, **options: Any) -> None:
    """Run CONFIG as nstyle run does and show it in the browser: picture, losses, speed, time left.

    The URL is printed on stderr. Only this machine can open it, unless --host and --token are given.
    The stop button of the page does what Ctrl-C does.
    """

    def act() -> int:
        access = Access(host, port, secrets.token_urlsafe(24) if token == AUTO else token)
        access.check()
        stages, needed = stages_of(config, **options)
        return _watch(stages, needed, access, config.name, options["inputs"])

    sys.exit(ending(PROGRAM, act))


def _watch(
    stages: Sequence[Stage], needed: Dependencies, access: Access, title: str, inputs: str | None
) -> int:
    from cli.nstyle.report import old_command
    from cli.watch.server import serving
    from core.report.live import Live
    from core.report.live_page import LivePage
    from core.report.page import load_template

    load_template()  # fails before the work starts if Jinja is not installed
    live = Live(stages)
    folders = [Path(inputs)] if inputs else []
    page = LivePage(live, stages, title, folders, old_command)
    with serving(page, access) as url:
        notice(f"{url} shows the run; Ctrl-C stops it", PROGRAM)
        return _run(stages, needed, live)


def _run(stages: Sequence[Stage], needed: Dependencies, live: Live) -> int:
    """Run all stages, wait ``LINGER`` seconds for the page, and return the exit status."""
    schedule = Schedule(stages, needed, _teller(stages, live))
    status = 1
    try:
        status = schedule.run_in_turn(lambda stage: _execute(stage, live))
        live.end(status)
    except KeyboardInterrupt:  # between two stages
        status = INTERRUPTED
        notice("interrupted", PROGRAM)
    finally:
        live.end(status)
        _linger()
    return status


def _linger() -> None:
    try:
        time.sleep(LINGER)
    except KeyboardInterrupt:
        return


def _execute(stage: Stage, live: Live) -> int:
    def act() -> int:
        try:
            return work(stage, live.observe)
        except Exception as error:
            live.fail(str(error) or type(error).__name__)
            raise

    live.begin(stage)
    status = ending(stage.program, act)
    live.finish(status)
    return status


def _teller(stages: Sequence[Stage], live: Live) -> Callable[[str, list[str]], None]:
    """A callback that prints the schedule's sentences and marks stages on the page that do not run."""
    by_name = {stage.name: stage for stage in stages}

    def tell(sentence: str, reasons: Sequence[str]) -> None:
        notice(sentence, PROGRAM)
        name = max((name for name in by_name if sentence.startswith(f"{name}: ")), key=len)
        state = sentence.removeprefix(f"{name}: ")
        if state == "up to date" or state.startswith("skipped"):
            live.pass_over(by_name[name], state, finished=state == "up to date")

    return tell
