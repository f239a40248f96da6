"""Which registered model convolutions are, whatever file they come from."""

from __future__ import annotations

from caffe_loader.errors import CaffemodelError
from core.errors import RegistryError
from core.models import registry
from core.models.formats.weights import Convolutions
from core.models.proof.comparison import (
    Comparison,
    Equivalent,
    compare_layers,
    compare_sums,
    is_rescaled,
)
from core.models.proof.sums import FILE, load_sums
from core.models.sources import SourceEntry

COPY, NORMALISED = "vgg19_8bit", "vgg19_normalised"


class OtherNetworkError(RegistryError):
    """Convolutions of a VGG, and not those of a registered model."""


def recognise_layers(layers: Convolutions, source: SourceEntry | None) -> Equivalent:
    """The registered model whose convolutions these are.

    source: the published file of another program that they came from, told by its checksum.
    Raises OtherNetworkError saying which layers are not the nearest model's; RegistryError if a table of ours
    is damaged.
    """
    copy = rounded_copy()
    compared = _compared(layers, copy)
    for model, comparison in compared.items():
        if comparison.equal:
            published = source is not None and source.of == model
            return Equivalent(model, True, _how(comparison, source if published else None))
    if source is not None and source.of is not None and source.of not in compared:
        return Equivalent(
            source.of, True, f"its convolutions, equal bit for bit: from {source.file} as published"
        )
    if copy is not None and list(copy) == list(layers) and is_rescaled(layers, copy):
        how = "the original's filters, rescaled; whether equal bit for bit to the published file is not known"
        return Equivalent(NORMALISED, False, how)
    raise OtherNetworkError(_differences(compared, source))


def rounded_copy() -> Convolutions | None:
    """The VGG-19 in eight bits, if it is here or can be made, and is whole; None otherwise."""
    from core.models.formats.caffe import read_caffe

    try:
        path = registry.find_model_file(COPY)
        return read_caffe(path) if registry.identify(path) else None
    except (RegistryError, CaffemodelError, OSError):
        return None


def _compared(layers: Convolutions, copy: Convolutions | None) -> dict[str, Comparison]:
    """By model, of those with layers of these names."""
    compared = {
        model: compare_sums(layers, known, copy)
        for model, known in load_sums(registry.MODELS_DIR / FILE).items()
        if list(known) == list(layers)
    }
    if copy is not None and list(copy) == list(layers):
        compared[COPY] = compare_layers(layers, copy)
    return compared


def _how(comparison: Comparison, source: SourceEntry | None) -> str:
    if source is not None:
        return f"its convolutions, equal bit for bit: from {source.file} as published"
    if comparison.rounded:
        return (
            f"its convolutions; equal bit for bit up to {comparison.last_proved} and in all biases, and to 8 "
            f"bits per weight from {comparison.rounded[0]} on"
        )
    if comparison.unknown:
        return (
            f"its convolutions; equal bit for bit up to {comparison.last_proved} and in all biases; the "
            f"weights from {comparison.unknown[0]} on were not checked, because {COPY} is missing"
        )
    return "its convolutions, equal bit for bit"


def _differences(compared: dict[str, Comparison], source: SourceEntry | None) -> str:
    if source is not None and source.of is None:
        return f"is another network: {source.what}"
    if not compared:
        return "has the layers of a VGG, but no weights are known here to compare them with"
    model, nearest = min(compared.items(), key=lambda item: len(item[1].differing))
    if len(nearest.differing) == nearest.layers:
        return f"is another network: none of its {nearest.layers} convolutions are {model}'s"
    return f"is not the original: it is {model} but for {', '.join(nearest.differing)}"
