"""Placing a file by hand, and the commands `nstyle models fetch|verify|list|add`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from cli.nstyle.models import models_group
from core.models import registry
from core.models.download import install
from tests.support.faulty_server import FaultyServer
from tests.support.tiny_model import CONTENT, assert_fetched, entry_for


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with FaultyServer(CONTENT) as running:
        yield running


def test_install_links_and_replaces(tmp_path: Path) -> None:
    source, folder = tmp_path / "copy", tmp_path / "models"
    source.write_bytes(CONTENT)
    target = install(entry_for(), source, folder)
    assert target.samefile(source)
    assert install(entry_for(), source, folder) == target == install(entry_for(), target, folder)
    target.unlink()
    target.write_bytes(b"\n\x04tiny damaged")
    install(entry_for(), source, folder)
    assert_fetched(folder)


def test_install_copies_where_links_are_impossible(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_link(source: Path, target: Path) -> None:
        raise OSError("cross-device link")

    monkeypatch.setattr("os.link", no_link)
    (tmp_path / "copy").write_bytes(CONTENT)
    target = install(entry_for(), tmp_path / "copy", tmp_path / "models")
    assert not target.samefile(tmp_path / "copy")
    assert_fetched(tmp_path / "models")


@pytest.fixture
def models(server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a registry of three models: tiny, other (no mirror works) and bundled (no mirrors)."""
    entries = {
        "tiny": entry_for(server.url("404"), server.url("good")),
        "other": entry_for(server.url("html"), file="other.caffemodel", bytes=5, md5="0" * 32, sha256=None),
        "bundled": entry_for(file="bundled.caffemodel", md5="1" * 32, sha256=None),
    }
    values = {name: {**vars(entry)} for name, entry in entries.items()}
    for value in values.values():
        del value["name"]
        value.update({key: list(item) for key, item in value.items() if isinstance(item, tuple)})
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "registry.yaml").write_text(yaml.safe_dump({"models": values}, sort_keys=False))
    monkeypatch.setattr(registry, "MODELS_DIR", folder)
    return folder


def nstyle_models(*arguments: str) -> Result:
    return CliRunner().invoke(models_group, arguments)


def test_command_fetch(models: Path, server: FaultyServer) -> None:
    result = nstyle_models("fetch", "tiny")
    assert result.exit_code == 0
    assert result.stdout == f"tiny: {models / 'tiny.caffemodel'}\n"
    assert result.stderr.splitlines() == [
        f"{server.url('404')}: HTTP 404 Not Found",
        f"fetching {server.url('good')}",
    ]
    assert_fetched(models)


def test_command_fetch_all_goes_on_after_a_failure(models: Path) -> None:
    result = nstyle_models("fetch", "--all")
    assert result.exit_code == 1
    assert_fetched(models)
    errors = [line for line in result.stderr.splitlines() if line.startswith("nstyle models: ")]
    assert len(errors) == 2
    assert errors[0].startswith("nstyle models: other could not be downloaded: ")
    assert errors[1].endswith(
        "bundled: is part of the clone; restore it with: git checkout -- vgg_models/bundled.caffemodel"
    )


@pytest.mark.parametrize("arguments", [("fetch",), ("fetch", "tinny"), ("verify", "tinny")])
def test_command_names_the_models(models: Path, arguments: tuple[str, ...]) -> None:
    result = nstyle_models(*arguments)
    assert result.exit_code == 1
    assert "choose from tiny, other, bundled" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert ("did you mean tiny?" in result.stderr) == (len(arguments) > 1)


def test_command_interrupted(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cli.nstyle.models.obtain", interrupt)
    result = nstyle_models("fetch", "tiny")
    assert result.exit_code == 130
    assert result.stderr == "nstyle models: interrupted; the partial file is kept, run again to resume\n"


def test_command_verify(models: Path) -> None:
    assert nstyle_models("verify").stdout == ""
    (models / "tiny.caffemodel").write_bytes(CONTENT)
    result = nstyle_models("verify")
    assert result.exit_code == 0
    assert result.stdout.startswith("tiny: ok: ")
    (models / "tiny.caffemodel").write_bytes(CONTENT[:-1] + b"?")
    result = nstyle_models("verify", "tiny", "other")
    assert result.exit_code == 1
    assert [line.split(": ")[1] for line in result.stdout.splitlines()] == ["wrong md5", "missing"]
    assert "2 of 2 failed" in result.stderr


def test_command_list(models: Path) -> None:
    (models / "tiny.caffemodel").write_bytes(CONTENT)
    (models / "other.caffemodel.part").write_bytes(b"1234")
    (models / "bundled.caffemodel").write_bytes(b"")
    lines = nstyle_models("list").stdout.splitlines()
    assert lines[0].split() == ["tiny", "present,", "300,006", "bytes,", "tiny.caffemodel"]
    assert "partly fetched (4 bytes), 5 bytes" in lines[3]
    assert "UNUSABLE (is an empty file)" in lines[6]


def test_command_add(models: Path, tmp_path: Path) -> None:
    source = tmp_path / "download(1).bin"
    source.write_bytes(CONTENT)
    result = nstyle_models("add", str(source))
    assert (result.exit_code, result.stdout) == (0, f"tiny: {models / 'tiny.caffemodel'}\n")
    assert_fetched(models)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        (
            "mine.caffemodel",
            b"\n\x04mine\x1a",
            r"is not a registered model \(tiny, other, bundled\); its sha",
        ),
        ("tiny.caffemodel", CONTENT[:150_003], "is truncated to 50.0 % of tiny"),
        ("tiny.caffemodel", b"<html>no", "is a web page"),
        ("tiny.caffemodel", b"", "is an empty file"),
        ("tiny.caffemodel", None, "no such file"),
    ],
)
def test_command_add_refuses(
    models: Path, tmp_path: Path, name: str, content: bytes | None, expected: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    result = nstyle_models("add", str(tmp_path / name))
    assert result.exit_code == 1
    assert re.search(expected, result.stderr)
    assert len(result.stderr.splitlines()) == 1
    assert sorted(path.name for path in models.iterdir()) == ["registry.yaml"]
