"""Run a stage on a worker of the Ray cluster."""

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

    files: sha256 by path, relative to the folder of the run.  contents: by sha256, a list of one reference.
    (Ray fetches a reference outside a list at once, even if it is not needed.)
    """

    stage: Stage
    files: Mapping[str, str]
    contents: Mapping[str, list[Any]]


@dataclass(frozen=True)
class Outcome:
    """A stage's exit status, its printed log, and its result files by name."""

    status: int
    log: str
    files: Mapping[str, bytes]


def run_parcel(parcel: Parcel) -> Outcome:
    """Run a stage in a folder of its own. After a crash on the same node the folder is used again."""
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
    """The cache folder of this user on this node. Raises: PermissionError: it belongs to another user."""
    folder = Path(tempfile.gettempdir()) / f"neural-style-exact-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder}: belongs to another user")
    return folder


def _fetched(sha256: str, reference: Any) -> Path:
    """The file with this checksum, fetched from the cluster if this node does not have it."""
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
    """Make ``folder`` the working directory. Safe, since a worker runs one task at a time."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
