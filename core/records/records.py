"""Writes and reads the record of how a picture was made: in a file beside it and in the text of a PNG.

Every picture gets a file ``PICTURE.json`` with the whole record. A PNG also contains the part of the record
that determines its pixels, as text. JPEG files contain no record, so that they stay byte-identical to the
original's. Records contain no names of folders outside the working directory.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import warnings
from dataclasses import asdict
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from core.atomic import replaced_when_complete
from core.errors import ImageError
from core.models.checksums import file_digests
from core.models.proof.equivalents import published_sha256
from core.models.registry import find_model_file
from core.pictures.images import Image, save_image
from core.pictures.png_file import OTHER_ZLIB, compresses_as_zlib
from core.settings.flags import flags_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from _typeshed import DataclassInstance

FORMAT = 1
KINDS = {"program": str, "version": str, "settings": dict, "inputs": dict, "environment": dict}
KEYWORD = "neural_style"  # keyword of the text in a PNG
LARGEST = 16 << 20
Record = dict[str, Any]


def new_record(program: str, settings: DataclassInstance) -> Record:
    """The first entries of every record."""
    return {
        "format": FORMAT,
        "program": program,
        "version": package_version("neural-style-exact"),
        "settings": without_folders(settings),
    }


def save_with_record(
    path: str | os.PathLike[str], picture: Image, record: Record, not_shaping: Collection[str], **more: Any
) -> None:
    """Write a picture, then its record file, which also holds the entries of ``more``.

    not_shaping: entries and flags that the text of a PNG leaves out, because they do not change the picture.
    So the same run gives the same PNG, byte for byte. With -png_text 0 a PNG has no text and the bytes of the
    original's file.
    Warns (UserWarning): Python's zlib does not compress as the original's. Raises: ImageError.
    """
    text = {name: value for name, value in record.items() if name not in not_shaping}
    text["settings"] = {name: value for name, value in record["settings"].items() if name not in not_shaping}
    has_text = record["settings"]["png_text"] != 0
    if not has_text and Path(path).suffix.lower() == ".png" and not compresses_as_zlib():
        warnings.warn(OTHER_ZLIB, stacklevel=2)
    written = save_image(path, picture, {KEYWORD: json.dumps(text)} if has_text else None)
    _write_beside(Path(path), {**record, "sha256": written, **more})


def machine() -> dict[str, str]:
    """The versions of Python and of the platform."""
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
    }


def without_folders(settings: DataclassInstance) -> Record:
    """The flags, with paths as :func:`local_path` shows them."""
    values = asdict(settings)
    for name, item in flags_of(type(settings)).items():
        if item.metadata["path"]:
            value = values[name]
            values[name] = (
                local_path(value) if isinstance(value, str) else [local_path(path) for path in value]
            )
    return values


def local_path(path: str) -> str:
    """The path relative to the working directory. For files outside it, the file name alone."""
    full = Path(os.path.normpath(Path(path).absolute()))
    if not path or not full.is_relative_to(Path.cwd()):
        return Path(path).name
    return str(full.relative_to(Path.cwd()))


def package_version(package: str) -> str:
    """The version of an installed package, or 'not installed'."""
    try:
        return version(package)
    except PackageNotFoundError:  # run from the source tree
        return "not installed"


def digest(path: str | Path) -> str:
    """sha256 of a file. 'unknown' if the file cannot be read any more, so that the picture is still saved."""
    try:
        status = Path(path).stat()
        return _digest(str(path), status.st_mtime_ns, status.st_size)
    except OSError:
        return "unknown"


@lru_cache(256)
def _digest(path: str, modified: int, size: int) -> str:
    """Cached by modification time and size: a file that has not changed is not read again."""
    return file_digests(path).sha256


def hashed_file(shown: str, path: str | Path | None = None) -> dict[str, str]:
    """The record entry of an input file: name and checksum. ``path``: its location, if not ``shown``."""
    return {"file": local_path(shown), "sha256": digest(path if path is not None else shown)}


def hashed_model(shown: str) -> dict[str, str]:
    """As :func:`hashed_file`, of a model file however it is named.

    For the convolutions of a published model alone it is the published file's checksum, which stands for the
    same pictures. Raises: RegistryError.
    """
    path = find_model_file(shown)
    name = shown if Path(shown).name == path.name else path.name
    return {"file": local_path(name), "sha256": published_sha256(path) or digest(path)}


def pixels_digest(pixels: NDArray[np.uint8]) -> str:
    """sha256 of a picture's size and its (H, W, 3) bytes. For a PNG it is that of the decoded file."""
    height, width = pixels.shape[:2]
    return hashlib.sha256(f"{width}x{height}\n".encode() + pixels.tobytes()).hexdigest()


def beside(picture: Path) -> Path:
    """The file that holds the record of a picture."""
    return picture.with_name(f"{picture.name}.json")


def _write_beside(picture: Path, record: Record) -> None:
    try:
        with replaced_when_complete(beside(picture)) as file:
            file.write(json.dumps(record, indent=1).encode() + b"\n")
    except OSError as error:
        raise ImageError(f"{beside(picture)}: cannot be written: {error.strerror or error}") from None


def read_record(picture: Path) -> Record:
    """The record of a picture, from the file beside it or from its own text. Raises: ImageError."""
    if not picture.name:
        raise ImageError(f"{picture}: is a folder; give a picture")
    source = beside(picture)
    try:
        text = source.read_text() if source.exists() else _text_of(picture)
        record = json.loads(text) if len(text) <= LARGEST else None
    except (OSError, UnicodeDecodeError) as error:
        raise ImageError(f"{picture}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    except (ValueError, RecursionError):  # ValueError also for a number with thousands of digits
        damaged = source if source.exists() else picture
        raise ImageError(f"{damaged}: damaged record: not valid JSON") from None
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise ImageError(f"{picture}: its record is damaged, or written by a newer version of this program")
    for name, kind in KINDS.items():
        if not isinstance(record.get(name), kind):
            raise ImageError(
                f"{picture}: its record is damaged: '{name}' is missing or not a {kind.__name__}"
            )
    return record


def _text_of(picture: Path) -> str:
    try:
        with PillowImage.open(picture) as opened:
            text = getattr(opened, "text", {}).get(KEYWORD)
    except FileNotFoundError:
        raise ImageError(f"{picture}: no such file; check the path") from None
    except (OSError, ValueError, SyntaxError) as error:
        raise ImageError(f"{picture}: cannot be read as a picture: {error}") from None
    if text is None:
        raise ImageError(f"{picture}: contains no record, and there is no file {beside(picture).name}")
    return str(text)
