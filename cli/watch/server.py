"""The web server of ``nstyle watch``. It answers five paths and serves no files.

Any web page open in a browser can send requests to this machine. Without a token, requests with another Host
header are refused: this stops pages that point their own name to our address (DNS rebinding). A request to
stop the run must carry a value that only our page contains.
"""

from __future__ import annotations

import json
import os
import signal
import socketserver
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET, AF_INET6, gethostname
from typing import Any, NamedTuple
from urllib.parse import parse_qs, quote, urlsplit

from cli.watch.access import Access, equal, in_url
from core.errors import NeuralStyleError, SettingsError
from core.report.live_page import LivePage
from core.report.live_status import status_of
from core.report.page import policy

SECONDS_FOR_A_REQUEST = 10
STOP_HEADER = "X-Stop"
EVERY_ADDRESS = ("0.0.0.0", "::")


class Answer(NamedTuple):
    """An HTTP answer. status: the HTTP status.  kind: the Content-Type."""

    status: int
    kind: str
    content: bytes
    headers: tuple[tuple[str, str], ...] = ()


def _plain(status: int, sentence: str) -> Answer:
    return Answer(status, "text/plain; charset=utf-8", f"{sentence}\n".encode())


NOT_FOUND = _plain(404, "There is nothing here.")


class WatchServer(ThreadingHTTPServer):
    """Serves one page. Every request has its own thread; the threads end with the command."""

    daemon_threads = True
    allow_reuse_port = False

    def __init__(self, page: LivePage, access: Access) -> None:
        self.page, self.access = page, access
        self.policy = f"{policy(live=True)}; frame-ancestors 'none'"
        self.address_family = AF_INET6 if ":" in access.host else AF_INET
        super().__init__((access.host, access.port), Handler)

    def server_bind(self) -> None:
        """Bind without HTTPServer's look-up of the machine's own name, which can take long."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.access.host, self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore the error of a browser that closed the connection."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)

    @property
    def url(self) -> str:
        """The URL to open, with the token."""
        host = gethostname() if self.access.host in EVERY_ADDRESS else self.access.host
        query = f"?token={quote(self.access.token, safe='')}" if self.access.token else ""
        return f"http://{in_url(host)}:{self.server_port}/{query}"

    @property
    def cookie(self) -> str:
        """The cookie's name. It contains the port, since browsers share cookies between ports."""
        return f"nstyle-{self.server_port}"

    @property
    def hosts(self) -> tuple[str, ...]:
        """The accepted values of the Host header without a token."""
        names = {"127.0.0.1", "localhost", in_url(self.access.host)}
        return tuple(name + port for name in names for port in ("", f":{self.server_port}"))


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    server: WatchServer
    timeout = SECONDS_FOR_A_REQUEST

    def do_GET(self) -> None:
        """Send the page, the status, the picture or the curves."""
        self._answer(
            {
                "/": self._page,
                "/status.json": self._status,
                "/picture": self._picture,
                "/curves.svg": self._curves,
            }
        )

    def do_POST(self) -> None:
        """Stop the run."""
        self._answer({"/stop": self._stop})

    def _answer(self, routes: dict[str, Callable[[], Answer]]) -> None:
        try:
            address = urlsplit(self.path)
            given = parse_qs(address.query).get("token", [""])[0]
        except ValueError:
            self._send(NOT_FOUND)
            return
        refusal = self._refusal(given)
        if refusal:
            self._send(_plain(403, refusal))
            return
        try:
            answer = routes.get(address.path, lambda: NOT_FOUND)()
        except NeuralStyleError as error:
            answer = _plain(500, str(error))
        self._send(answer)

    def _refusal(self, given: str) -> str:
        """Why the request is refused; empty if it is accepted. given: the token in its URL."""
        access = self.server.access
        if not access.token:
            known = self.headers.get("Host", "").lower() in self.server.hosts
            return "" if known else "Unknown Host header; use the URL that nstyle watch printed."
        known = equal(given, access.token) or equal(self._session(), access.session)
        return "" if known else "The token is missing or wrong; use the URL that nstyle watch printed."

    def _session(self) -> str:
        """The value of our cookie. http.cookies is not used: one malformed cookie makes it drop all."""
        pairs = (pair.strip().partition("=") for pair in self.headers.get("Cookie", "").split(";"))
        return next((value for name, _, value in pairs if name == self.server.cookie), "")

    def _page(self) -> Answer:
        access = self.server.access
        headers: tuple[tuple[str, str], ...] = ()
        if access.token:
            cookie = f"{self.server.cookie}={access.session}; Path=/; HttpOnly; SameSite=Strict"
            headers = (("Set-Cookie", cookie),)
        html = self.server.page.html(access.stop_value).encode(errors="replace")
        return Answer(200, "text/html; charset=utf-8", html, headers)

    def _status(self) -> Answer:
        status = status_of(self.server.page.live.snapshot())
        return Answer(200, "application/json", json.dumps(status).encode())

    def _picture(self) -> Answer:
        data = self.server.page.picture()
        return Answer(200, "image/jpeg", data) if data else NOT_FOUND

    def _curves(self) -> Answer:
        svg = self.server.page.curves()
        return Answer(200, "image/svg+xml", svg.encode()) if svg else NOT_FOUND

    def _stop(self) -> Answer:
        origin = self.headers.get("Origin")
        if origin is not None and origin.lower() != f"http://{self.headers.get('Host', '')}".lower():
            return _plain(403, "Requests of other pages cannot stop the run.")
        if not equal(self.headers.get(STOP_HEADER, ""), self.server.access.stop_value):
            return _plain(403, "Only the page of this run can stop it.")
        stopped = self.server.page.live.stop(lambda: os.kill(os.getpid(), signal.SIGINT))
        return _plain(202, "Stopping.") if stopped else _plain(409, "Nothing is running, or it is stopping.")

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        headers = {
            "Content-Type": answer.kind,
            "Content-Length": str(len(answer.content)),
            "Content-Security-Policy": self.server.policy,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-store",
        }
        for name, value in (*headers.items(), *answer.headers):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.content)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer a malformed request with the headers of all answers; an unknown method gets 404."""
        self.close_connection = True
        self._send(NOT_FOUND if code == 501 else _plain(code, message or "Malformed request."))

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing: the terminal shows the log of the run."""

    def version_string(self) -> str:
        """The Server header, without Python's version."""
        return "nstyle"


@contextmanager
def serving(page: LivePage, access: Access) -> Iterator[str]:
    """Serve the page inside the block; yields the URL. Raises: SettingsError: the address is not usable."""
    access.check()
    try:
        server = WatchServer(page, access)
    except (OSError, OverflowError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SettingsError(f"--host {access.host} --port {access.port}: {reason}") from None
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True)
    thread.start()
    try:
        yield server.url
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
