"""Checks of flag values, shared by train_fast_neural_style and slow_neural_style."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING

from core.errors import SettingsError
from core.settings.neural_style import format_number

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def choices(settings: object, choices: Mapping[str, tuple[str, ...]]) -> None:
    """Check that each flag has one of its allowed words. Raises: SettingsError."""
    for name, known in choices.items():
        value = getattr(settings, name)
        if value not in known:
            raise SettingsError(f"-{name} {value}: must be one of {', '.join(known)}")


def finite(settings: DataclassInstance) -> None:
    """Check that no number is infinite or NaN. Raises: SettingsError."""
    for item in fields(settings):
        value = getattr(settings, item.name)
        numbers = value if item.metadata["numbers"] else (value,) if isinstance(value, float) else ()
        if not all(map(math.isfinite, numbers)):
            raise SettingsError(f"-{item.name}: must be a finite number")


def positive(settings: object, *names: str) -> None:
    """Check that numbers are greater than 0. Raises: SettingsError."""
    for name in names:
        value = getattr(settings, name)
        if value <= 0:
            raise SettingsError(f"-{name} {format_number(value)}: must be greater than 0")


def integers(settings: object, *names: str) -> None:
    """Check that numbers are whole. Raises: SettingsError."""
    for name in names:
        value = getattr(settings, name)
        if value != int(value):
            raise SettingsError(f"-{name} {format_number(value)}: must be a whole number")


def whole(settings: object, *names: str) -> None:
    """Check that numbers are whole and not negative. Raises: SettingsError."""
    for name in names:
        value = getattr(settings, name)
        if value < 0 or value != int(value):
            raise SettingsError(f"-{name} {format_number(value)}: must be a whole number, not negative")


def at_most(settings: object, limits: Mapping[str, float]) -> None:
    """Check that the absolute values of numbers are within ``limits``. Raises: SettingsError."""
    for name, limit in limits.items():
        value = getattr(settings, name)
        if abs(value) > limit:
            raise SettingsError(f"-{name} {format_number(value)}: must be at most {format_number(limit)}")


def files(settings: object, *names: str) -> None:
    """Check that file names are not empty. Raises: SettingsError."""
    for name in names:
        if not getattr(settings, name):
            raise SettingsError(f"-{name}: the file name is empty")


def weights(settings: DataclassInstance, kind: str) -> None:
    """Check that there is one weight per layer or one for all layers. Raises: SettingsError."""
    layers, weights = getattr(settings, f"{kind}_layers"), getattr(settings, f"{kind}_weights")
    if len(weights) != len(layers) and not (len(weights) == 1 and layers):
        raise SettingsError(
            f"-{kind}_weights and -{kind}_layers must have the same number of elements, or one weight: "
            f"{len(weights)} weights, {len(layers)} layers"
        )
    twice = next((layer for layer in layers if layers.count(layer) > 1), None)
    if twice is not None:
        raise SettingsError(f"-{kind}_layers: '{twice}' is named twice; name each layer once")


def weights_by_layer(settings: DataclassInstance, kind: str) -> dict[str, float]:
    """The weight of each layer of ``kind`` ('content', 'style' ...). One weight is used for all layers."""
    layers, weights = getattr(settings, f"{kind}_layers"), getattr(settings, f"{kind}_weights")
    return dict(zip(layers, weights if len(weights) == len(layers) else weights * len(layers), strict=True))
