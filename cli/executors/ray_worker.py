"""What a worker of the Ray cluster does with a stage."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.executors.stage_runs import run_stage
from core.atomic import replaced_when_complete
from core.records.records import beside
from core.stages.config import Stage
from core.stages.files import numbered_outputs, outputs


@dataclass(frozen=True)
class Parcel:
    """A stage and its files.

    files: sha256 by path, relative to the folder of the run.  contents: by sha256, a list of one reference
    (in a list, since Ray fetches bare ones whether they are needed or not).
    """

    stage: Stage
    files: Mapping[str, str]
    contents: Mapping[str, list[Any]]


@dataclass(frozen=True)
class Outcome:
    """Exit status, what was printed, and the results by name."""

    status: int
    log: str
    files: Mapping[str, bytes]


def run_parcel(parcel: Parcel) -> Outcome:
    """Run a stage in a folder of its own; after a crash on the same node in the same, where it goes on."""
    folder, settings = _cache() / "runs" / _key(parcel), parcel.stage.settings
    folder.mkdir(parents=True, exist_ok=True)
    for name, sha256 in parcel.files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            shutil.copy(_fetched(sha256, parcel.contents[sha256][0]), target)
    log = io.StringIO()
    with _working_in(folder), redirect_stdout(log), redirect_stderr(log):
        status = run_stage(parcel.stage)
    made = [folder / path for path in (*outputs(settings), *numbered_outputs(settings))]
    files = {path.name: path.read_bytes() for path in (*made, *map(beside, made)) if path.is_file()}
    if status == 0:
        shutil.rmtree(folder)
    return Outcome(status, log.getvalue(), files)


def _key(parcel: Parcel) -> str:
    text = repr((parcel.stage, sorted(parcel.files.items())))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _cache() -> Path:
    """The folder of this user on this node. Raises: PermissionError: it is somebody else's."""
    folder = Path(tempfile.gettempdir()) / f"neural-style-exact-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to another user")
    return folder


def _fetched(sha256: str, reference: Any) -> Path:
    """A file with the bytes of a checksum; asked of the cluster once on each node."""
    import ray

    path = _cache() / "contents" / sha256
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        content: bytes = ray.get(reference)
        with replaced_when_complete(path) as file:
            file.write(content)
    return path


@contextmanager
def _working_in(folder: Path) -> Iterator[None]:
    """A worker does one task at a time, so the folder may be the process's."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
