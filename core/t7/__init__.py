"""Reads Torch7's .t7 files without Torch7. Code in the files is never executed.

file = load_t7("candy.t7")
file.value.get("model").class_name       # 'nn.Sequential'
"""

from __future__ import annotations

from core.t7.files import T7File, load_t7
from core.t7.values import Function, Table, TorchObject, Value

__all__ = ["Function", "T7File", "Table", "TorchObject", "Value", "load_t7"]
