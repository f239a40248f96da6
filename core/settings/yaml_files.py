"""Reads and writes the settings of one run as YAML. The keys are the flags of a program."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import yaml

from core.errors import SettingsError
from core.settings.flags import Flag, flags_of, is_list
from core.settings.neural_style import lua_number, split_commas
from core.settings.programs import PROGRAMS
from core.settings.text import nearest

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

S = TypeVar("S", bound="DataclassInstance")
Entries = list[tuple[yaml.Node, yaml.Node]]
MAXIMUM_BYTES = 1 << 20
LONGEST_QUOTE = 60
SEVERAL_RUNS = ("defaults", "stages", "vary")


def read_yaml(path: str | os.PathLike[str], base: S) -> S:
    """``base``, a dataclass of flags, with the values of a YAML file.

    Keys are the names of flags. Relative paths are relative to the folder of the file. Raises: SettingsError
    naming file, line and key.
    """
    entries = yaml_entries(path)
    for key_node, node in entries:
        key, value = written(key_node), written(node)
        if key in SEVERAL_RUNS:
            raise SettingsError(f"{path}: '{key}:' means several runs; run it with: nstyle run {path}")
        if key == "program" and (value not in PROGRAMS or PROGRAMS[value].settings is not type(base)):
            raise SettingsError(f"{path}: is a config of {value}; run it with: nstyle run {path}")
    entries = [(key_node, node) for key_node, node in entries if written(key_node) != "program"]
    return replace(base, **flags_in(path, entries, type(base)))


def flags_in(path: str | os.PathLike[str], entries: Entries, kind: type) -> dict[str, Any]:
    """The values of flags of the dataclass ``kind``, by name, from the entries of a YAML mapping.

    Paths are made relative to the working directory.

    Raises: SettingsError naming file, line and key.
    """
    known, changes = flags_of(kind), dict[str, Any]()
    for key_node, node in entries:
        key, where = written(key_node), place(path, key_node)
        if key not in known:
            raise SettingsError(f"{where}: unknown key '{key}'{nearest(key, list(known))}")
        if key in changes:
            raise SettingsError(f"{where}: '{key}' is given twice; leave one out")
        changes[key] = flag_value(path, known[key], node)
    return changes


def flag_value(path: str | os.PathLike[str], item: Flag, node: yaml.Node) -> Any:
    """The value of one flag from its YAML node. Raises: SettingsError naming file and line."""
    try:
        value = _from_yaml(item, _construct(node))
    except (TypeError, ValueError, OverflowError):
        wanted = _wanted(item)
        raise SettingsError(
            f"{place(path, node)}: {item.name} should be {wanted}, not {written(node)}"
        ) from None
    return _beside(Path(path).parent, item, value) if item.metadata["path"] else value


def place(path: str | os.PathLike[str], node: yaml.Node) -> str:
    """File and line, for messages."""
    return f"{path}, line {node.start_mark.line + 1}"


def to_yaml(settings: DataclassInstance, folder: str | os.PathLike[str]) -> str:
    """All settings as YAML for a file in ``folder``. Files outside that folder get absolute paths."""
    values = {}
    for name, item in flags_of(type(settings)).items():
        value = getattr(settings, name)
        if item.metadata["path"]:
            value = _seen_from(folder, item, value)
        values[name] = _to_yaml(value)
    return dumped(values)


class _Dumper(yaml.SafeDumper):
    """Escapes all line-end characters. PyYAML writes some of them unescaped and reads them as blanks."""

    def represent_text(self, text: str) -> yaml.ScalarNode:
        """A text, in double quotes with escapes if it is not printable."""
        style = None if text.isprintable() else '"'
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _Dumper.represent_text)


def dumped(values: Mapping[str, Any], width: int = 80) -> str:
    """YAML text for ``values``. Lines are folded after ``width`` characters."""
    return yaml.dump(values, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=width)


def yaml_entries(path: str | os.PathLike[str]) -> Entries:
    """The key and value nodes of all entries of a YAML file. Raises: SettingsError."""
    try:
        data = Path(path).read_bytes()
        if len(data) > MAXIMUM_BYTES:
            raise SettingsError(f"{path}: too large for a config file ({len(data)} bytes)")
        node = yaml.compose(data.decode(), yaml.SafeLoader)
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path}: not a text file") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise SettingsError(f"{path}{line}: not valid YAML: {problem}") from None
    except RecursionError:
        raise SettingsError(f"{path}: nested too deeply; should be lines of the form 'flag: value'") from None
    if node is None:
        return []
    if not isinstance(node, yaml.MappingNode):
        raise SettingsError(f"{path}: should be lines of the form 'flag: value'")
    return list(node.value)


def _construct(node: yaml.Node) -> Any:
    """The Python value of a node. Raises: ValueError: invalid, such as the date 2024-13-45 or a wrong tag."""
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_document(node)
    except (
        yaml.YAMLError,
        LookupError,
        AttributeError,
        RecursionError,
    ) as error:  # what PyYAML raises for a wrong tag
        raise ValueError(error) from None
    finally:
        loader.dispose()


def written(node: yaml.Node) -> str:
    """The text of a node in the file, shortened. Aliases are not resolved."""
    start, end = node.start_mark, node.end_mark
    text = " ".join((start.buffer or "")[start.pointer : end.pointer].split())
    if isinstance(node, yaml.ScalarNode) and not text.startswith("!"):
        text = text.strip("'\"")
    return text if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE]}..."


def _from_yaml(item: Flag, value: Any) -> Any:
    """The value of a flag from a YAML value. Raises TypeError or ValueError if it does not fit the flag."""
    if is_list(item):
        return _list_from_yaml(item, value)
    if isinstance(item.default, bool):
        return _checked(value, bool)
    if isinstance(item.default, float):
        return _number(value)
    if item.name == "gpu" and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return _text(value)


def _list_from_yaml(item: Flag, value: Any) -> Any:
    if item.default is None and value in (None, "nil"):
        return None
    if isinstance(value, str):
        value = list(split_commas(value))
    if not isinstance(value, list):
        value = [value]
    return tuple(_number(part) if item.metadata["numbers"] else _text(part) for part in value)


def _number(value: Any) -> float:
    """A number. Accepts strings, because YAML reads 1e-3 (without a dot) as a string."""
    if isinstance(value, str):
        return lua_number(value)
    if isinstance(value, bool):
        raise TypeError(value)
    return float(value)


def _checked(value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise TypeError(value)
    return value


def _text(value: Any) -> str:
    """A text that is valid in a file name. Raises TypeError or ValueError."""
    text = str(_checked(value, str))
    if b"\0" in os.fsencode(text):
        raise ValueError(text)
    return text


def _wanted(item: Flag) -> str:
    if is_list(item):
        return "a list of numbers" if item.metadata["numbers"] else "a list of words"
    if isinstance(item.default, bool):
        return "true or false"
    return "a number" if isinstance(item.default, float) else "text"


def _beside(folder: Path, item: Flag, value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_beside(folder, item, part) for part in value)
    if _is_fixed(item, value) or Path(value).is_absolute():
        return value
    return os.path.normpath(folder / value)


def _seen_from(folder: str | os.PathLike[str], item: Flag, value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_seen_from(folder, item, part) for part in value)
    if _is_fixed(item, value):
        return value
    full, start = Path(value).absolute(), Path(folder).absolute()
    return os.path.relpath(full, start) if full.is_relative_to(start) else str(full)


def _is_fixed(item: Flag, value: str) -> bool:
    """Whether a path is never relative to a YAML file: it is empty, or the default of a ``fixed`` flag."""
    return not value or (item.metadata["fixed"] and value == item.default)


def _to_yaml(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_to_yaml(part) for part in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
