"""Fetching a model from wherever it still is: other programs' files first, dead hosts asked once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import RegistryError
from core.models import registry
from core.models.download import Event, Limits, MirrorFailed, Started
from core.models.obtaining import obtain
from core.models.registry import load_registry
from tests.support import vgg_files as files
from tests.support.faulty_server import FaultyServer
from tests.support.vgg_registry import ORIGINAL, digests, make_registry

LIMITS = Limits(connect_seconds=0.5, read_seconds=0.5, attempts=2, pause_seconds=0.01)
DEAD = "http://127.0.0.1:9"  # nobody listens


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def keras(tmp_path: Path) -> Path:
    return files.write_keras(tmp_path / "served.h5", ORIGINAL)


@pytest.fixture
def server(keras: Path) -> Iterator[FaultyServer]:
    with FaultyServer(keras.read_bytes()) as running:
        yield running


def registry_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **urls: list[str]) -> Path:
    folder = tmp_path / "vgg_models"
    folder.mkdir()
    make_registry(folder, **urls)
    monkeypatch.setattr(registry, "MODELS_DIR", folder)
    return folder


def publish(folder: Path, name: str, file: Path) -> None:
    """The source ``name`` has the checksums of ``file``."""
    import yaml

    content = yaml.safe_load((folder / "sources.yaml").read_text())
    content["sources"][name] |= digests(file)
    (folder / "sources.yaml").write_text(yaml.safe_dump(content, sort_keys=False))


def asked(events: list[Event]) -> list[str]:
    return [event.url for event in events if isinstance(event, Started | MirrorFailed)]


def test_another_programs_file_is_fetched_and_converted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: FaultyServer, keras: Path
) -> None:
    urls = {"vgg19_keras": [server.url("404"), server.url("good")], "vgg19": [server.url("never")]}
    folder = registry_with(tmp_path, monkeypatch, **urls)
    publish(folder, "vgg19_keras", keras)
    events: list[Event] = []
    path = obtain(load_registry()["vgg19"], events.append, limits=LIMITS)
    assert path == folder / "VGG_ILSVRC_19_layers.caffemodel"
    assert path.read_bytes() == files.write_caffe(tmp_path / "wanted", ORIGINAL).read_bytes()
    assert asked(events) == urls["vgg19_keras"]
    assert {one.suffix for one in folder.iterdir()} == {".yaml", ".caffemodel", ".json"}
    noted = json.loads((folder / "verified.json").read_text())["convolutions"]
    assert [one["how"] for one in noted.values()] == [
        "its convolutions, equal bit for bit: from weights.h5 as published"
    ]

    events.clear()
    assert obtain(load_registry()["vgg19"], events.append, limits=LIMITS) == path
    assert asked(events) == []


def test_the_next_source_is_tried_and_a_dead_host_asked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: FaultyServer
) -> None:
    pth = files.write_torch(tmp_path / "served.pth", files.numbered_tensors(ORIGINAL))
    with FaultyServer(pth.read_bytes()) as other:
        folder = registry_with(
            tmp_path,
            monkeypatch,
            vgg19_keras=[f"{DEAD}/a", f"{DEAD}/b", server.url("good")],  # another file than published
            vgg19_jcjohnson=[f"{DEAD}/c", other.url("good")],
            vgg19_matconvnet=[server.url("never")],
        )
        events: list[Event] = []
        path = obtain(load_registry()["vgg19"], events.append, limits=LIMITS)
    assert path.read_bytes() == files.write_caffe(tmp_path / "wanted", ORIGINAL).read_bytes()
    assert [url for url in asked(events) if url.startswith(DEAD)] == [f"{DEAD}/a"]
    assert not (folder / "weights.h5").exists() and not list(folder.glob("*.p*"))


def test_a_host_that_sends_nothing_is_asked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: FaultyServer
) -> None:
    urls = {name: [server.url("silent")] for name in ("vgg19_keras", "vgg19_jcjohnson", "vgg19_matconvnet")}
    registry_with(tmp_path, monkeypatch, **urls, vgg19=[server.url("silent")])
    with pytest.raises(RegistryError) as raised:
        obtain(load_registry()["vgg19"], lambda event: None, limits=LIMITS)
    assert len(server.requests) == 1
    assert str(raised.value).count("did not answer before") == 3
    assert str(raised.value).startswith("vgg19 could not be downloaded: ") and "\n" not in str(raised.value)


def test_wrong_weights_from_a_source_are_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pth = files.write_torch(tmp_path / "x.pth", files.named_tensors(files.changed(ORIGINAL, "conv2_1")))
    with FaultyServer(pth.read_bytes()) as other:
        folder = registry_with(tmp_path, monkeypatch, vgg19_jcjohnson=[other.url("good")])
        with pytest.raises(
            RegistryError, match=r"is not the original: it is vgg19 but for conv2_1 \(weights\)"
        ):
            obtain(load_registry()["vgg19"], lambda event: None, limits=LIMITS)
    assert {one.suffix for one in folder.iterdir()} <= {".yaml", ".caffemodel", ".json"}
    assert not (folder / "VGG_ILSVRC_19_layers.caffemodel").exists()


def test_full_asks_for_the_published_caffemodel_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: FaultyServer, keras: Path
) -> None:
    folder = registry_with(tmp_path, monkeypatch, vgg19_keras=[server.url("good")], vgg19=[server.url("404")])
    publish(folder, "vgg19_keras", keras)
    entry = load_registry()["vgg19"]
    path = obtain(entry, lambda event: None, limits=LIMITS)
    server.requests.clear()
    with pytest.raises(RegistryError, match="HTTP 404"):
        obtain(entry, lambda event: None, full=True, limits=LIMITS)
    assert [name for name, _ in server.requests] == ["404"]
    assert path.is_file()  # what was there stays until there is something better


def test_the_copy_is_made_not_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = registry_with(tmp_path, monkeypatch)
    entry = load_registry()["vgg19_8bit"]
    assert obtain(entry, lambda event: None) == folder / entry.file
