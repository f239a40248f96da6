"""Print the make rules of the gallery: ``python -m cli.make.gallery_rules configs/gallery``.

For every config: a rule for its result, with the pictures and weights that it needs. For every picture and
every model of the registry: a rule with the command that fetches it. The Makefile sets PICTURES and MODELS.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from core.errors import NeuralStyleError
from core.models.gallery_inputs import load_manifest
from core.models.registry import load_registry
from core.settings.neural_style import Settings
from core.stages.config import Config, read_config
from core.stages.files import inputs, numbered_outputs, outputs, resolved


def rules(folder: Path) -> Iterator[str]:
    """The lines of the makefile. Raises: NeuralStyleError."""
    yield "# made by cli/make/gallery_rules.py from the configs; changes are lost"
    configs = [read_config(path) for path in sorted(folder.glob("*.yml"))]
    for config in configs:
        name, models = config.path.stem, " ".join(f"$(MODELS)/{file}" for file in _models(config))
        pictures = " ".join(f"$(PICTURES)/{file}" for file in _pictures(config))
        yield f"results/{name}.png: {pictures} {models}"
        yield f"results/quick/{name}.png: {pictures}"
        yield f"INPUTS_OF_{name} := {pictures}"
        yield f"MODELS_OF_{name} := {models}"
    yield f"GALLERY := {' '.join(config.path.stem for config in configs)}"
    for picture in load_manifest().values():
        yield f"inputs/{picture.file}: | .venv/ready\n\t$(BIN)/nstyle inputs fetch {picture.name}"
    for model in load_registry().values():
        if model.urls:
            yield f"$(MODELS)/{model.file}: | .venv/ready\n\t$(BIN)/nstyle models fetch {model.name}"


def _pictures(config: Config) -> list[str]:
    """The file names of the pictures that the config reads and no stage of it writes."""
    made = {
        resolved(path)
        for stage in config.stages
        for path in (*outputs(stage.settings), *numbered_outputs(stage.settings))
    }
    read = [path for stage in config.stages for path in inputs(stage.settings) if resolved(path) not in made]
    return list(dict.fromkeys(Path(path).name for path in read))


def _models(config: Config) -> list[str]:
    """The file names of the weights."""
    settings: list[Settings] = [stage.settings for stage in config.stages]
    return list(dict.fromkeys(Path(one.model_file).name for one in settings))


if __name__ == "__main__":
    try:
        print("\n".join(rules(Path(sys.argv[1]))))
    except NeuralStyleError as error:
        sys.exit(f"make: {error}")
