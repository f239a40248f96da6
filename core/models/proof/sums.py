"""The checksums of each convolution of a registered model, as far as they are known."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from core.errors import RegistryError

FILE = "convolutions.yaml"


@dataclass(frozen=True)
class KnownLayer:
    """shape: of the weights, (out, in, height, width).

    weights, bias: sha256 of the little-endian float32 bytes in C order; None if it is not known.
    """

    shape: tuple[int, ...]
    weights: str | None
    bias: str | None


KnownLayers = Mapping[str, KnownLayer]


def bytes_of(layers: KnownLayers) -> int:
    """What their weights and biases take as float32."""
    return sum(4 * (math.prod(layer.shape) + layer.shape[0]) for layer in layers.values())


def load_sums(path: Path) -> dict[str, dict[str, KnownLayer]]:
    """The known layers by the models' names; none if there is no such file.

    Raises RegistryError naming the file if it is not as it should be.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return {
            str(model): {str(name): _known(layer) for name, layer in layers.items()}
            for model, layers in content.items()
        }
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise RegistryError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (yaml.YAMLError, ValueError, AttributeError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise RegistryError(
            f"{path}: not a table of layers, each with shape, weights and bias: {reason}"
        ) from None


def _known(layer: Any) -> KnownLayer:
    return KnownLayer(
        tuple(int(size) for size in layer["shape"]), _sum(layer["weights"]), _sum(layer["bias"])
    )


def _sum(value: str | None) -> str | None:
    if value is not None and not re.fullmatch("[0-9a-f]{64}", value):
        raise ValueError(f"{value!r} is no sha256")
    return value
