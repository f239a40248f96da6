"""The address of ``nstyle watch`` and the secrets that give access to it."""

from __future__ import annotations

import hmac
import ipaddress
import secrets
from dataclasses import dataclass, field

from core.errors import SettingsError

SHORTEST_TOKEN = 16
AUTO = "auto"


def _secret() -> str:
    return secrets.token_urlsafe(32)


@dataclass(frozen=True)
class Access:
    """The address to listen on, and its secrets.

    port: 0 picks a free one.  token: must be in the URL; empty for none.  session: the cookie's value after
    the token was given.  stop_value: must be in a request to stop.
    """

    host: str
    port: int = 0
    token: str = ""
    session: str = field(default_factory=_secret)
    stop_value: str = field(default_factory=_secret)

    def check(self) -> None:
        """Check the token. Raises: SettingsError: it is too short, or missing where others can connect."""
        if self.token and len(self.token) < SHORTEST_TOKEN:
            raise SettingsError(f"--token: needs at least {SHORTEST_TOKEN} characters; 'auto' makes one")
        if not self.token and not _is_loopback(self.host):
            raise SettingsError(
                f"--host {self.host}: others could see and stop the run; add --token auto or leave out --host"
            )


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def in_url(host: str) -> str:
    """The host as it is written in a URL: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def equal(given: str, expected: str) -> bool:
    """Whether two secrets are equal, compared in constant time."""
    return hmac.compare_digest(given.encode(errors="replace"), expected.encode(errors="replace"))
