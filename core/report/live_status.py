"""Describes a snapshot in words and numbers that can be written as JSON."""

from __future__ import annotations

import math
from typing import Any

from core.report.facts import duration
from core.report.live import DONE, ENDED, FAILED, STOPPED, STOPPING, Snapshot
from core.report.plots import Curve, curves_of
from core.settings.neural_style import Settings


def status_of(snapshot: Snapshot) -> dict[str, Any]:
    """The status that the page requests every second.

    iteration, iterations: 0 if the program has none.  picture: differs for every new picture, '' if there is
    none.  width, height: its size.  losses: the rows of the table.  finished: number of runs with results.
    """
    evaluation = snapshot.evaluation
    height, width = evaluation.x.shape[1:] if evaluation else (0, 0)
    number, iteration = snapshot.moment
    return {
        "state": snapshot.state,
        "ended": snapshot.state in ENDED,
        "sentence": sentence_of(snapshot),
        "stages": snapshot.stages,
        "iteration": iteration,
        "iterations": snapshot.planned,
        "figures": _figures(snapshot),
        "picture": f"n={iteration}&stage={number}" if evaluation else "",
        "width": width,
        "height": height,
        "losses": [
            {
                "kind": curve.kind,
                "name": f"{curve.kind} {curve.layer}".rstrip(),
                "colour": curve.colour,
                "first": curve.first,
                "last": curve.last,
            }
            for curve in _ends(snapshot)
        ],
        "finished": len(snapshot.finished),
    }


def sentence_of(snapshot: Snapshot) -> str:
    """One sentence about the current state, without values that change every second."""
    stage = snapshot.stage
    if snapshot.state == DONE:
        return "Done." if stage else "Everything was up to date."
    if snapshot.state == STOPPED:
        return _stopped(snapshot)
    if snapshot.state == FAILED:
        return f"Failed: {snapshot.message or 'see the terminal for the reason'}"
    if snapshot.state == STOPPING:
        return "Stopping: the current picture is being saved."
    if stage is None:
        return "Checking which stages are up to date."
    count = len(snapshot.stages)
    name = stage.name if count == 1 else f"Stage {stage.name}, {snapshot.number} of {count}"
    prepares = snapshot.planned and not snapshot.evaluation
    return f"{name}: {'loading the network and the pictures' if prepares else 'running'}"


def _stopped(snapshot: Snapshot) -> str:
    if snapshot.stage is None or snapshot.evaluation is None:
        return "Stopped; nothing is written."
    target = snapshot.stage.settings.output_image
    return f"Stopped; evaluation {snapshot.evaluation.number} is saved as {target}."


def _figures(snapshot: Snapshot) -> list[tuple[str, str]]:
    """The (name, value) pairs shown above the picture."""
    if not snapshot.evaluation:
        return []
    number, planned, rate = snapshot.evaluation.number, snapshot.planned, snapshot.rate
    figures = [("Iteration", f"{number} of {planned}"), ("Total loss", _ends(snapshot)[-1].last)]
    if rate:
        figures.append(("Speed", f"{rate:.3g} per second" if rate >= 1 else f"{duration(1 / rate)} each"))
        if snapshot.state not in ENDED:
            figures.append(("Time left", duration((planned - number) / rate)))
    return figures


def _ends(snapshot: Snapshot) -> tuple[Curve, ...]:
    """Every loss at the first and the last known evaluation."""
    rows = snapshot.rows
    return _curves(snapshot, (rows[0], rows[-1])) if rows else ()


def curves_in(snapshot: Snapshot) -> tuple[Curve, ...]:
    """Every loss from evaluation 1 on; losses from before a checkpoint are unknown (NaN) and not drawn."""
    if not snapshot.rows:
        return ()
    unknown = (math.nan,) * len(snapshot.rows[0])
    return _curves(snapshot, (*[unknown] * (snapshot.first - 1), *snapshot.rows))


def _curves(snapshot: Snapshot, rows: tuple[tuple[float, ...], ...]) -> tuple[Curve, ...]:
    settings = snapshot.stage.settings if snapshot.stage else None
    if not isinstance(settings, Settings):
        return ()
    layers, totals = [row[:-1] for row in rows], [row[-1] for row in rows]
    return curves_of(settings.content_layers, settings.style_layers, layers, totals)
