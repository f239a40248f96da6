"""A registry of narrow networks, so that recognising, adding and fetching need no files of 80 MB."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import yaml

from core.models.formats.weights import array_sum
from core.models.registry import MODELS_DIR
from tests.support import vgg_files as files

ORIGINAL = files.narrow()
ROUNDED = files.rounded(ORIGINAL)
LAST_KNOWN = "conv3_4"


def make_registry(folder: Path, **urls: list[str]) -> None:
    """The real tables with the narrow networks' sizes and checksums.

    urls: addresses by the name of a model or source; the others have none.
    """
    copy = files.write_caffe(folder / "vgg19_8bit.caffemodel", ROUNDED).read_bytes()
    models = yaml.safe_load((MODELS_DIR / "registry.yaml").read_text())["models"]
    models["vgg19_8bit"] |= {
        "bytes": len(copy),
        "md5": hashlib.md5(copy).hexdigest(),
        "sha256": hashlib.sha256(copy).hexdigest(),
    }
    sources = yaml.safe_load((MODELS_DIR / "sources.yaml").read_text())["sources"]
    for name, entry in (models | sources).items():
        entry["urls"] = urls.get(name, [])
    sources["vgg19_keras"] |= {"file": "weights.h5", "md5": "0" * 32}
    write(folder / "registry.yaml", {"models": models})
    write(folder / "sources.yaml", {"sources": sources})
    write(folder / "convolutions.yaml", {"vgg19": sums()})


def sums() -> dict[str, Any]:
    """Those of the narrow original, known as far as the real one's are."""
    return {
        name: {
            "shape": list(layer.weight.shape),
            "weights": array_sum(layer.weight) if name <= LAST_KNOWN else None,
            "bias": array_sum(layer.bias),
        }
        for name, layer in ORIGINAL.items()
    }


def write(path: Path, content: Any) -> None:
    path.write_text(yaml.safe_dump(content, sort_keys=False))


def digests(path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    return {"md5": hashlib.md5(content).hexdigest(), "sha256": hashlib.sha256(content).hexdigest()}
