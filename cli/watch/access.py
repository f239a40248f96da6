"""Where ``nstyle watch`` listens, and who may ask."""

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
    """Where the server listens and who may ask. token: empty for none. port: 0 for a free one.

    session: what the cookie holds once the token was given.  stop_value: what a request to stop has to carry.
    """

    host: str
    port: int = 0
    token: str = ""
    session: str = field(default_factory=_secret)
    stop_value: str = field(default_factory=_secret)

    def check(self) -> None:
        """Raises: SettingsError: others could reach the page without a token, or guess it."""
        if self.token and len(self.token) < SHORTEST_TOKEN:
            raise SettingsError(f"--token: needs at least {SHORTEST_TOKEN} characters ('auto' makes one)")
        if not self.token and not _is_loopback(self.host):
            raise SettingsError(
                f"--host {self.host}: others could see and stop the run; add --token auto or leave --host out"
            )


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def in_url(host: str) -> str:
    """An address of IPv6 stands in brackets."""
    return f"[{host}]" if ":" in host else host


def equal(given: str, expected: str) -> bool:
    """In the same time wherever they differ."""
    return hmac.compare_digest(given.encode(errors="replace"), expected.encode(errors="replace"))
