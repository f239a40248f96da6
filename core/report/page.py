"""The page: one HTML document with everything in it, which loads nothing from anywhere."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import SettingsError
from core.report.views import RunView

if TYPE_CHECKING:
    from jinja2 import Template

TEMPLATES = Path(__file__).parent / "templates"
INSTALL = "the page needs jinja2: pip install 'neural-style-exact[report]'"


def load_template() -> Template:
    """Raises: SettingsError: jinja2 is not installed."""
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


def render(runs: Sequence[RunView], title: str, warnings: Sequence[str] = ()) -> str:
    """The whole document. warnings: sentences about what could not be shown. Raises: SettingsError."""
    template = load_template()
    style, script = (_part(name) for name in ("page.css", "page.js"))
    return template.render(
        runs=runs,
        title=title,
        warnings=warnings,
        style=style,
        script=script,
        style_hash=_hash(style),
        script_hash=_hash(script),
    )


def _part(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """For the Content-Security-Policy: only this style sheet and this script may run."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
