"""Compares two records: the differences that change the result of a run.

The result depends on the flags, the bytes of the inputs and weights, the arithmetic, and the numeric version
of this program. It does not depend on file names, folders, or flags for the log, threads and device numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from core.records.records import Record
from core.settings.flags import flags_of
from core.settings.text import format_value

NUMERIC_VERSION = 1  # increase it with every change of this program that changes a bit of any result
UNDECIDING = frozenset(
    (
        *(
            "threads",
            "print_iter",
            "print_every",
            "checkpoint_iter",
            "timing",
            "verbose",
            "jobs",
            "recursive",
        ),
        *("sorted", "skip_existing", "require_gpu"),
        *("gpu", "arithmetic"),  # the arithmetic and devices in use are compared instead, see RESOLVED
    )
)
RESOLVED = ("numeric_version", "arithmetic", "devices", "runtime")
EXACT = ("torch7", "opencl")  # arithmetics whose results are equal in every bit, on any device
WITHOUT_EFFECT_ON_EXACT = frozenset(("backend", "multigpu_strategy", "cudnn_autotune"))


def differences(old: Record, new: Record, settings: type, ignored: frozenset[str] = frozenset()) -> list[str]:
    """Sentences about the differences of two records of one program that change the result.

    settings: the dataclass of the program's flags.  ignored: flags that are not compared.
    """
    if same_bits(old.get("arithmetic"), new.get("arithmetic")):
        ignored |= WITHOUT_EFFECT_ON_EXACT
        new = {**new, "arithmetic": old["arithmetic"], "devices": old.get("devices")}
    return [
        *_flag_differences(old["settings"], new["settings"], settings, ignored),
        *_input_differences(old["inputs"], new["inputs"]),
        *(
            f"{name.replace('_', ' ')} was {_text(old.get(name))}, is {_text(new.get(name))}"
            for name in RESOLVED
            if old.get(name) != new.get(name)
        ),
    ]


def same_bits(old: str | None, new: str | None) -> bool:
    """Whether both arithmetics are exact: their results are equal whatever the devices."""
    return old in EXACT and new in EXACT


def _flag_differences(old: Record, new: Record, settings: type, ignored: frozenset[str]) -> Iterator[str]:
    for name, item in flags_of(settings).items():
        if item.metadata["path"] or name in UNDECIDING | ignored:
            continue
        was, now = (_plain(values.get(name, item.default)) for values in (old, new))
        if was != now:
            yield f"-{name} was {_text(was)}, is {_text(now)}"


def _input_differences(old: Record, new: Record) -> Iterator[str]:
    for flag in sorted({*old, *new}):
        was, now = ([entry["sha256"] for entry in record.get(flag, [])] for record in (old, new))
        if len(was) != len(now):
            yield f"-{flag} had {len(was)} files, has {len(now)}"
        elif was != now:
            changed = [
                entry["file"]
                for entry, before in zip(new[flag], was, strict=True)
                if entry["sha256"] != before
            ]
            yield f"-{flag}: the content of {', '.join(changed)} has changed"


def _plain(value: Any) -> Any:
    """The value as it is after saving and reading JSON."""
    return list(value) if isinstance(value, tuple) else value


def _text(value: Any) -> str:
    return format_value(tuple(value) if isinstance(value, list) else value) or "nothing"
