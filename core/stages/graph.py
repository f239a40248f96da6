"""Dependencies between stages: a stage depends on the earlier stages whose outputs it reads."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from core.errors import SettingsError
from core.settings.text import nearest
from core.stages.config import Config, Stage
from core.stages.files import inputs, numbered_outputs, outputs, resolved

Dependencies = Mapping[str, tuple[str, ...]]


def dependencies(config: Config) -> Dependencies:
    """For each stage's name, the names of the stages whose outputs it reads, in order.

    Raises: SettingsError: two stages write the same file, or one reads what a later one writes.
    """
    writers: dict[object, str] = {}
    for stage in config.stages:
        for path in [*outputs(stage.settings), *numbered_outputs(stage.settings)]:
            other = writers.setdefault(resolved(path), stage.name)
            if other != stage.name:
                raise SettingsError(f"{config.path}: '{other}' and '{stage.name}' both write {path}")
    order = {stage.name: number for number, stage in enumerate(config.stages)}
    found = {}
    for stage in config.stages:
        names = {writers[resolved(path)] for path in inputs(stage.settings) if resolved(path) in writers}
        late = [name for name in names if order[name] >= order[stage.name]]
        if late:
            raise SettingsError(f"{config.path}: {_out_of_order(stage.name, late[0])}")
        found[stage.name] = tuple(sorted(names, key=order.__getitem__))
    return found


def _out_of_order(reader: str, writer: str) -> str:
    if reader == writer:
        return f"'{reader}' reads its own output; give its result another name"
    return f"'{reader}' reads the output of '{writer}'; move '{writer}' before it (without a cycle)"


def selected(config: Config, needed: Dependencies, names: Collection[str]) -> tuple[Stage, ...]:
    """The stages with the given names or base names and all their dependencies; all stages for no names.

    Raises: SettingsError: no such stage.
    """
    known = [
        *dict.fromkeys([stage.base for stage in config.stages] + [stage.name for stage in config.stages])
    ]
    for name in names:
        if name not in known:
            raise SettingsError(f"{config.path}: no stage '{name}'{nearest(name, known)}")
    wanted: set[str] = set()
    for stage in reversed(config.stages):
        if not names or stage.name in wanted or stage.name in names or stage.base in names:
            wanted |= {stage.name, *needed[stage.name]}
    return tuple(stage for stage in config.stages if stage.name in wanted)


def check_all(stages: Sequence[Stage], path: object) -> None:
    """Validate the settings of all stages. Raises: SettingsError naming the stage."""
    for stage in stages:
        try:
            stage.settings.validate()
        except SettingsError as error:
            where = "" if len(stages) == 1 else f", stage '{stage.name}'"
            raise SettingsError(f"{path}{where}: {error}") from None
