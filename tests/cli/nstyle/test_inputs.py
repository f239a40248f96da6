"""The commands `nstyle inputs fetch|list|verify`, against a server that misbehaves."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from cli.nstyle.inputs import inputs_group
from core.errors import RegistryError
from core.models import gallery_inputs
from core.models.gallery_inputs import load_manifest
from tests.conftest import ROOT
from tests.support.faulty_server import FaultyServer

PICTURE = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 300
SHA256 = hashlib.sha256(PICTURE).hexdigest()


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with FaultyServer(PICTURE) as running:
        yield running


def entry(*urls: str, **changes: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "file": "lake.jpg",
        "what": "A lake",
        "licence": "CC0",
        "page": "http://example.org/lake",
        "urls": list(urls),
        "bytes": len(PICTURE),
        "md5": None,
        "sha256": SHA256,
    }
    return values | changes


def write(path: Path, **entries: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump({"inputs": entries}, sort_keys=False))
    return path


@pytest.fixture
def manifest(server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A manifest of lake (the second mirror works), sea (nothing published) and gone (no mirror works)."""
    path = write(
        tmp_path / "inputs.yaml",
        lake=entry(server.url("404"), server.url("good")),
        sea=entry(server.url("good"), file="sea.jpg", bytes=None, sha256=None),
        gone=entry(server.url("html"), file="gone.jpg", sha256=None, bytes=None),
    )
    monkeypatch.setattr(gallery_inputs, "MANIFEST", path)
    return path


@pytest.fixture
def inputs(manifest: Path, tmp_path: Path) -> Callable[..., Result]:
    def run(command: str, *names: str) -> Result:
        return CliRunner().invoke(inputs_group, [command, *names, "--to", str(tmp_path / "inputs")])

    return run


def test_fetch(inputs: Callable[..., Result], tmp_path: Path, server: FaultyServer) -> None:
    lake = tmp_path / "inputs" / "lake.jpg"
    result = inputs("fetch", "lake")
    assert result.exit_code == 0
    assert result.stdout == f"{lake}: is lake, 76,804 bytes, sha256 as published\n"
    assert lake.read_bytes() == PICTURE
    asked = len(server.requests)
    assert inputs("fetch", "lake").exit_code == 0
    assert len(server.requests) == asked


def test_fetch_continues_a_partial_file(
    inputs: Callable[..., Result], tmp_path: Path, server: FaultyServer
) -> None:
    (tmp_path / "inputs").mkdir()
    (tmp_path / "inputs" / "lake.jpg.part").write_bytes(PICTURE[:1000])
    assert inputs("fetch", "lake").exit_code == 0
    assert server.ranges("good") == ["bytes=1000-"]


def test_fetch_says_the_checksum_where_none_was_published(
    inputs: Callable[..., Result], tmp_path: Path
) -> None:
    sea = tmp_path / "inputs" / "sea.jpg"
    found = f"no checksum was published, its sha256 is {SHA256}"
    told = f"{sea}: is a picture, assumed to be sea, 76,804 bytes; {found}\n"
    for _ in range(2):
        result = inputs("fetch", "sea")
        assert (result.exit_code, result.stdout) == (0, told)


def test_fetch_leaves_another_file_as_it_is(
    inputs: Callable[..., Result], tmp_path: Path, server: FaultyServer
) -> None:
    (tmp_path / "inputs").mkdir()
    lake = tmp_path / "inputs" / "lake.jpg"
    lake.write_bytes(PICTURE[:-1] + b"?")
    result = inputs("fetch", "lake")
    assert result.exit_code == 1
    assert result.stderr.startswith(f"nstyle inputs: {lake}: is damaged or not lake: its sha256 is ")
    assert result.stderr.endswith("; it was not changed: move it away and fetch again\n")
    assert lake.read_bytes().endswith(b"?")
    assert server.requests == []


def test_fetch_all_goes_on_after_a_failure(inputs: Callable[..., Result], tmp_path: Path) -> None:
    result = inputs("fetch")
    assert result.exit_code == 1
    assert len(result.stdout.splitlines()) == 2
    error = result.stderr.splitlines()[-1]
    assert error.startswith("nstyle inputs: gone could not be downloaded: ")
    assert "sent what is not a JPEG or PNG; or download it by hand (see http://example.org/lake) " in error
    assert error.endswith(f"and save it as {tmp_path / 'inputs' / 'gone.jpg'}")
    assert sorted(path.name for path in (tmp_path / "inputs").iterdir()) == [
        "lake.jpg",
        "sea.jpg",
        "verified.json",
    ]


def test_unknown_name(inputs: Callable[..., Result]) -> None:
    result = inputs("fetch", "lakes")
    assert (result.exit_code, result.stderr) == (
        1,
        "nstyle inputs: no picture is called 'lakes'; did you mean lake? choose from lake, sea, gone\n",
    )


def test_verify(inputs: Callable[..., Result], tmp_path: Path) -> None:
    nothing = inputs("verify")
    assert nothing.exit_code == 0
    assert nothing.stdout.startswith("none of the pictures is in ")
    inputs("fetch", "lake", "sea")
    result = inputs("verify")
    assert result.exit_code == 0
    assert [line.split(": ")[:2] for line in result.stdout.splitlines()] == [
        ["lake", "ok"],
        ["sea", "unchecked"],
    ]
    (tmp_path / "inputs" / "lake.jpg").write_bytes(b"")
    (tmp_path / "inputs" / "sea.jpg").write_bytes(PICTURE + b"more")
    result = inputs("verify", "lake", "sea", "gone")
    assert result.exit_code == 1
    assert [line.split(": ")[1] for line in result.stdout.splitlines()] == [
        "foreign",
        "wrong sha256",
        "missing",
    ]
    assert result.stderr == (
        "nstyle inputs: verify: 3 of 3 failed; move these files away, then: nstyle inputs fetch\n"
    )


def test_list(inputs: Callable[..., Result]) -> None:
    inputs("fetch", "lake")
    lines = inputs("list").stdout.splitlines()
    assert [line.split(maxsplit=1) for line in lines[::3]] == [
        ["lake", "present, checksum known, lake.jpg"],
        ["sea", "not fetched, no checksum published, sea.jpg"],
        ["gone", "not fetched, no checksum published, gone.jpg"],
    ]
    assert [line.strip() for line in lines[1:3]] == ["A lake", "rights: CC0"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"file": "a/b.jpg"}, "lake: file must be a file name without folders, not 'a/b.jpg'"),
        ({"sha256": "abc"}, "lake: sha256 must be 64 lower-case hexadecimal digits or null, not 'abc'"),
        ({"proto": "x"}, "lake: unknown key 'proto'; the keys are file, what, licence, page, urls, bytes, "),
    ],
)
def test_manifest_is_checked(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = write(tmp_path / "inputs.yaml", lake=entry(**changes))
    with pytest.raises(RegistryError) as error:
        load_manifest(path)
    assert message in str(error.value)


def test_manifest_without_entries(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="must hold 'inputs:' with one mapping per input"):
        load_manifest(write(tmp_path / "inputs.yaml"))


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    reader = "import sys; sys.stdin.readline()"
    shown = subprocess.run(
        ["sh", "-c", '"$0" -m cli inputs list | "$0" -c "$1"', sys.executable, reader],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
    )
    assert (shown.stdout, shown.stderr) == ("", "")
