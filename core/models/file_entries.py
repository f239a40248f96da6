"""Reads and checks the YAML registries of downloadable files."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import yaml

from core.errors import RegistryError
from core.models.checksums import Digests

Head = bytes  # an alias, because FileEntry has a field named bytes
Rules = Mapping[str, tuple[Callable[[Any], bool], str]]


@dataclass(frozen=True)
class FileEntry:
    """One downloadable file. ``bytes``, ``md5`` and ``sha256`` are None if they were not published.

    name: the key of the entry.  file: the file name, without folder.
    what, licence: one line each, shown to the user.  page: the web page about the file.
    urls: addresses, in the order to try them.  md5, sha256: lower-case hexadecimal.
    """

    name: str
    file: str
    what: str
    licence: str
    page: str
    urls: tuple[str, ...]
    bytes: int | None
    md5: str | None
    sha256: str | None

    @property
    def has_checksum(self) -> bool:
        """Whether a checksum is known, so that the file can be recognised by its content."""
        return self.md5 is not None or self.sha256 is not None

    def matches(self, digests: Digests) -> bool:
        """Whether ``digests`` equal everything published for this entry."""
        pairs = ((self.bytes, digests.bytes), (self.md5, digests.md5), (self.sha256, digests.sha256))
        return all(published in (None, found) for published, found in pairs)

    def foreign(self, head: Head) -> str | None:
        """What kind of file begins with ``head``, if it is another kind, and advice after a semicolon."""
        raise NotImplementedError

    def absent(self, path: Path) -> str | None:
        """What is missing in the file ``path``, or None. Used if there is no checksum to verify the file."""
        return None

    def likeness(self) -> str:
        """What is known, as a predicate, about a file without a published checksum."""
        raise NotImplementedError

    def by_hand(self, target: Path) -> str:
        """How to get the file as ``target`` if the download fails."""
        raise NotImplementedError


Entry = TypeVar("Entry", bound=FileEntry)


def read_table(path: Path, key: str, kind: type[Entry], rules: Rules) -> dict[str, Entry]:
    """Read and check the entries under ``key`` in the YAML file ``path``, in the order of the file.

    Raises RegistryError naming file, entry and key if the file cannot be read or is not valid.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RegistryError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RegistryError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    table = content.get(key) if isinstance(content, dict) else None
    if not isinstance(table, dict) or not table:
        thing = key.removesuffix("s")
        raise RegistryError(f"{path}: has no entries; it must hold '{key}:' with one mapping per {thing}")
    return {
        str(name): kind(name=str(name), **_values(f"{path}: {name}", values, kind, rules))
        for name, values in table.items()
    }


def _values(where: str, values: Any, kind: type[Entry], rules: Rules) -> dict[str, Any]:
    if not isinstance(values, dict):
        raise RegistryError(f"{where}: must be a mapping, not {values!r}")
    keys = [field.name for field in fields(kind) if field.name != "name"]
    if unknown := [str(key) for key in values if key not in keys]:
        raise RegistryError(f"{where}: unknown key {unknown[0]!r}; the keys are {', '.join(keys)}")
    if missing := [key for key in keys if key not in values]:
        raise RegistryError(f"{where}: key {missing[0]!r} is missing; write null where a value is not known")
    for key, (is_valid, wanted) in rules.items():
        if not is_valid(values[key]):
            raise RegistryError(f"{where}: {key} must be {wanted}, not {values[key]!r}")
    return {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}


def is_line(value: Any) -> bool:
    """Whether ``value`` is one line of text, and not empty."""
    return isinstance(value, str) and bool(value.strip()) and "\n" not in value


def is_file_name(value: Any) -> bool:
    """Whether ``value`` is a file name without folders."""
    return is_line(value) and PurePosixPath(value).name == value


def _is_size(value: Any) -> bool:
    return value is None or (type(value) is int and value > 0)


def _is_hexadecimal(digits: int) -> Callable[[Any], bool]:
    pattern = re.compile(f"[0-9a-f]{{{digits}}}")
    return lambda value: value is None or (isinstance(value, str) and pattern.fullmatch(value) is not None)


def _is_url(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"https?://\S+", value) is not None


def _are_urls(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_url, value))


FILE_RULES: Rules = {
    "file": (is_file_name, "a file name without folders"),
    "what": (is_line, "one line of text"),
    "licence": (is_line, "one line of text"),
    "page": (_is_url, "an http or https address"),
    "urls": (_are_urls, "a list of http or https addresses"),
    "bytes": (_is_size, "a positive whole number or null"),
    "md5": (_is_hexadecimal(32), "32 lower-case hexadecimal digits or null"),
    "sha256": (_is_hexadecimal(64), "64 lower-case hexadecimal digits or null"),
}
