"""Settings to and from text: one flag's value, and YAML files that mirror the flags of a program."""

from __future__ import annotations

import difflib
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import yaml

from core.errors import SettingsError
from core.flags import Flag, flags_of, is_list
from core.settings import format_number, lua_number, split_commas

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

S = TypeVar("S", bound="DataclassInstance")
MAXIMUM_BYTES = 1 << 20
LONGEST_QUOTE = 60


def parse_value(item: Flag, text: str) -> Any:
    """The value of a flag from a word of the command line.

    Raises: SettingsError: not a number where one is needed.
    """
    if item.default is None and text == "nil":
        return None
    try:
        if item.metadata["numbers"]:
            return tuple(lua_number(part) for part in split_commas(text))
        if is_list(item):
            return split_commas(text)
        return lua_number(text) if isinstance(item.default, float) else text
    except ValueError:
        raise SettingsError(f"-{item.name} {text}: should be a number") from None


def format_value(value: Any) -> str:
    """The word that :func:`parse_value` would turn into ``value``."""
    if value is None:
        return "nil"
    if isinstance(value, tuple):
        return ",".join(map(format_value, value))
    return format_number(value) if isinstance(value, float) else str(value)


def nearest(name: str, known: list[str]) -> str:
    """``; did you mean X?`` if something known is close, else nothing."""
    close = difflib.get_close_matches(name, known, 1)
    return f"; did you mean {close[0]}?" if close else ""


def read_yaml(path: str | os.PathLike[str], base: S) -> S:
    """Settings of a YAML file over ``base``, a dataclass of flags.

    Keys are the flags' names. Relative paths are relative to the file's folder. Raises: SettingsError naming
    file, line and key.
    """
    known, changes = flags_of(type(base)), {}
    for key_node, node in _entries(path):
        key, where = _written(key_node), f"{path}, line {key_node.start_mark.line + 1}"
        if key not in known:
            raise SettingsError(f"{where}: unknown key '{key}'{nearest(key, list(known))}")
        if key in changes:
            raise SettingsError(f"{where}: '{key}' is given twice")
        try:
            changes[key] = _from_yaml(known[key], _construct(node))
        except (TypeError, ValueError, OverflowError):
            raise SettingsError(
                f"{where}: {key} should be {_wanted(known[key])}, not {_written(node)}"
            ) from None
    folder = Path(path).parent
    for key, value in changes.items():
        if known[key].metadata["path"]:
            changes[key] = _beside(folder, known[key], value)
    return replace(base, **changes)


def to_yaml(settings: DataclassInstance, folder: str | os.PathLike[str]) -> str:
    """All settings as YAML for a file in ``folder``; files outside it get full paths."""
    values = {}
    for name, item in flags_of(type(settings)).items():
        value = getattr(settings, name)
        if item.metadata["path"]:
            value = _seen_from(folder, item, value)
        values[name] = _to_yaml(value)
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True)


def _entries(path: str | os.PathLike[str]) -> list[tuple[yaml.Node, yaml.Node]]:
    """Key and value of every entry, as written."""
    try:
        data = Path(path).read_bytes()
        if len(data) > MAXIMUM_BYTES:
            raise SettingsError(f"{path}: {len(data)} bytes are too many for a config file")
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
    """Raises ValueError for what cannot be made, such as the date 2024-13-45 or a word tagged as a number."""
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_document(node)
    except (
        yaml.YAMLError,
        LookupError,
        AttributeError,
        RecursionError,
    ) as error:  # PyYAML's answers to a wrong tag
        raise ValueError(error) from None
    finally:
        loader.dispose()


def _written(node: yaml.Node) -> str:
    """What the file says there; aliases are not followed, so it stays short."""
    start, end = node.start_mark, node.end_mark
    text = " ".join((start.buffer or "")[start.pointer : end.pointer].split())
    if isinstance(node, yaml.ScalarNode) and not text.startswith("!"):
        text = text.strip("'\"")
    return text if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE]}..."


def _from_yaml(item: Flag, value: Any) -> Any:
    """Raises TypeError or ValueError."""
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
    """YAML reads 1e-3 (without a dot) as a string."""
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
    """Text that can be a file name. Raises TypeError or ValueError."""
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
    """Not relative to any folder: no path at all, or the original's name of the default model."""
    return not value or (item.metadata["fixed"] and value == item.default)


def _to_yaml(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_to_yaml(part) for part in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
