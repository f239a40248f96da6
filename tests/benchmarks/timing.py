"""Medians of cases measured in turn, so that a change of the machine's load affects all of them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping


def medians(cases: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Seconds of each case: one warm-up round, then ``repeats`` rounds in turn."""
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    for case in cases.values():
        case()
    for _ in range(repeats):
        for name, case in cases.items():
            started = time.perf_counter()
            case()
            seconds[name].append(time.perf_counter() - started)
    return {name: statistics.median(values) for name, values in seconds.items()}
