"""``nstyle run --executor ray``: stages on a Ray cluster.

The nodes need no shared file system. Files are sent by content: a node fetches each sha256 once and keeps it.
A stage whose worker dies runs again on another worker; on the same node it continues from its checkpoint.
Ray uses pickle between its own processes; no file is read with pickle here.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

from cli.executors.ray_worker import Outcome, Parcel, run_parcel
from cli.executors.stage_runs import log_file
from cli.terminal.output import notice
from core.atomic import replaced_when_complete
from core.errors import NeuralStyleError, SettingsError
from core.models.registry import find_model_file, find_proto_file
from core.pictures.images import create_folder
from core.records.records import digest, local_path
from core.stages.changes import with_paths
from core.stages.config import Stage
from core.stages.files import inputs, makes_many_files, outputs

RAY_PORT, CONNECT_SECONDS = 6379, 10.0
RETRIES = 3
INTERRUPTED = 130


@contextmanager
def ray_cluster(address: str | None) -> Iterator[RayCluster]:
    """A connection to the cluster at ``address``; without an address one is started on this machine.

    Raises: SettingsError: Ray is not installed, or no cluster answers at ``address``.
    """
    try:
        import ray
    except ImportError:
        raise SettingsError(
            "--executor ray: Ray is not installed; pip install 'neural-style-exact[ray]'"
        ) from None
    _check_reachable(address)
    options: dict[str, Any] = {} if address else {"include_dashboard": False}
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **options)
    except (OSError, ValueError, RuntimeError) as error:
        raise SettingsError(f"--executor ray: Ray cannot be started: {error}") from None
    try:
        yield RayCluster(ray)
    finally:
        ray.shutdown()


def _check_reachable(address: str | None) -> None:
    """Check the address before Ray does: Ray tries for five minutes and then ends the process.

    Raises: SettingsError: no cluster answers.
    """
    place = urlsplit(f"//{(address or '').partition('://')[2] or address}")
    try:
        if address and address not in ("auto", "local") and place.hostname:
            socket.create_connection((place.hostname, place.port or RAY_PORT), CONNECT_SECONDS).close()
    except (OSError, ValueError) as error:
        raise SettingsError(f"--ray-address {address}: no cluster answers: {error}") from None


class RayCluster:
    """Sends stages to a cluster and writes their results here."""

    def __init__(self, ray: ModuleType) -> None:
        self._ray = ray
        self._files: dict[str, Any] = {}  # references to file contents, by sha256
        self._running: set[Any] = set()
        self._lock = threading.Lock()
        self._gpus = int(ray.cluster_resources().get("GPU", 0))

    def execute(self, stage: Stage) -> int:
        """Run one stage on the cluster and write its files here; returns the exit status.

        Raises: NeuralStyleError: an input is missing, or a result cannot be written.
        """
        if makes_many_files(stage.settings):
            raise SettingsError(
                f"{stage.name}: --executor ray cannot send folders or videos; use --executor local"
            )
        run = self._ray.remote(run_parcel).options(
            name=stage.name, max_retries=RETRIES, num_gpus=self._wanted_gpus(stage)
        )
        reference = run.remote(self._parcel(stage))
        self._running.add(reference)
        try:
            outcome: Outcome = self._ray.get(reference)
        except self._ray.exceptions.TaskCancelledError:
            return INTERRUPTED
        except self._ray.exceptions.WorkerCrashedError:
            notice(f"{stage.name}: failed; its worker died {RETRIES + 1} times", "nstyle run")
            return 1
        finally:
            self._running.discard(reference)
        _write(stage, outcome)
        return outcome.status

    def stop(self, number: int) -> None:
        """End all tasks. Run again on the same node, they continue from their last checkpoint."""
        for reference in list(self._running):
            self._ray.cancel(reference, force=True)

    def _wanted_gpus(self, stage: Stage) -> int:
        """The number of GPUs to ask for: at most what the cluster has. With none, the stage uses the CPU."""
        wanted = str(stage.settings.gpu)
        return min(self._gpus, 0 if wanted.startswith("-") else wanted.count(",") + 1)

    def _parcel(self, stage: Stage) -> Parcel:
        """The stage with its files, under paths without folders of this machine."""
        files = {path: path for path in inputs(stage.settings)}
        files |= _weights(stage)
        missing = [path for path, found in files.items() if not Path(found).is_file()]
        if missing:
            raise NeuralStyleError(f"{stage.name}: {missing[0]}: no such file; check the path")
        checksums = {path: digest(found) for path, found in files.items()}
        names = _names(checksums)
        threads = {} if stage.settings.threads else {"threads": 1.0}
        settings = with_paths(stage.settings, lambda flag, path: names.get(path, path and local_path(path)))
        return Parcel(
            replace(stage, settings=settings).replace(**threads),
            {names[path]: checksums[path] for path in files},
            {checksums[path]: [self._content(checksums[path], found)] for path, found in files.items()},
        )

    def _content(self, sha256: str, path: str) -> Any:
        """A reference to the bytes of a file; the bytes are sent to the cluster once."""
        with self._lock:
            if sha256 not in self._files:
                self._files[sha256] = self._ray.put(Path(path).read_bytes())
            return self._files[sha256]


def _weights(stage: Stage) -> dict[str, str]:
    """The weights, and the prototxt if there is one: the file found, by the path that the flag names."""
    if stage.program == "fast_neural_style":
        return {stage.settings.model: stage.settings.model}
    settings = stage.settings
    if stage.program == "slow_neural_style":
        return {settings.loss_network: str(find_model_file(settings.loss_network))}
    found = {settings.model_file: str(find_model_file(settings.model_file))}
    description = find_proto_file(settings.proto_file)
    return found | ({settings.proto_file: str(description)} if description else {})


def _names(checksums: dict[str, str]) -> dict[str, str]:
    """The path of each file on the worker: the one in records, or in a folder of its own if two are equal."""
    taken: dict[str, str] = {}
    names = {}
    for path, sha256 in checksums.items():
        name = local_path(path)
        if taken.setdefault(name, sha256) != sha256:
            name = f"{sha256[:16]}/{Path(path).name}"
        names[path] = name
    return names


def _write(stage: Stage, outcome: Outcome) -> None:
    folder = Path(outputs(stage.settings)[0]).parent
    create_folder(folder)
    for target, content in [
        *((folder / name, content) for name, content in outcome.files.items()),
        (log_file(stage), outcome.log.encode()),
    ]:
        try:
            with replaced_when_complete(target) as file:
                file.write(content)
        except OSError as error:
            raise NeuralStyleError(f"{target}: cannot be written: {error.strerror or error}") from None
