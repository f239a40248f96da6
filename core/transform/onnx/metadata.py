"""Reads and writes the metadata of our ONNX files, stored in the model's ``metadata_props``."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from caffe_loader.errors import printable, quoted
from core.errors import TransformError
from core.transform.pixels import FORMATS

if TYPE_CHECKING:
    from onnx import ModelProto

PREFIX = "neural_style."
LARGEST = 1 << 24  # as -image_size


@dataclass(frozen=True)
class ModelMetadata:
    """The properties of a network that a runner needs.

    preprocessing, output_pixels: names in :data:`core.transform.pixels.FORMATS`.
    channel_order: 'rgb' or 'bgr', of input and output.
    tanh_constant: largest absolute value of the output; 0 if no tanh bounds it.
    size_multiple: output sides are input sides rounded up to a multiple of this, times ``enlargement``.
    smallest_size: the shorter side must have at least this many pixels.
    source_file, source_sha256: name (without folder) and SHA-256 of the file it was converted from.
    normalisation: 'instance', 'batch', 'frozen' (instance normalisation that was inert in training) or ''.
    """

    preprocessing: str
    output_pixels: str
    channel_order: str
    tanh_constant: float
    size_multiple: int
    smallest_size: int
    enlargement: float
    source_file: str
    source_sha256: str
    normalisation: str = ""


def write_metadata(model: ModelProto, metadata: ModelMetadata) -> None:
    """Replace our entries in ``metadata_props``; other entries stay."""
    kept = [(item.key, item.value) for item in model.metadata_props if not item.key.startswith(PREFIX)]
    ours = [(PREFIX + field.name, _text(getattr(metadata, field.name))) for field in fields(metadata)]
    del model.metadata_props[:]
    for key, value in (*kept, *ours):
        model.metadata_props.add(key=key, value=value)


def read_metadata(model: ModelProto) -> ModelMetadata | None:
    """Our entries, None if there are none. Raises: TransformError: they are incomplete or impossible."""
    found = {
        item.key[len(PREFIX) :]: item.value for item in model.metadata_props if item.key.startswith(PREFIX)
    }
    if not found:
        return None
    try:
        values = {field.name: _parsed(str(field.type), found[field.name]) for field in fields(ModelMetadata)}
    except (KeyError, ValueError) as error:
        cause = printable(str(error)[:100])
        raise TransformError(f"metadata_props: {PREFIX}* are incomplete or damaged ({cause})") from None
    metadata = ModelMetadata(**values)
    _check(metadata)
    return metadata


def _check(metadata: ModelMetadata) -> None:
    for name in (metadata.preprocessing, metadata.output_pixels):
        if name not in FORMATS:
            raise TransformError(
                f"metadata_props: unknown pixel format {quoted(name)}; known: {', '.join(FORMATS)}"
            )
    if metadata.channel_order not in ("rgb", "bgr"):
        raise TransformError(f"metadata_props: {PREFIX}channel_order is {quoted(metadata.channel_order)}")
    for key in ("size_multiple", "smallest_size", "enlargement"):
        value = getattr(metadata, key)
        if not 0 < value < LARGEST:
            raise TransformError(f"metadata_props: {PREFIX}{key} is {value}")


def _text(value: Any) -> str:
    return f"{value:.17g}" if isinstance(value, float) else str(value)


def _parsed(kind: str, text: str) -> Any:
    return {"str": str, "float": float, "int": int}[kind](text)
