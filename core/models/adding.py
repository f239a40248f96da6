"""``nstyle models add``: what model a file is, told by its content, and its place in vgg_models/."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from caffe_loader.errors import printable
from core.atomic import folder_beside, replaced_when_complete
from core.errors import RegistryError
from core.models import registry
from core.models.checksums import file_digests
from core.models.download import Event, Received, Verifying, install
from core.models.entries import ModelEntry
from core.models.formats.caffe import read_caffe, write_convolutions
from core.models.formats.conversion import convert, format_of
from core.models.formats.torchvision import with_caffe_inputs
from core.models.formats.weights import Convolutions
from core.models.presence import verify_model
from core.models.proof.comparison import Equivalent
from core.models.proof.equivalents import note
from core.models.proof.recognition import OtherNetworkError, recognise_layers
from core.models.sources import SourceEntry

Report = Callable[[Event], None]


@dataclass(frozen=True)
class Added:
    """path: where the model is now.  name: the registry's, or the user's own.  how: said of the file."""

    path: Path
    name: str
    how: str


def add(file: Path, report: Report) -> Added:
    """Find out which registered model the file is, of any known format, and place it in vgg_models/.

    A published caffemodel is placed as it is, anything else as a caffemodel of the convolutions.
    report: called for progress.
    Raises RegistryError saying what the file is instead; OSError.
    """
    _check_is_file(file)
    if format_of(file) != "caffe":
        return _add_converted(file, report)
    try:
        entry = _published(file, report)
    except RegistryError as unknown:
        try:
            return _add_converted(file, report)
        except OtherNetworkError:
            raise
        except RegistryError:
            raise unknown from None
    return Added(install(entry, file, registry.MODELS_DIR, report), entry.name, "")


def _check_is_file(file: Path) -> None:
    if file.is_dir():
        raise RegistryError(f"{printable(str(file))}: is a folder; name a file in it")
    if not file.is_file():
        raise RegistryError(f"{printable(str(file))}: no such file")


def add_as(name: str, file: Path, report: Report) -> Added:
    """Place the convolutions in ``file``, of whatever network, as vgg_models/NAME.caffemodel.

    Raises RegistryError if the name is taken or no name, or the file no VGG; OSError.
    """
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", name):
        raise RegistryError(f"--as {printable(name)}: use only letters, digits, -, _ and .")
    taken = [
        entry for entry in registry.load_registry().values() if name in (entry.name, Path(entry.file).stem)
    ]
    if taken:
        raise RegistryError(f"--as {name}: is the name of a registered model; choose another")
    target = registry.MODELS_DIR / f"{name}.caffemodel"
    if target.exists():
        raise RegistryError(f"--as {name}: {target} exists already; delete it, or choose another name")
    _check_is_file(file)
    layers, source, _ = _read(file, report)
    how = "weights unchanged" if source is None else source.what
    if source is not None and source.of is None:
        layers = with_caffe_inputs(layers)
    return Added(_place(layers, target.name), name, how)


def _published(file: Path, report: Report) -> ModelEntry:
    report(Verifying(file, file.stat().st_size))
    return registry.recognise(file, lambda count: report(Received(count)))


def _add_converted(file: Path, report: Report) -> Added:
    layers, source, published = _read(file, report)
    try:
        found = published or recognise_layers(layers, source)
    except OtherNetworkError as error:
        raise OtherNetworkError(
            f"{printable(str(file))}: {error}; to use it under another name: nstyle models add FILE --as NAME"
        ) from None
    entry = registry.load_registry()[found.model]
    target = registry.MODELS_DIR / entry.file
    if target.is_file() and verify_model(entry, target).passed:
        return Added(target, entry.name, "was present already")
    return _place_entry(layers, entry, found)


def _place_entry(layers: Convolutions, entry: ModelEntry, found: Equivalent) -> Added:
    path = _place(layers, entry.file)
    digests = file_digests(path)
    if not (entry.has_checksum and entry.matches(digests)):
        note(path, digests, found)
    return Added(path, entry.name, found.how)


def _read(file: Path, report: Report) -> tuple[Convolutions, SourceEntry | None, Equivalent | None]:
    """The convolutions, which published file they came from, and which they are when written."""
    report(Verifying(file, file.stat().st_size))
    digests = file_digests(file, lambda count: report(Received(count)))
    source = next((one for one in registry.load_sources().values() if one.matches(digests)), None)
    registry.MODELS_DIR.mkdir(parents=True, exist_ok=True)
    with folder_beside(registry.MODELS_DIR / "converted") as folder:
        convert(file, folder / "caffemodel")
        entry = registry.identify(folder / "caffemodel")
        published = None if entry is None else Equivalent(entry.name, True, "bit for bit")
        return read_caffe(folder / "caffemodel"), source, published


def _place(layers: Convolutions, name: str) -> Path:
    target = registry.MODELS_DIR / name
    with replaced_when_complete(target) as stream:
        write_convolutions(stream, layers)
    return target
