"""Our checkpoints of transform networks: safetensors, weights under ``network.``, the rest as metadata."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import torch
from torch import nn

from caffe_loader.errors import printable
from core.atomic import replaced_when_complete
from core.errors import TransformError
from core.transform.networks.architecture import Architecture, build
from core.transform.networks.transform_network import TransformNetwork
from core.transform.pixels import FORMATS

WEIGHTS = "network."
KEY = "neural_style.network"
_KINDS = {"str": (str,), "int": (int,), "float": (float, int)}


def save_checkpoint(
    path: str | os.PathLike[str], architecture: Architecture, module: nn.Sequential, preprocessing: str
) -> None:
    """Write a network made by :func:`core.transform.networks.architecture.build`; never a partial file.

    Raises: TransformError: the file cannot be written.
    """
    from safetensors.torch import save

    tensors = {WEIGHTS + name: value.contiguous() for name, value in module.state_dict().items()}
    description = json.dumps({**asdict(architecture), "preprocessing": preprocessing}, sort_keys=True)
    try:
        with replaced_when_complete(Path(path)) as file:
            file.write(save(tensors, metadata={KEY: description}))
    except OSError as error:
        raise TransformError(f"{printable(str(path))}: cannot be written: {error.strerror}") from None


def load_checkpoint(path: Path) -> TransformNetwork:
    """Read a checkpoint. Raises: TransformError: the file is damaged or not one of our checkpoints."""
    from safetensors import SafetensorError, safe_open

    shown = printable(str(path))
    try:
        with safe_open(path, "pt") as file:
            described = (file.metadata() or {}).get(KEY)
            names = [name for name in file.keys() if name.startswith(WEIGHTS)]  # noqa: SIM118  (not a dict)
            tensors = {name[len(WEIGHTS) :]: file.get_tensor(name) for name in names}
    except FileNotFoundError:
        raise TransformError(f"{shown}: no such file; check the path") from None
    except (OSError, SafetensorError) as error:
        raise TransformError(f"{shown}: damaged or not a safetensors file: {_cause(error)}") from None
    if described is None:
        raise TransformError(f"{shown}: not a checkpoint of a transform network; it lacks the entry '{KEY}'")
    try:
        return _restored(path, json.loads(described), tensors)
    except (TransformError, ValueError, TypeError, KeyError, RuntimeError) as error:
        raise TransformError(f"{shown}: damaged checkpoint: {_cause(error)}") from None


def _cause(error: Exception) -> str:
    return printable(" ".join(str(error).split())[:120])


def _restored(path: Path, described: Any, tensors: dict[str, torch.Tensor]) -> TransformNetwork:
    if not isinstance(described, dict):
        raise ValueError("its description is not a JSON object")
    preprocessing = str(described.pop("preprocessing"))
    if preprocessing not in FORMATS:
        raise ValueError(f"unknown preprocessing '{preprocessing}'")
    architecture = Architecture(**described)
    for field in fields(architecture):
        value = getattr(architecture, field.name)
        if type(value) not in _KINDS[str(field.type)]:
            raise ValueError(f"'{field.name}' is {value!r}")
    with torch.device("meta"):
        module = build(architecture)
    module.load_state_dict(tensors, assign=True)
    return TransformNetwork(module, preprocessing, path, {"arch": architecture.description})
