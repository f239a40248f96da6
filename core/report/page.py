"""Renders the page: one self-contained HTML document that loads no other files."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import SettingsError
from core.report.views import RunView

if TYPE_CHECKING:
    from jinja2 import Template

OWN = "'self'"
TEMPLATES = Path(__file__).parent / "templates"
INSTALL = "the page needs jinja2: pip install 'neural-style-exact[report]'"


def load_template() -> Template:
    """The template of the page. Raises: SettingsError: jinja2 is not installed."""
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
    except ImportError:
        raise SettingsError(INSTALL) from None
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html")


@dataclass(frozen=True)
class LiveView:
    """The initial content of the live section.

    stages: number of all stages.  finished: number of stages whose results are shown or cannot be shown.
    stop_value: the value that the stop button sends.
    """

    sentence: str
    stages: int
    finished: int
    stop_value: str


def render(
    runs: Sequence[RunView], title: str, warnings: Sequence[str] = (), live: LiveView | None = None
) -> str:
    """The HTML document. warnings: sentences about what could not be shown. Raises: SettingsError."""
    return load_template().render(
        runs=runs,
        title=title,
        warnings=warnings,
        live=live,
        style=_style(),
        script=_script(live is not None),
        policy=policy(live is not None),
    )


def policy(live: bool = False) -> str:
    """The Content-Security-Policy: nothing is loaded, except from a live page's own server."""
    return (
        f"default-src 'none'; img-src data:{' ' + OWN if live else ''}; style-src '{_hash(_style())}'; "
        f"script-src '{_hash(_script(live))}'; {f'connect-src {OWN}; ' if live else ''}"
        "base-uri 'none'; form-action 'none'"
    )


def _style() -> str:
    return _part("page.css")


def _script(live: bool) -> str:
    return "\n".join(map(_part, ("page.js", "watch.js") if live else ("page.js",)))


def _part(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """A hash source for the Content-Security-Policy, which allows only this style sheet or script."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
