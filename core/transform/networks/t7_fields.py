"""Reads the fields of a Torch7 module and checks their types."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from caffe_loader.errors import printable
from core.errors import T7Error
from core.t7 import Table, TorchObject


def short_class(item: TorchObject) -> str:
    """The class name without 'nn.' or 'cudnn.'; names from other packages keep their prefix."""
    package, _, name = item.class_name.rpartition(".")
    return name if package in ("nn", "cudnn") else item.class_name


class Fields:
    """Checked access to the fields of a Torch object; every error names the layer."""

    def __init__(self, item: TorchObject) -> None:
        self.item = item
        self.name = short_class(item)
        self._values = item.fields.names()

    def __contains__(self, name: str) -> bool:
        return self._values.get(name) is not None

    def number(self, name: str, default: float | None = None) -> float:
        """A number. Raises T7Error if it is missing and there is no default."""
        value = self._values.get(name, default)
        if isinstance(value, bool) or not isinstance(value, float | int):
            raise self.error(f"the number '{name}' is missing")
        return float(value)

    def integer(self, *names: str, default: float | None = None, least: int = -1_000_000) -> int:
        """The number under the first of ``names`` that exists, truncated as when Lua passes it to C.

        Raises: T7Error: it is missing or below ``least``.
        """
        found = next((name for name in names if name in self), names[0])
        value = self.number(found, default)
        if not abs(value) < 1e6 or int(value) < least:
            raise self.error(f"'{found}' is {value:g}")
        return int(value)

    def array(self, name: str) -> NDArray[np.float32]:
        """A tensor as float32. Raises T7Error if it is missing."""
        value = self._values.get(name)
        if not isinstance(value, np.ndarray) or not value.size:
            raise self.error(f"the tensor '{name}' is missing or empty")
        with np.errstate(all="ignore"):  # a double too large becomes infinite, as in Torch
            return np.ascontiguousarray(value, np.float32)

    def weights(self, name: str, shape: Sequence[int]) -> nn.Parameter:
        """A tensor reshaped to ``shape``; old files store it with fewer dimensions. Raises: T7Error."""
        array = self.array(name)
        if array.size != math.prod(shape):
            raise self.error(f"'{name}' has shape {array.shape}, not {tuple(shape)}")
        return nn.Parameter(torch.from_numpy(array.reshape(shape).copy()), requires_grad=False)

    def modules(self) -> list[TorchObject]:
        """The contained modules."""
        table = self._values.get("modules")
        items = table.sequence() if isinstance(table, Table) else []
        if not all(isinstance(item, TorchObject) for item in items):
            raise self.error("its list of modules is damaged")
        return items  # type: ignore[return-value]

    def nested(self, name: str) -> Fields | None:
        """A contained object, if there is one."""
        value = self._values.get(name)
        return Fields(value) if isinstance(value, TorchObject) else None

    def error(self, cause: str) -> T7Error:
        """An error about this layer."""
        return T7Error(
            f"layer {printable(self.name[:60])}: {cause}; "
            "the file is damaged or from an unknown version of nn"
        )
