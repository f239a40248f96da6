"""Creates the record of a picture made by ``slow_neural_style``."""

from __future__ import annotations

from core.devices import Placement
from core.records.identity import NUMERIC_VERSION
from core.records.records import Record, hashed_file, hashed_model, new_record
from core.settings.slow_neural_style import SlowSettings

PROGRAM = "slow_neural_style"


def run_identity(settings: SlowSettings, placement: Placement) -> Record:
    """The part of the record that is known before the run and decides its result."""
    return {
        **new_record(PROGRAM, settings),
        "inputs": {
            "content_image": [hashed_file(settings.content_image)],
            "style_image": [hashed_file(settings.style_image)],
            "loss_network": [hashed_model(settings.loss_network)],
        },
        "numeric_version": NUMERIC_VERSION,
        "arithmetic": placement.kind,
        "devices": list(placement.devices),
    }
