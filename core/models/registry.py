"""The registry of model files in vgg_models/, and the search for the model file that a user names.

Old scripts use ``models/X.caffemodel``. If there is no such file, vgg_models/X.caffemodel is used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from core.errors import RegistryError
from core.models.checksums import Digests, file_digests
from core.models.entries import ModelEntry, read_entries
from core.models.formats.eight_bit import installed_file
from core.models.sources import SourceEntry, read_sources
from core.models.verification import Verification, describe_wrong_file, verify

__all__ = [
    "MODELS_DIR",
    "Digests",
    "ModelEntry",
    "Verification",
    "describe_wrong_file",
    "file_digests",
    "find_model_file",
    "find_proto_file",
    "identify",
    "load_registry",
    "recognise",
    "verify",
]

MODELS_DIR = Path(__file__).resolve().parents[2] / "vgg_models"


def load_registry(path: str | Path | None = None) -> dict[str, ModelEntry]:
    """Read and check a registry file, by default vgg_models/registry.yaml. Keeps the order of the file.

    Raises RegistryError naming file, entry and key if it cannot be read or is not valid.
    """
    return read_entries(MODELS_DIR / "registry.yaml" if path is None else Path(path))


def load_sources() -> dict[str, SourceEntry]:
    """Other programs' files that hold the weights of a registered model, from vgg_models/sources.yaml.

    Raises RegistryError as ``load_registry`` does; none if there is no such file.
    """
    path = MODELS_DIR / "sources.yaml"
    return read_sources(path) if path.exists() else {}


def identify(
    path: str | Path, registry: Mapping[str, ModelEntry] | None = None, digests: Digests | None = None
) -> ModelEntry | None:
    """Return the registry entry with the size and checksums of the file ``path``. None if there is none.

    digests: of the file, if known. Otherwise the file is read once, unless no entry has its size.
    Raises OSError if the file cannot be read, RegistryError if the registry cannot be read.
    """
    entries = (load_registry() if registry is None else registry).values()
    size = Path(path).stat().st_size if digests is None else digests.bytes
    candidates = [entry for entry in entries if entry.has_checksum and entry.bytes in (None, size)]
    if not candidates:
        return None
    found = file_digests(path) if digests is None else digests
    return next((entry for entry in candidates if entry.matches(found)), None)


def recognise(path: str | Path, progress: Callable[[int], None] | None = None) -> ModelEntry:
    """Return the registry entry of the file ``path``, by its checksums, or by its name if none are known.

    progress: called with the number of bytes of each portion read.
    Raises RegistryError if it is not a registered model, OSError if it cannot be read.
    """
    wrong = describe_wrong_file(path)
    if wrong is not None:
        raise RegistryError(wrong)
    registry, digests = load_registry(), file_digests(path, progress)
    named = next((entry for entry in registry.values() if entry.file == Path(path).name), None)
    if named is not None and not named.has_checksum:
        return named
    found = identify(path, registry, digests)
    if found is not None:
        return found
    if named is not None:
        raise RegistryError(verify(named, path).message)
    raise RegistryError(
        f"{path}: is not a registered model ({', '.join(registry)}); its sha256 is {digests.sha256}; "
        f"other models need no registration, use: -model_file {path}"
    )


def find_model_file(path: str) -> Path:
    """Return ``path`` if it exists, else the file in vgg_models/ with the same base name or registry name.

    A file that is made from an installed package is made now.
    Raises RegistryError, saying how to get the file, if neither exists; OSError if it cannot be made.
    """
    found = _find(path)
    if found is not None:
        return found
    registry = load_registry()
    entry = registry.get(path) or next(
        (entry for entry in registry.values() if entry.file == Path(path).name), None
    )
    if entry is None:
        known = ", ".join(sorted(entry.file for entry in registry.values()))
        raise RegistryError(
            f"{path}: no such model file, here or in {MODELS_DIR}; the known models are {known}"
        )
    if (found := _find(entry.file)) is not None:
        return found
    if entry.package and installed_file():
        from core.models.eight_bit_copy import make_eight_bit_copy

        return make_eight_bit_copy(entry, MODELS_DIR)
    raise RegistryError(f"{path}: no such model file, here or in {MODELS_DIR}; {_how_to_get(entry)}")


def find_proto_file(path: str) -> Path | None:
    """Return the prototxt for ``path``, searched like a model file. None if there is none: it is optional."""
    return _find(path)


def _find(path: str) -> Path | None:
    for candidate in (Path(path), MODELS_DIR / Path(path).name):
        with suppress(OSError):  # no permission to search the folder: the file is not found there
            if candidate.is_file():
                return candidate
    return None


def _how_to_get(entry: ModelEntry) -> str:
    if entry.package:
        return f"it {entry.by_hand(MODELS_DIR / entry.file)}"
    if not entry.urls:
        return f"it is part of the clone; restore it with: git checkout -- vgg_models/{entry.file}"
    make = " (or: make models)" if entry.name == "vgg19" else ""
    size = "" if entry.bytes is None else f", {entry.bytes:,} bytes"
    part = MODELS_DIR / f"{entry.file}.part"
    begun = f", {part.stat().st_size:,} bytes of it already downloaded" if part.is_file() else ""
    return (
        f"get it with: nstyle models fetch {entry.name}{make}{size}{begun}; "
        f"or add your own copy: nstyle models add FILE; the addresses are in vgg_models/registry.yaml"
    )
