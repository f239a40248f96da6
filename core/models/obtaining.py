"""``nstyle models fetch``: a model from wherever it still is."""

from __future__ import annotations

from pathlib import Path

from core.errors import RegistryError
from core.models import registry
from core.models.adding import add
from core.models.download import Limits, Report, fetch
from core.models.eight_bit_copy import make_eight_bit_copy
from core.models.entries import ModelEntry
from core.models.presence import verify_model
from core.models.sources import SourceEntry


def obtain(entry: ModelEntry, report: Report, full: bool = False, limits: Limits | None = None) -> Path:
    """Return the file of ``entry`` in vgg_models/; it is made or fetched where it is not there.

    Other programs' files of the same weights are tried first and converted, the published caffemodel last.
    full: only that one, with the layers behind the convolutions.
    A host that does not answer is asked no more.
    Raises RegistryError saying what each address answered; OSError.
    """
    if entry.package:
        return make_eight_bit_copy(entry, registry.MODELS_DIR)
    silent: set[str] = set()
    failures: list[str] = []
    sources = [one for one in registry.load_sources().values() if one.of == entry.name and one.urls]
    if sources and not full and verify_model(entry, registry.MODELS_DIR / entry.file).passed:
        return registry.MODELS_DIR / entry.file
    for source in () if full else sources:
        try:
            return _from_source(source, entry, report, limits, silent)
        except RegistryError as error:
            failures.append(str(error))
    try:
        return fetch(entry, registry.MODELS_DIR, report, limits, silent=silent)
    except RegistryError as error:
        raise RegistryError("; ".join([str(error), *failures])) from None


def _from_source(
    source: SourceEntry, entry: ModelEntry, report: Report, limits: Limits | None, silent: set[str]
) -> Path:
    file = fetch(source, registry.MODELS_DIR, report, limits, silent=silent)
    try:
        added = add(file, report)
    finally:
        file.unlink()
    if added.name != entry.name:
        raise RegistryError(f"{source.name}: held {added.name}, not {entry.name}")
    return added.path
