"""Two processes that share every batch train like one process."""

import csv
import json
import os
import socket
import subprocess
import sys

import pytest
import torch

from core.errors import DeviceError
from core.training.distributed import Group
from core.transform.networks.architecture import Architecture, build
from tests.cli.test_train_fast_neural_style import words
from tests.conftest import ROOT


def launched(arguments, folder, processes, terminated_at=None):
    """Start processes as torchrun does, without its start-up time; returns the output of each.

    terminated_at: the iteration after which the second process gets SIGTERM.
    """
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    started = []
    for rank in range(processes):
        environment = {
            **os.environ,
            **{"PYTHONPATH": str(ROOT), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)},
            **{"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(processes)},
        }
        started.append(
            subprocess.Popen(
                [sys.executable, "-m", "tests.support.training_data", *arguments],
                cwd=folder,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    if terminated_at is not None:
        for line in started[0].stdout:
            if f"Iteration {terminated_at} " in line:
                started[1].terminate()
                break
    return [(*process.communicate(timeout=100), process.returncode) for process in started]


def rows(path):
    with path.open() as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def validation_losses(log):
    return [float(line.split("=")[1]) for line in log.splitlines() if line.startswith("val loss")]


def test_two_processes_have_the_losses_of_one(tmp_path):
    """With 7 pictures the fourth batch has one picture, and so has the second batch of every other step."""
    flags = {"num_iterations": 6, "accumulate": 2, "tv_strength": 1e-3, "pixel_loss_weight": 1e-3}
    made = {}
    for processes in (1, 2):
        folder = tmp_path / str(processes)
        folder.mkdir()
        outputs = launched(words(log_file="losses.csv", **flags), folder, processes)
        assert [status for _, _, status in outputs] == [0] * processes, outputs
        made[processes] = rows(folder / "losses.csv"), outputs
    for one, two in zip(made[1][0], made[2][0], strict=True):
        for name in one.keys() - {"seconds", "waiting_share"}:
            assert two[name] == pytest.approx(one[name], rel=1e-5), name
    (first, _, _), (second, complaints, _) = made[2][1]
    assert validation_losses(first) == pytest.approx(validation_losses(made[1][1][0][0]), rel=1e-5)
    assert len(validation_losses(first)) == 2
    assert second == ""
    assert "written" not in complaints
    assert "deprecated" not in complaints


def test_all_processes_end_with_the_one_that_is_told_to(tmp_path):
    arguments = words(num_iterations=100000, checkpoint_every=100000, num_val_batches=0)
    outputs = launched(arguments, tmp_path, 2, terminated_at=3)
    assert [status for _, _, status in outputs] == [143, 143], outputs
    assert "ck/net.safetensors written after iteration " in outputs[0][1]
    history = json.loads((tmp_path / "ck" / "net.json").read_text())["train_loss_history"]
    assert 3 <= len(history) < 100000


def test_batch_normalisation_needs_one_process_on_cpus():
    network = build(Architecture("c3s1-4,c3s1-3", normalisation="batch"))
    with pytest.raises(DeviceError, match="cannot be trained by several processes on CPUs"):
        Group(0, 2).wrapped(network, torch.device("cpu"))
