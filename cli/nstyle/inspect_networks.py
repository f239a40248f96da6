"""The lines that ``nstyle inspect`` prints for a .t7 or .onnx file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from caffe_loader.errors import printable
from cli.terminal.tables import table
from core.errors import TransformError
from core.settings.neural_style import format_number
from core.t7 import Table, TorchObject, Value, load_t7

if TYPE_CHECKING:
    from onnx import ModelProto

PARAMETERS = ("weight", "bias")
SHOWN = ("pad_l", "size", "eps", "constant_scalar", "strength", "scale_factor", "ceil_mode")
LONGEST = 60
NUMBER_BYTES = 12  # a number in a binary file: its type tag and a double


def describe_t7(path: Path) -> Iterator[str]:
    """Lines about the file, its options and histories, and the layers of its network. Raises: T7Error."""
    file = load_t7(path)
    yield f"{printable(str(path))}: Torch7, {file.encoding}, {file.size:,} bytes"
    if file.trailing:
        yield f"{file.trailing:,} bytes after the object are ignored, as in Torch7"
    value = file.value
    if isinstance(value, Table):
        yield from _table(value)
    elif isinstance(value, TorchObject):
        yield "a bare object, without options"
        yield from _layers(value)
    else:
        yield f"not a network: '{_summary(value)}'"


def _table(content: Table) -> Iterator[str]:
    options, model = content.get("opt"), content.get("model")
    if isinstance(options, Table):
        yield ""
        yield "options"
        yield from table([(f"  {name}", _summary(value)) for name, value in sorted(_named(options))], 2)
    elif isinstance(model, TorchObject):
        yield ""
        yield "options: none; an old checkpoint, treated as trained with -preprocessing vgg"
    yield from _histories(content)
    yield ""
    yield "parts"
    rows = [
        (f"  {name}", _summary(value), f"{_size(value, set()):,} bytes") for name, value in _named(content)
    ]
    yield from table(rows, 2) if rows else ["  none"]
    if isinstance(model, TorchObject):
        yield from _layers(model)


def _histories(content: Table) -> Iterator[str]:
    """The length, first and last value of every list of numbers whose name contains 'history'."""
    rows = []
    for name, value in _named(content):
        if "history" in name and isinstance(value, Table):
            for label, series in [
                (name, value),
                *((f"{name} {inner}", item) for inner, item in _named(value)),
            ]:
                numbers = series.sequence() if isinstance(series, Table) else []
                if numbers:
                    rows.append(
                        (
                            f"  {label}",
                            f"{len(numbers)} values",
                            f"{_summary(numbers[0])} to {_summary(numbers[-1])}",
                        )
                    )
    if rows:
        yield ""
        yield "training history"
        yield from table(rows, 3)


def _layers(model: TorchObject) -> Iterator[str]:
    rows = [("layer", "class", "shapes", "parameters", "bytes")]
    parameters = nbytes = 0
    for number, module in _walk(model, "", set()):
        arrays = {name: item for name, item in _named(module.fields) if isinstance(item, np.ndarray)}
        learnt = [arrays[name] for name in PARAMETERS if name in arrays]
        count, size = sum(item.size for item in learnt), sum(item.nbytes for item in arrays.values())
        shapes = " + ".join("x".join(map(str, item.shape)) for item in learnt)
        rows.append(
            (number, printable(module.class_name), shapes or _about(module), f"{count:,}", f"{size:,}")
        )
        parameters, nbytes = parameters + count, nbytes + size
    rows.append(("total", "", "", f"{parameters:,}", f"{nbytes:,}"))
    yield ""
    yield from table(rows, 3)
    yield "(bytes: including gradients and statistics)"


def _walk(module: TorchObject, number: str, seen: set[int]) -> Iterator[tuple[str, TorchObject]]:
    """A module and those inside it, each once: in a damaged file a module may contain itself."""
    seen.add(id(module))
    yield number or "network", module
    inner = module.fields.get("modules")
    for position, item in enumerate(inner.sequence() if isinstance(inner, Table) else [], 1):
        if isinstance(item, TorchObject) and id(item) not in seen:
            yield from _walk(item, f"{number}.{position}" if number else str(position), seen)


def _about(module: TorchObject) -> str:
    fields = module.fields.names()
    return " ".join(f"{name}={_summary(fields[name])}" for name in SHOWN if fields.get(name) is not None)


def _named(content: Table) -> Iterable[tuple[str, Value]]:
    """The entries of a table whose key is a string or a number."""
    return [(_summary(key), value) for key, value in content.entries if isinstance(key, bytes | float)]


def _summary(value: Value) -> str:
    """A value as short text."""
    if isinstance(value, Table):
        items = value.sequence()
        text = ",".join(map(_summary, items[:10])) if items else f"table of {len(value.entries)}"
    elif isinstance(value, TorchObject):
        text = value.class_name
    elif isinstance(value, np.ndarray):
        text = f"{value.dtype} {'x'.join(map(str, value.shape))}"
    elif isinstance(value, bytes):
        text = value.decode("utf-8", "backslashreplace")
    elif isinstance(value, bool):
        text = str(value).lower()
    else:
        text = format_number(value) if isinstance(value, float) else "nil" if value is None else "function"
    text = printable(text)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def _size(value: Value, seen: set[int]) -> int:
    """Approximate size of the value in the file, in bytes; shared parts count once."""
    if isinstance(value, np.ndarray):
        return value.nbytes
    if isinstance(value, bytes):
        return len(value) + NUMBER_BYTES
    if isinstance(value, TorchObject):
        return _size(value.fields, seen)
    if isinstance(value, Table) and id(value) not in seen:
        seen.add(id(value))
        return sum(_size(key, seen) + _size(item, seen) for key, item in value.entries)
    return NUMBER_BYTES


def describe_onnx(path: Path) -> Iterator[str]:
    """Lines about the model, its metadata, its input format and its nodes. Raises: TransformError."""
    from core.transform.onnx.file import read_onnx

    try:
        model = read_onnx(path)
        yield f"{printable(str(path))}: ONNX, {_about_model(model)}"
        yield ""
        yield "metadata"
        rows = [
            (f"  {printable(item.key)}", printable(item.value)[:LONGEST]) for item in model.metadata_props
        ]
        yield from table(rows, 2) if rows else ["  none"]
        yield from _input_format(model)
    except TransformError as error:
        raise TransformError(f"{printable(str(path))}: {error}") from None
    yield from _nodes(model)


def _about_model(model: ModelProto) -> str:
    opset = next((item.version for item in model.opset_import if item.domain in ("", "ai.onnx")), 0)
    producer = printable(f"{model.producer_name} {model.producer_version}".strip()) or "unknown"
    return f"opset {opset}, IR {model.ir_version}, made by {producer}"


def _input_format(model: ModelProto) -> Iterator[str]:
    """How ``fast_neural_style`` would use the model without flags, as far as known without running it."""
    from core.transform.onnx.detect import detect_format

    how = detect_format(model)
    yield ""
    yield "how fast_neural_style uses it without further flags"
    size = "any" if how.size is None else f"{how.size[1]}x{how.size[0]} only"
    yield f"  picture size: {size}, at least {how.smallest} pixels on the shorter side"
    for reason in how.reasons:
        yield f"  {printable(reason)}"


def _nodes(model: ModelProto) -> Iterator[str]:
    shapes = {item.name: list(item.dims) for item in model.graph.initializer}
    rows = [("node", "operator", "shapes", "parameters")]
    total = 0
    for number, node in enumerate(model.graph.node, 1):
        own = [shapes[name] for name in node.input if name in shapes]
        count = sum(int(np.prod(shape, dtype=np.int64)) for shape in own)
        described = " + ".join("x".join(map(str, shape)) or "1" for shape in own)
        rows.append((printable(node.name) or str(number), printable(node.op_type), described, f"{count:,}"))
        total += count
    rows.append(("total", f"{len(model.graph.node)} nodes", "", f"{total:,}"))
    yield ""
    yield from table(rows, 3)
