"""``verified.json`` beside the model files: what was found out about them here, once."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from core.errors import RegistryError

RECORD_NAME = "verified.json"


def read_record(record: Path) -> dict[str, Any]:
    """Its table; empty if there is none. Raises RegistryError if it is damaged."""
    try:
        values = json.loads(record.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise RegistryError(f"{record}: not valid JSON ({error}); delete it, it is made again") from error
    if not isinstance(values, dict):
        raise RegistryError(f"{record}: not a table of files; delete it, it is made again")
    return values


def write_record(record: Path, values: dict[str, Any]) -> None:
    """Write its table. A folder that cannot be written only means that nothing is remembered."""
    temporary = record.with_name(f"{record.stem}.{os.getpid()}.json")
    with suppress(OSError):
        temporary.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        temporary.replace(record)
