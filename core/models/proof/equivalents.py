"""Files that serve as a registered model without being its published file: its convolutions alone.

They give the same pictures, so records name the published file's checksum for them: a picture made with one
is made again with the other.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from caffe_loader.errors import CaffemodelError
from core.errors import RegistryError
from core.models import registry
from core.models.checksums import Digests, file_digests
from core.models.proof.comparison import Equivalent
from core.models.proof.sums import FILE, bytes_of, load_sums
from core.models.verified import RECORD_NAME, read_record, write_record

_TABLE = "convolutions"  # in verified.json
_STRUCTURE = 1 << 14  # the most bytes of a caffemodel of convolutions that are no weights


def stands_for(path: Path) -> Equivalent | None:
    """The registered model that the file ``path`` serves as; None if none, or if it is the published file.

    By what ``nstyle models add`` found out about a file of these bytes, or by the checksums of its layers.
    Raises OSError; RegistryError if a table of ours is damaged.
    """
    status = path.stat()
    return _stands_for(path.resolve(), status.st_mtime_ns, status.st_size)


def note(path: Path, digests: Digests, found: Equivalent) -> None:
    """Remember what was found out about ``path``. Raises RegistryError if verified.json is damaged."""
    record = path.parent / RECORD_NAME
    values = read_record(record)
    table = values.setdefault(_TABLE, {})
    table[digests.sha256] = {
        "bytes": digests.bytes,
        "of": found.model,
        "exact": found.exact,
        "how": found.how,
    }
    write_record(record, values)
    _stands_for.cache_clear()


def published_sha256(path: Path) -> str | None:
    """The sha256 of the published file for which ``path`` can stand, bit for bit; None if there is none.

    Raises as ``stands_for`` does.
    """
    found = stands_for(path)
    entry = registry.load_registry().get(found.model) if found is not None and found.exact else None
    return None if entry is None else entry.sha256


@lru_cache(64)
def _stands_for(path: Path, modified: int, size: int) -> Equivalent | None:
    """A file that has not changed since is not read again."""
    noted = _noted(path, size)
    if noted is not None:
        return noted
    for model, known in load_sums(registry.MODELS_DIR / FILE).items():
        if 0 <= size - bytes_of(known) <= _STRUCTURE:
            return None if registry.identify(path) else _proved(path, model)
    return None


def _noted(path: Path, size: int) -> Equivalent | None:
    noted = read_record(path.parent / RECORD_NAME).get(_TABLE)
    known = noted if isinstance(noted, dict) else {}
    if not any(isinstance(one, dict) and one.get("bytes") == size for one in known.values()):
        return None
    found = known.get(file_digests(path).sha256)
    if not isinstance(found, dict):
        return None
    return Equivalent(str(found.get("of")), found.get("exact") is True, str(found.get("how")))


def _proved(path: Path, model: str) -> Equivalent | None:
    from core.models.formats.caffe import read_caffe
    from core.models.proof.recognition import recognise_layers

    try:
        found = recognise_layers(read_caffe(path), None)
    except (RegistryError, CaffemodelError):
        return None
    return found if found.model == model else None
