"""Repeats a run from its record and compares the result."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from core.errors import SettingsError
from core.events import Evaluation, Event
from core.models.checksums import file_digests
from core.models.proof.equivalents import published_sha256
from core.models.registry import MODELS_DIR
from core.pictures.images import Image, to_bytes
from core.records.provenance import trace_digest
from core.records.records import Record, pixels_digest
from core.settings.flags import Flag, flags_of, is_list
from core.settings.neural_style import Settings
from core.settings.slow_neural_style import SlowSettings

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

S = TypeVar("S", bound="DataclassInstance")


@dataclass(frozen=True)
class Reproduction:
    """The comparison of a repeated run with its record.

    pixels_equal, trace_equal: whether the picture and the losses of all evaluations are the recorded ones.
    parted: (evaluation, recorded loss, our loss) of the first difference, if the record has all losses.
    """

    pixels_equal: bool
    trace_equal: bool
    parted: tuple[int, str, str] | None


def reproduce(
    events: Iterable[Event],
    picture_of: Callable[[Evaluation], Image],
    record: Record,
    progress: Callable[[], object] = lambda: None,
) -> Reproduction:
    """Repeat a run up to the recorded evaluation. Raises: SettingsError: the run ends before it."""
    trace: list[str] = []
    for event in events:
        if not isinstance(event, Evaluation):
            continue
        trace.append(repr(event.total))
        progress()
        if event.number == record["evaluation"]:
            pixels = pixels_digest(to_bytes(picture_of(event)))
            return Reproduction(
                pixels == record["pixels_sha256"],
                trace_digest(trace) == record["trace_sha256"],
                _parted(record.get("trace", []), trace),
            )
    raise SettingsError(f"the run ended before evaluation {record['evaluation']}, at which it was recorded")


def _parted(recorded: Sequence[str], ours: Sequence[str]) -> tuple[int, str, str] | None:
    pairs = enumerate(zip(recorded, ours, strict=False), 1)
    return next(((number, theirs, own) for number, (theirs, own) in pairs if theirs != own), None)


def settings_of(record: Record, kind: type[S], folders: Sequence[Path]) -> S:
    """The recorded flags of a program, with inputs found by their checksums in ``folders``.

    Raises: SettingsError: a damaged record or a missing input.
    """
    known, found = flags_of(kind), {}
    recorded = recorded_settings(record, kind)
    for flag, entries in record["inputs"].items():
        paths = _found(entries, folders)
        if flag in known and paths:
            found[flag] = paths if is_list(known[flag]) else paths[0]
    return replace(recorded, **found)


def recorded_settings(record: Record, kind: type[S]) -> S:
    """The recorded flags of a program, with inputs under their recorded names.

    Raises: SettingsError: a damaged record.
    """
    known, values = flags_of(kind), record.get("settings")
    if not isinstance(values, dict) or not isinstance(record.get("inputs"), dict):
        raise SettingsError("the record is damaged: it has no flags or no inputs")
    return kind(**{name: _checked(known, name, value) for name, value in values.items()})


def check_repeatable(settings: Settings | SlowSettings) -> None:
    """Raises SettingsError if every run starts from different noise."""
    settings.validate()
    starts_from_noise = not isinstance(settings, Settings) or settings.init == "random"
    if settings.seed < 0 and starts_from_noise:
        raise SettingsError("cannot be repeated: made without -seed, so every run starts from other noise")


def _checked(known: dict[str, Flag], name: str, value: Any) -> Any:
    if name not in known:
        raise SettingsError(f"the record has a flag -{name} that this version does not know")
    default = known[name].default
    if is_list(known[name]):
        if value is None and default is None:
            return None
        kind = float if known[name].metadata["numbers"] else str
        return tuple(_of_kind(kind, name, part) for part in _of_kind(list, name, value))
    return _of_kind(type(default), name, value)


def _of_kind(kind: type, name: str, value: Any) -> Any:
    """The value, checked to be of ``kind``. Integers are converted to float, as JSON may write 1.0 as 1."""
    try:
        if kind is float and isinstance(value, int):
            value = float(value)
    except OverflowError:
        value = None
    if not isinstance(value, kind) or (isinstance(value, str) and not _is_name(value)):
        raise SettingsError(f"the record is damaged: -{name} is {value!r:.40}")
    return value


def _is_name(text: str) -> bool:
    """Whether the system accepts the text as a file name: no NUL, no lone surrogates."""
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False


def _found(entries: Any, folders: Sequence[Path]) -> tuple[str, ...]:
    """The files of one flag. Raises: SettingsError naming the first file that is not found."""
    try:
        return tuple(find_by_checksum(str(entry["file"]), str(entry["sha256"]), folders) for entry in entries)
    except (KeyError, TypeError):
        raise SettingsError("the record is damaged: its list of inputs is not valid") from None


def sha256_of(path: Path) -> str:
    """The sha256 of a file, or of the published model for which it stands.

    Empty if the file cannot be read, so that a search can go on.
    """
    try:
        return published_sha256(path) or file_digests(path).sha256
    except OSError:
        return ""


def find_by_checksum(
    name: str, sha256: str, folders: Sequence[Path], digest: Callable[[Path], str] = sha256_of
) -> str:
    """The file with this checksum. Tries its recorded name, then all files directly in ``folders``.

    Raises: SettingsError: there is no such file.
    """
    candidates = [folder / part for folder in (*folders, MODELS_DIR) for part in (name, Path(name).name)]
    others = [path for folder in folders for path in sorted(folder.glob("*"))]
    for path in (*candidates, *others):
        if path.is_file() and digest(path) == sha256:
            return str(path)
    searched = ", ".join(map(str, dict.fromkeys(folders)))
    raise SettingsError(
        f"{name} (sha256 {sha256[:16]}...) is not in {searched}; give its folder with --inputs"
    )
