"""Damaged and hostile weight files: convolutions or one line, whatever happens inside the libraries."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from core.errors import RegistryError
from core.models.formats import conversion, matconvnet
from core.models.formats.conversion import convert, read
from tests.conftest import ROOT
from tests.support import vgg_files as files
from tests.support.weight_mutations import FORMATS, LAYERS

SEEDS = 80
PEAK_KIB = (conversion.MEMORY >> 10) + (1 << 20)  # the limit, and what the libraries are before it counts
SAID = ("is damaged, or not what its first bytes say (", "is no VGG that is known here: ")


def mutations(name: str, folder: Path, first: int) -> tuple[dict[int, str], int, int]:
    """Outcomes by seed, the status of the process, and its peak memory in KiB."""
    command = [
        sys.executable,
        "-m",
        "tests.support.weight_mutations",
        name,
        str(folder),
        str(first),
        str(SEEDS),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    lines = done.stdout.splitlines()
    peak = int(lines.pop()) if done.returncode == 0 else 0
    outcomes = {int(seed): json.loads(text) for seed, text in zip(lines[::2], lines[1::2], strict=False)}
    assert done.returncode in (0, -signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS), done.stderr[-2000:]
    return outcomes, done.returncode, peak


@pytest.mark.parametrize("name", list(FORMATS))
def test_mutated_files(tmp_path: Path, name: str) -> None:
    """A library may crash: then the process that waits says so in one line; see below."""
    first, outcomes, crashes = 0, dict[int, str](), 0
    while first < SEEDS:
        found, status, peak = mutations(name, tmp_path, first)
        outcomes |= found
        assert peak < PEAK_KIB
        if status == 0:
            break
        crashes += 1
        first = max(found, default=first - 1) + 2  # behind the one at which it ended
    assert len(outcomes) + crashes == SEEDS and crashes < 10
    for message in outcomes.values():
        assert message == "fine" or (message.startswith(SAID) and message.isprintable())
    assert {message == "fine" for message in outcomes.values()} == {True, False}


def test_a_reader_that_crashes_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "deep.mat"
    path.write_bytes(nested_cells(200_000))
    with pytest.raises(RegistryError) as raised:
        convert(path, tmp_path / "converted")
    message = str(raised.value)
    assert message.startswith(f"{path}: ") and message.isprintable()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["deep.mat"]


def nested_cells(depth: int) -> bytes:
    """A cell in a cell in a cell ...: a reader that calls itself runs out of stack."""
    flags = (6).to_bytes(4, "little") + (8).to_bytes(4, "little") + (1).to_bytes(8, "little")
    shape = (5).to_bytes(4, "little") + (8).to_bytes(4, "little") + (1).to_bytes(4, "little") * 2
    name = (1).to_bytes(4, "little") + (6).to_bytes(4, "little") + b"layers\0\0"
    nameless = (1).to_bytes(4, "little") + bytes(4)
    parts, size = [], 0
    for level in range(depth):
        body = flags + shape + (name if level == depth - 1 else nameless)
        size += len(body) + (8 if level else 0)
        parts.append((14).to_bytes(4, "little") + size.to_bytes(4, "little") + body)
    return b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM" + b"".join(reversed(parts))


def test_more_content_than_a_vgg_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bomb.mat"
    files.savemat(path, {"layers": np.zeros(1 << 20)}, do_compression=True)
    assert path.stat().st_size < 20_000
    monkeypatch.setattr(matconvnet, "LARGEST", 1 << 22)
    with pytest.raises(
        RegistryError, match="it holds more than 4,194,304 bytes when uncompressed; no VGG does"
    ):
        read("matconvnet", path)


def test_compressed_pth(tmp_path: Path) -> None:
    path, plain = tmp_path / "bomb.pth", files.write_torch(tmp_path / "x.pth", files.named_tensors(LAYERS))
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for member in source.namelist():
            target.writestr(member, source.read(member) + bytes(1 << 16))
    with pytest.raises(RegistryError, match="it is a compressed archive, which PyTorch does not write"):
        read("pytorch", path)


class Code:
    def __reduce__(self) -> Any:
        return os.system, ("echo no",)


@pytest.mark.parametrize("old", [False, True])
def test_code_in_a_pth_is_not_run(tmp_path: Path, capfd: pytest.CaptureFixture[str], old: bool) -> None:
    path = tmp_path / "x.pth"
    torch.save({"conv1_1.weight": Code()}, path, _use_new_zipfile_serialization=not old)
    with pytest.raises(RegistryError, match="it holds objects besides weights"):
        read("pytorch", path)
    assert capfd.readouterr().out == ""


def test_hdf5_that_claims_much_or_looks_elsewhere(tmp_path: Path) -> None:
    other = files.write_keras(tmp_path / "other.h5", LAYERS)

    def refused(change: Any) -> str:
        path = files.write_keras(tmp_path / "x.h5", LAYERS)
        with h5py.File(path, "a") as file:
            group = file["block1_conv1"]
            del group["block1_conv1_W_1:0"]
            change(group)
        with pytest.raises(RegistryError) as raised:
            read("keras", path)
        return str(raised.value)

    name = "block1_conv1_W_1:0"
    huge = refused(lambda g: g.create_dataset(name, (3, 3, 3, 1 << 30), "f4", chunks=(3, 3, 3, 64)))
    assert "its conv1_1 has weights of shape (1073741824, 3, 3, 3)" in huge
    link = h5py.ExternalLink(str(other), f"block1_conv1/{name}")
    assert "its block1_conv1_W_1:0 is a link to elsewhere" in refused(lambda g: g.__setitem__(name, link))
    soft = h5py.SoftLink("/block1_conv1")
    assert "is a link to elsewhere" in refused(lambda g: g.__setitem__(name, soft))
    external = {"external": [(str(other), 0, 108 * 4)]}
    assert "its weights are in another file" in refused(
        lambda g: g.create_dataset(name, (3, 3, 3, 1), "f4", **external)
    )


def test_nothing_of_the_other_process_is_left(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    with pytest.raises(RegistryError, match=r"x\.h5: is damaged, or not what its first bytes say \(h5py: "):
        convert(path, tmp_path / "converted")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["x.h5"]
