"""The entries of a registry of models: what is known of a file, and of the network in it."""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.models.checksums import foreign_content
from core.models.file_entries import FILE_RULES, FileEntry, Rules, is_file_name, is_line, read_table


@dataclass(frozen=True)
class ModelEntry(FileEntry):
    """One model of the registry, a file of vgg_models/; one without ``urls`` is part of the clone.

    proto: the layer description under vgg_models/.
    content_layers, style_layers: the layers neural_style uses with this network.
    """

    proto: str
    content_layers: tuple[str, ...]
    style_layers: tuple[str, ...]

    def foreign(self, head: bytes) -> str | None:
        """Say what a file beginning with ``head`` is if it cannot be a caffemodel."""
        return foreign_content(head)

    def absent(self, path: Path) -> str | None:
        """Say which layer's name ``path`` does not contain."""
        with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
            for name in self.content_layers + self.style_layers:
                if content.find(name.encode()) < 0:
                    return f"does not contain the layer {name} of {self.name}"
        return None

    def likeness(self) -> str:
        """What is known of a file whose layers were found."""
        return f"has the layers of {self.name}"

    def by_hand(self, target: Path) -> str:
        """Look for it and add it, or take it from the clone again."""
        if not self.urls:
            return f"is part of the clone, get it back: git checkout -- vgg_models/{self.file}"
        return f"look for {self.file} by hand, see {self.page}, and place it with: nstyle models add FILE"


def read_entries(path: Path) -> dict[str, ModelEntry]:
    """Read and check the registry file ``path``; the order is the file's.

    Raises RegistryError naming file, entry and key if it is unreadable or not as it should be.
    """
    return read_table(path, "models", ModelEntry, _RULES)


def _are_layers(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(map(is_line, value))


_RULES: Rules = {
    **FILE_RULES,
    "proto": (is_file_name, "a file name without folders"),
    "content_layers": (_are_layers, "a list of layer names"),
    "style_layers": (_are_layers, "a list of layer names"),
}
