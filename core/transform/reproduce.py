"""Makes a picture of ``fast_neural_style`` again from its record and compares the pixels."""

from __future__ import annotations

from core.pictures.images import load_image, to_bytes
from core.records.records import Record, pixels_digest
from core.settings.fast_neural_style import TransformSettings
from core.transform.open_model import OpenedModel
from core.transform.stylize import Stylizer


def is_reproduced(settings: TransformSettings, opened: OpenedModel, record: Record) -> bool:
    """Whether a new run gives exactly the recorded pixels. Raises: ImageError, TransformError."""
    stylizer = Stylizer(
        opened.runner, settings.image_size, settings.median_filter, settings.match_histogram == 1
    )
    return pixels_digest(to_bytes(stylizer(load_image(settings.input_image)))) == str(record["pixels_sha256"])
