"""Downloads against a server that truncates, stalls, lies and hangs up."""

from __future__ import annotations

import re
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from core.errors import RegistryError
from core.models.download import Event, Limits, MirrorFailed, Received, Started, Unusable, fetch
from tests.support.faulty_server import FaultyServer
from tests.support.tiny_model import CONTENT, assert_fetched, entry_for

LIMITS = Limits(connect_seconds=2.0, read_seconds=0.3, attempts=2, pause_seconds=0.0)


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with FaultyServer(CONTENT) as running:
        yield running


def part_of(folder: Path, content: bytes) -> Path:
    part = folder / "tiny.caffemodel.part"
    part.write_bytes(content)
    return part


GOOD_AT_ONCE = ["good", "no_range", "no_length", "identity_only", "redirect"]
GOOD = [*GOOD_AT_ONCE, "break_once", "busy_once", "bare_416", "other_start"]


@pytest.mark.parametrize("behaviour", GOOD)
def test_one_mirror_is_enough(server: FaultyServer, tmp_path: Path, behaviour: str) -> None:
    target = fetch(entry_for(server.url(behaviour)), tmp_path / "new", limits=LIMITS)
    assert target == tmp_path / "new" / "tiny.caffemodel"
    assert_fetched(tmp_path / "new")


@pytest.mark.parametrize("behaviour", GOOD)
@pytest.mark.parametrize("length", [1, 100_001, len(CONTENT) - 1])
def test_partial_file_is_completed(server: FaultyServer, tmp_path: Path, behaviour: str, length: int) -> None:
    part_of(tmp_path, CONTENT[:length])
    fetch(entry_for(server.url(behaviour)), tmp_path, limits=LIMITS)
    assert_fetched(tmp_path)
    assert server.ranges(behaviour)[0] == f"bytes={length}-"
    assert len(server.ranges(behaviour)) == 1 + (behaviour not in GOOD_AT_ONCE)


def test_resuming_receives_only_the_rest(server: FaultyServer, tmp_path: Path) -> None:
    part_of(tmp_path, CONTENT[:200_000])
    events: list[Event] = []
    fetch(entry_for(server.url("good")), tmp_path, events.append, LIMITS)
    started = events.index(Started(server.url("good"), 200_000, len(CONTENT)))
    received = [event.count for event in events[started:] if isinstance(event, Received)]
    assert sum(received) == len(CONTENT) - 200_000 + len(CONTENT)  # the second is the verification


def test_complete_partial_file_is_only_verified(server: FaultyServer, tmp_path: Path) -> None:
    part_of(tmp_path, CONTENT)
    fetch(entry_for(server.url("404")), tmp_path, limits=LIMITS)
    assert_fetched(tmp_path)
    assert server.requests == []


def test_complete_partial_file_of_unpublished_size(server: FaultyServer, tmp_path: Path) -> None:
    part_of(tmp_path, CONTENT)
    fetch(entry_for(server.url("good"), bytes=None), tmp_path, limits=LIMITS)
    assert_fetched(tmp_path)
    assert server.ranges("good") == [f"bytes={len(CONTENT)}-"]


def test_too_long_partial_file_begins_anew(server: FaultyServer, tmp_path: Path) -> None:
    part_of(tmp_path, CONTENT + b"more")
    fetch(entry_for(server.url("good")), tmp_path, limits=LIMITS)
    assert_fetched(tmp_path)
    assert server.ranges("good") == [None]


def test_partial_file_of_another_file_begins_anew_once(server: FaultyServer, tmp_path: Path) -> None:
    part_of(tmp_path, bytes(100_000))
    fetch(entry_for(server.url("good")), tmp_path, limits=LIMITS)
    assert_fetched(tmp_path)
    assert server.ranges("good") == ["bytes=100000-", None]


def test_wrong_content_is_asked_for_once_more_only_after_resuming(
    server: FaultyServer, tmp_path: Path
) -> None:
    part_of(tmp_path, CONTENT[:100_000])
    with pytest.raises(RegistryError, match="is damaged or not tiny: its md5 is"):
        fetch(entry_for(server.url("wrong")), tmp_path, limits=LIMITS)
    assert server.ranges("wrong") == ["bytes=100000-", None]
    assert list(tmp_path.iterdir()) == []


REFUSALS = {
    "404": "HTTP 404 Not Found",
    "403": "HTTP 403 Forbidden",
    "503": r"HTTP 503 Service Unavailable \(asked 2 times\)",
    "html": "sent what is a web page",
    "redirect_html": "sent what is a web page",
    "lfs": "sent what is a Git LFS pointer",
    "wrong": "sent a file that is damaged or not tiny: its md5 is [0-9a-f]{32} instead of [0-9a-f]{32}",
    "other_size": "has a file of 300,010 bytes instead of 300,006",
    "endless": "sends more than 300,006 bytes",
    "cut": r"ended after 150,003 of 300,006 bytes \(asked 2 times\)",
    "truncate": r"closed the connection before the end \(asked 2 times\)",
    "stall": "stalled: sent nothing for 0.3 s",
    "silent": "stalled: sent nothing for 0.3 s",
    "hang_up": r"closed the connection without an answer \(asked 2 times\)",
    "circle": "Exceeded 30 redirects",
}


@pytest.mark.parametrize("behaviour", REFUSALS)
def test_next_mirror_is_tried_and_every_failure_told(
    server: FaultyServer, tmp_path: Path, behaviour: str
) -> None:
    events: list[Event] = []
    fetch(entry_for(server.url(behaviour), server.url("good")), tmp_path, events.append, LIMITS)
    assert_fetched(tmp_path)
    told = [event for event in events if isinstance(event, MirrorFailed) and not event.retrying]
    assert [event.url for event in told] == [server.url(behaviour)]
    assert re.search(REFUSALS[behaviour], told[0].reason)


def test_all_mirrors_fail_in_one_line_with_every_reason(server: FaultyServer, tmp_path: Path) -> None:
    entry = entry_for(*map(server.url, REFUSALS))
    with pytest.raises(RegistryError) as raised:
        fetch(entry, tmp_path, limits=LIMITS)
    message = str(raised.value)
    assert "\n" not in message
    for behaviour, reason in REFUSALS.items():
        assert re.search(re.escape(server.url(behaviour)) + ": " + reason, message), (behaviour, message)
    assert "tiny.caffemodel by hand (see http://example.org/tiny)" in message
    assert message.endswith("nstyle models add FILE")
    assert not (tmp_path / "tiny.caffemodel").exists()


def test_stalled_transfer_keeps_what_came_for_the_next_mirror(server: FaultyServer, tmp_path: Path) -> None:
    fetch(entry_for(server.url("stall"), server.url("good")), tmp_path, limits=LIMITS)
    kept = server.ranges("good")[0]
    assert kept is not None and 0 < int(kept[6:-1]) <= len(CONTENT) // 2


def test_partial_file_survives_when_no_mirror_answers(server: FaultyServer, tmp_path: Path) -> None:
    part = part_of(tmp_path, CONTENT[:1000])
    with pytest.raises(RegistryError, match="the part received is kept, run again to continue"):
        fetch(entry_for(server.url("404"), server.url("html")), tmp_path, limits=LIMITS)
    assert part.read_bytes() == CONTENT[:1000]


def test_unreachable_server_is_said_in_the_system_s_words(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/x"
        with pytest.raises(RegistryError, match=r"cannot be reached \(Connection refused\)"):
            fetch(entry_for(url), tmp_path, limits=LIMITS)


def test_interruption_keeps_the_partial_file(server: FaultyServer, tmp_path: Path) -> None:
    def interrupt(event: Event) -> None:
        if isinstance(event, Received):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(entry_for(server.url("good")), tmp_path, interrupt, LIMITS)
    assert (tmp_path / "tiny.caffemodel.part").stat().st_size > 0
    fetch(entry_for(server.url("good")), tmp_path, limits=LIMITS)
    assert_fetched(tmp_path)
    assert server.ranges("good")[1] is not None


def test_small_disk_is_noticed_before_anything_is_written(
    server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1_000_000))
    with pytest.raises(RegistryError, match="needs 1,348,582 bytes, but only 1,000,000 are free"):
        fetch(entry_for(server.url("good")), tmp_path, limits=LIMITS)
    assert list(tmp_path.iterdir()) == []


def test_folder_that_cannot_be_made(server: FaultyServer, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(RegistryError, match=r"tiny\.caffemodel|file.*: (Not a directory|File exists)"):
        fetch(entry_for(server.url("good")), tmp_path / "file", limits=LIMITS)


def test_verified_file_is_left_alone_and_damaged_one_replaced(server: FaultyServer, tmp_path: Path) -> None:
    target = tmp_path / "tiny.caffemodel"
    target.write_bytes(CONTENT)
    entry = entry_for(server.url("good"))
    fetch(entry, tmp_path, limits=LIMITS)
    assert server.requests == []
    target.write_bytes(CONTENT[:150_003])
    events: list[Event] = []
    fetch(entry, tmp_path, events.append, LIMITS)
    reasons = [event.reason for event in events if isinstance(event, Unusable)]
    assert len(reasons) == 1 and "is truncated to 50.0 % of tiny" in reasons[0]
    assert_fetched(tmp_path)


def test_without_checksum_nothing_is_resumed(server: FaultyServer, tmp_path: Path) -> None:
    part_of(tmp_path, bytes(1000))
    entry = entry_for(server.url("break_once"), bytes=None, md5=None, sha256=None)
    fetch(entry, tmp_path, limits=LIMITS)
    assert_fetched(tmp_path)
    assert server.ranges("break_once") == [None, None]


def test_without_checksum_the_layers_must_be_there(server: FaultyServer, tmp_path: Path) -> None:
    nameless = entry_for(
        server.url("good"), bytes=None, md5=None, sha256=None, content_layers=("absent_layer",)
    )
    with pytest.raises(RegistryError, match="does not contain the layer absent_layer of tiny"):
        fetch(nameless, tmp_path, limits=LIMITS)
    assert list(tmp_path.iterdir()) == []
