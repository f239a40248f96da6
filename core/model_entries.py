"""The entries of a registry file: read from YAML, every key checked."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from core.checksums import Digests
from core.errors import RegistryError


@dataclass(frozen=True)
class ModelEntry:
    """One model of the registry; ``bytes``, ``md5`` and ``sha256`` are None where nothing was published.

    name: its key, such as ``vgg19``.  file: its name under vgg_models/.
    what, licence, page: one line each for people; ``page`` is where to look for the file by hand.
    urls: addresses in the order to try them, none for a file that is part of the clone.
    md5, sha256: lower-case hexadecimal.  proto: the layer description under vgg_models/.
    content_layers, style_layers: the layers neural_style uses with this network.
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
    proto: str
    content_layers: tuple[str, ...]
    style_layers: tuple[str, ...]

    @property
    def has_checksum(self) -> bool:
        """Whether a file can be recognised by its content."""
        return self.md5 is not None or self.sha256 is not None

    def matches(self, digests: Digests) -> bool:
        """Whether nothing published for this entry contradicts ``digests``."""
        pairs = ((self.bytes, digests.bytes), (self.md5, digests.md5), (self.sha256, digests.sha256))
        return all(published in (None, found) for published, found in pairs)


def read_entries(path: Path) -> dict[str, ModelEntry]:
    """Read and check the registry file ``path``; the order is the file's.

    Raises RegistryError naming file, entry and key if it is unreadable or not as it should be.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RegistryError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RegistryError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    models = content.get("models") if isinstance(content, dict) else None
    if not isinstance(models, dict) or not models:
        raise RegistryError(f"{path}: has no entries; it must hold 'models:' with one mapping per model")
    return {str(name): _entry(f"{path}: {name}", str(name), values) for name, values in models.items()}


def _entry(where: str, name: str, values: Any) -> ModelEntry:
    if not isinstance(values, dict):
        raise RegistryError(f"{where}: must be a mapping, not {values!r}")
    keys = [field.name for field in fields(ModelEntry) if field.name != "name"]
    if unknown := [str(key) for key in values if key not in keys]:
        raise RegistryError(f"{where}: unknown key {unknown[0]!r}; the keys are {', '.join(keys)}")
    if missing := [key for key in keys if key not in values]:
        raise RegistryError(f"{where}: key {missing[0]!r} is missing; write null where a value is not known")
    for key, (is_valid, wanted) in _RULES.items():
        if not is_valid(values[key]):
            raise RegistryError(f"{where}: {key} must be {wanted}, not {values[key]!r}")
    parsed: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    return ModelEntry(name=name, **parsed)


def _is_line(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and "\n" not in value


def _is_file_name(value: Any) -> bool:
    return _is_line(value) and PurePosixPath(value).name == value


def _is_size(value: Any) -> bool:
    return value is None or (type(value) is int and value > 0)


def _is_hexadecimal(digits: int) -> Callable[[Any], bool]:
    pattern = re.compile(f"[0-9a-f]{{{digits}}}")
    return lambda value: value is None or (isinstance(value, str) and pattern.fullmatch(value) is not None)


def _is_url(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"https?://\S+", value) is not None


def _are_urls(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_url, value))


def _are_layers(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_line, value))


_RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "file": (_is_file_name, "a file name without folders"),
    "what": (_is_line, "one line of text"),
    "licence": (_is_line, "one line of text"),
    "page": (_is_url, "an http or https address"),
    "urls": (_are_urls, "a list of http or https addresses"),
    "bytes": (_is_size, "a positive whole number or null"),
    "md5": (_is_hexadecimal(32), "32 lower-case hexadecimal digits or null"),
    "sha256": (_is_hexadecimal(64), "64 lower-case hexadecimal digits or null"),
    "proto": (_is_file_name, "a file name without folders"),
    "content_layers": (_are_layers, "a list of layer names"),
    "style_layers": (_are_layers, "a list of layer names"),
}
