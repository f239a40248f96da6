"""Artistic style transfer as neural_style.lua and fast_neural_style.lua compute it.

The names below are for scripts of your own. Each is imported when it is first used, so ``import core`` costs
nothing and needs no optional package. ``core`` has no command line and prints nothing.

One picture (Gatys et al.): Settings, read_yaml, stylize, output_image, and the events that stylize yields.
One forward pass (Johnson et al.): TransformSettings, open_transform_network, Stylizer.
Files of transform networks: load_transform_network (.t7 and .pth as PyTorch modules), convert (to ONNX).
Training a transform network: TrainSettings, open_batches, train.
Pictures: load_image, save_image, scale, compare.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from core.errors import NeuralStyleError
    from core.events import CheckpointDue, Evaluation, NetworkBuilt
    from core.pictures.compare import compare_files as compare
    from core.pictures.images import load_image, save_image
    from core.pictures.resize import scale
    from core.settings.fast_neural_style import TransformSettings
    from core.settings.neural_style import Settings
    from core.settings.training import TrainSettings
    from core.settings.yaml_files import read_yaml
    from core.stylization import output_image, stylize
    from core.training.data.open_batches import open_batches
    from core.training.training import train
    from core.transform.convert import convert
    from core.transform.networks.load import load_network as load_transform_network
    from core.transform.open_model import open_model as open_transform_network
    from core.transform.stylize import Stylizer

__all__ = [
    "CheckpointDue",
    "Evaluation",
    "NetworkBuilt",
    "NeuralStyleError",
    "Settings",
    "Stylizer",
    "TrainSettings",
    "TransformSettings",
    "compare",
    "convert",
    "load_image",
    "load_transform_network",
    "open_batches",
    "open_transform_network",
    "output_image",
    "read_yaml",
    "save_image",
    "scale",
    "stylize",
    "train",
]

_WHERE = {
    "CheckpointDue": "core.events",
    "Evaluation": "core.events",
    "NetworkBuilt": "core.events",
    "NeuralStyleError": "core.errors",
    "Settings": "core.settings.neural_style",
    "Stylizer": "core.transform.stylize",
    "TrainSettings": "core.settings.training",
    "TransformSettings": "core.settings.fast_neural_style",
    "compare": "core.pictures.compare:compare_files",
    "convert": "core.transform.convert",
    "load_image": "core.pictures.images",
    "load_transform_network": "core.transform.networks.load:load_network",
    "open_batches": "core.training.data.open_batches",
    "open_transform_network": "core.transform.open_model:open_model",
    "output_image": "core.stylization",
    "read_yaml": "core.settings.yaml_files",
    "save_image": "core.pictures.images",
    "scale": "core.pictures.resize",
    "stylize": "core.stylization",
    "train": "core.training.training",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used (PEP 562)."""
    if name not in _WHERE:
        raise AttributeError(f"module 'core' has no attribute {name!r}")
    module, _, attribute = _WHERE[name].partition(":")
    value = globals()[name] = getattr(import_module(module), attribute or name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
