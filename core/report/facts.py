"""Formats the record of a picture as names and values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.records.records import Record, digest, pixels_digest
from core.report.pictures import open_rgb
from core.settings.fast_neural_style import TransformSettings
from core.settings.neural_style import format_number
from core.settings.programs import PictureSettings

CHECKSUMS = {"trace_sha256": "All losses", "pixels_sha256": "Pixels", "sha256": "This file"}


@dataclass(frozen=True)
class State:
    """Whether a file is still the recorded picture, and a description of its state."""

    unchanged: bool
    sentence: str


def state_of(path: Path, record: Record) -> State:
    """Compare a file with its record. Raises: ImageError: a damaged file; KeyError: a damaged record."""
    if record.get("sha256") == digest(path):
        return State(True, "the recorded file, byte for byte")
    if pixels_digest(np.asarray(open_rgb(path))) == record["pixels_sha256"]:
        return State(True, "the recorded pixels")
    return State(False, "changed since it was recorded")


def headline(record: Record, settings: PictureSettings) -> str:
    """One line: the inputs, the evaluation and the time taken. Raises: KeyError, TypeError."""
    if isinstance(settings, TransformSettings):
        return f"{_base(settings.input_image)} by {_base(settings.model)} · {record['runtime']}"
    names = settings.style_image
    styles = " and ".join(map(_base, names if isinstance(names, tuple) else (names,)))
    done, planned = record["evaluation"], format_number(settings.num_iterations)
    parts = [f"{_base(settings.content_image)} in the style of {styles}", f"evaluation {done} of {planned}"]
    if "seconds" in record:
        parts.append(duration(record["seconds"]))
    return " · ".join(parts)


def facts_of(record: Record) -> tuple[tuple[str, str], ...]:
    """The names and values to show. Raises: KeyError, TypeError, AttributeError: a damaged record."""
    return tuple(_facts(record))


def _facts(record: Record) -> Iterator[tuple[str, str]]:
    yield "Program", f"{record['program']} {record['version']}"
    if "runtime" in record:
        yield "Runtime", str(record["runtime"])
    else:
        yield "Arithmetic", f"{record['arithmetic']} on {', '.join(map(str, record['devices']))}"
        yield "Evaluation", str(record["evaluation"])
        yield "Total loss", repr(record["losses"]["total"])
    if "seconds" in record:
        yield "Time", f"{duration(record['seconds'])} with {record['threads']} threads"
    for name, text in record["environment"].items():
        yield str(name), str(text)
    for flag, entries in record["inputs"].items():
        for entry in entries:
            yield f"-{flag}", f"{entry['file']}, sha256 {entry['sha256']}"
    for name, what in CHECKSUMS.items():
        if name in record:
            yield what, f"sha256 {record[name]}"


def duration(seconds: float) -> str:
    """A duration as text, such as 12.3 s, 4 min 5 s or 1 h 2 min."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _base(name: str) -> str:
    return Path(name).name
