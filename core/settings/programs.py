"""The programs: the name of the command, the Lua script it matches, and the dataclass of its flags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from core.settings.fast_neural_style import CHOICES as TRANSFORM_CHOICES
from core.settings.fast_neural_style import TransformSettings
from core.settings.neural_style import CHOICES, Settings
from core.settings.slow_neural_style import SLOW_CHOICES, SlowSettings
from core.settings.training import TRAIN_CHOICES, TrainSettings


class Program(NamedTuple):
    """lua: the original script.  settings: the dataclass of the flags.  choices: allowed words per flag."""

    lua: str
    settings: type
    choices: Mapping[str, Sequence[str]]


PictureSettings = Settings | TransformSettings | SlowSettings  # the programs that write picture records
PROGRAMS = {
    "neural_style": Program("neural_style.lua", Settings, CHOICES),
    "fast_neural_style": Program("fast_neural_style.lua", TransformSettings, TRANSFORM_CHOICES),
    "slow_neural_style": Program("slow_neural_style.lua", SlowSettings, SLOW_CHOICES),
    "train_fast_neural_style": Program("train.lua", TrainSettings, TRAIN_CHOICES),
}
