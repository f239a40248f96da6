"""A local HTTP server that misbehaves on request, for tests of downloads.

    with FaultyServer(content) as server:
        fetch(..., urls=[server.url("stall"), server.url("good")])

The first part of the path is the name of a behaviour (a method ``do_...`` of ``_Handler``) or an HTTP status;
``requests`` records what was asked.
"""

from __future__ import annotations

import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

HTML = b"<!DOCTYPE html>\n<html><head><title>Not Found</title></head><body>gone</body></html>\n"


class FaultyServer:
    """Serves ``content`` from 127.0.0.1 on a free port, in threads, until the with block ends."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.wrong = bytes(content[:-1]) + bytes([content[-1] ^ 1])
        self.requests: list[tuple[str, str | None]] = []
        self.counts: Counter[str] = Counter()
        self.released = threading.Event()
        self._http = _Http(("127.0.0.1", 0), _Handler)
        self._http.faulty = self
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self) -> FaultyServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.released.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def url(self, behaviour: str) -> str:
        """The URL with which the server shows ``behaviour``."""
        return f"http://127.0.0.1:{self._http.server_address[1]}/{behaviour}/model.caffemodel"

    def ranges(self, behaviour: str) -> list[str | None]:
        """The Range headers of all requests for ``behaviour``, in order."""
        return [asked for name, asked in self.requests if name == behaviour]


class _Http(ThreadingHTTPServer):
    daemon_threads = False
    faulty: FaultyServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that close the connection."""


class _Handler(BaseHTTPRequestHandler):
    server: _Http

    def log_message(self, format: str, *args: Any) -> None:
        """Silence."""

    def do_GET(self) -> None:
        faulty, behaviour = self.server.faulty, self.path.split("/")[1]
        faulty.requests.append((behaviour, self.headers["Range"]))
        faulty.counts[behaviour] += 1
        self.close_connection = True
        if behaviour.isdecimal():
            self._send(int(behaviour), b"no", {"Content-Length": "2"})
        else:
            getattr(self, f"do_{behaviour}")(faulty.content)

    def do_good(self, content: bytes) -> None:
        start = self._start()
        if start >= len(content):
            self._send(416, b"", {"Content-Range": f"bytes */{len(content)}"})
        elif start:
            self._send_rest(content, start)
        else:
            self.do_no_range(content)

    def do_no_range(self, content: bytes) -> None:
        self._send(200, content, {"Content-Length": str(len(content))})

    def do_bare_416(self, content: bytes) -> None:
        if self._start():
            self._send(416, b"", {})
        else:
            self.do_no_range(content)

    def do_other_start(self, content: bytes) -> None:
        if self._start():
            self._send_rest(content, self._start() - 1)
        else:
            self.do_no_range(content)

    def do_truncate(self, content: bytes) -> None:
        self._send(200, content[: len(content) // 2], {"Content-Length": str(len(content))})

    def do_break_once(self, content: bytes) -> None:
        if self.server.faulty.counts["break_once"] == 1:
            self.do_truncate(content)
        else:
            self.do_good(content)

    def do_busy_once(self, content: bytes) -> None:
        if self.server.faulty.counts["busy_once"] == 1:
            self._send(503, b"", {})
        else:
            self.do_good(content)

    def do_stall(self, content: bytes) -> None:
        self._send(200, content[: len(content) // 2], {"Content-Length": str(len(content))})
        self.server.faulty.released.wait(20)

    def do_silent(self, content: bytes) -> None:
        self.server.faulty.released.wait(20)

    def do_hang_up(self, content: bytes) -> None:
        self.connection.close()

    def do_wrong(self, content: bytes) -> None:
        self.do_good(self.server.faulty.wrong)

    def do_html(self, content: bytes) -> None:
        self._send(200, HTML, {"Content-Length": str(len(HTML)), "Content-Type": "text/html"})

    def do_lfs(self, content: bytes) -> None:
        pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
        self._send(200, pointer, {"Content-Length": str(len(pointer))})

    def do_other_size(self, content: bytes) -> None:
        self.do_no_range(content + b"more")

    def do_endless(self, content: bytes) -> None:
        self._send(200, content + b"more", {})

    def do_no_length(self, content: bytes) -> None:
        self._send(200, content, {})

    def do_cut(self, content: bytes) -> None:
        self._send(200, content[: len(content) // 2], {})

    def do_identity_only(self, content: bytes) -> None:
        if self.headers["Accept-Encoding"] == "identity":
            self.do_good(content)
        else:
            self._send(406, b"", {})

    def do_redirect(self, content: bytes) -> None:
        self._send(302, b"", {"Location": self.server.faulty.url("good")})

    def do_redirect_html(self, content: bytes) -> None:
        self._send(302, b"", {"Location": self.server.faulty.url("html")})

    def do_circle(self, content: bytes) -> None:
        self._send(302, b"", {"Location": self.server.faulty.url("circle")})

    def _start(self) -> int:
        return int((self.headers["Range"] or "bytes=0-")[len("bytes=") : -1])

    def _send_rest(self, content: bytes, start: int) -> None:
        span = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self._send(206, content[start:], {"Content-Range": span, "Content-Length": str(len(content) - start)})

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
