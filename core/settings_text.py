"""Settings to and from text: one flag's value, and YAML files that mirror the flags."""

from __future__ import annotations

import difflib
import os
from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml

from core.errors import SettingsError
from core.settings import Settings, format_number, lua_number, split_commas

PATH_FIELDS = ("style_image", "content_image", "init_image", "output_image", "proto_file", "model_file")
LIST_FIELDS = ("style_image", "style_blend_weights", "multigpu_strategy", "content_layers", "style_layers")
NUMBER_LISTS = ("style_blend_weights", "multigpu_strategy")
FIELDS = {item.name: item for item in fields(Settings)}
MAXIMUM_BYTES = 1 << 20
LONGEST_QUOTE = 60


def parse_value(name: str, text: str) -> Any:
    """The value of field ``name`` from a word of the command line.

    Raises: SettingsError: not a number where one is needed.
    """
    default = FIELDS[name].default
    if name == "style_blend_weights" and text == "nil":
        return None
    try:
        if name in NUMBER_LISTS:
            return tuple(lua_number(item) for item in split_commas(text))
        if name in LIST_FIELDS:
            return split_commas(text)
        return lua_number(text) if isinstance(default, float) else text
    except ValueError:
        raise SettingsError(f"-{name} {text}: should be a number") from None


def format_value(name: str, value: Any) -> str:
    """The word that :func:`parse_value` would turn into ``value``."""
    if value is None:
        return "nil"
    if isinstance(value, tuple):
        return ",".join(format_number(item) if name in NUMBER_LISTS else item for item in value)
    return format_number(value) if isinstance(value, float) else str(value)


def nearest(name: str, known: list[str]) -> str:
    """``; did you mean X?`` if something known is close, else nothing."""
    close = difflib.get_close_matches(name, known, 1)
    return f"; did you mean {close[0]}?" if close else ""


def read_yaml(path: str | os.PathLike[str], base: Settings | None = None) -> Settings:
    """Settings of a YAML file over ``base`` (default: the original's defaults).

    Keys are the flags' names. Relative paths are relative to the file's folder. Raises: SettingsError naming
    file, line and key.
    """
    changes = {}
    for key_node, node in _entries(path):
        key, where = _written(key_node), f"{path}, line {key_node.start_mark.line + 1}"
        if key not in FIELDS:
            raise SettingsError(f"{where}: unknown key '{key}'{nearest(key, list(FIELDS))}")
        if key in changes:
            raise SettingsError(f"{where}: '{key}' is given twice")
        try:
            changes[key] = _from_yaml(key, _construct(node))
        except (TypeError, ValueError, OverflowError):
            raise SettingsError(f"{where}: {key} should be {_wanted(key)}, not {_written(node)}") from None
    folder = Path(path).parent
    for key in PATH_FIELDS:
        if key in changes:
            changes[key] = _beside(folder, key, changes[key])
    return (base or Settings()).replace(**changes)


def to_yaml(settings: Settings, folder: str | os.PathLike[str]) -> str:
    """All settings as YAML for a file in ``folder``; files outside it get full paths."""
    values = {}
    for name in FIELDS:
        value = getattr(settings, name)
        if name in PATH_FIELDS:
            value = _seen_from(folder, name, value)
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


def _from_yaml(name: str, value: Any) -> Any:
    """Raises TypeError or ValueError."""
    if name in LIST_FIELDS:
        return _list_from_yaml(name, value)
    default = FIELDS[name].default
    if isinstance(default, bool):
        return _checked(value, bool)
    if isinstance(default, float):
        return _number(value)
    if name == "gpu" and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return _text(value)


def _list_from_yaml(name: str, value: Any) -> Any:
    if name == "style_blend_weights" and value in (None, "nil"):
        return None
    if isinstance(value, str):
        value = list(split_commas(value))
    if not isinstance(value, list):
        value = [value]
    return tuple(_number(item) if name in NUMBER_LISTS else _text(item) for item in value)


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


def _wanted(name: str) -> str:
    if name in LIST_FIELDS:
        return "a list of numbers" if name in NUMBER_LISTS else "a list of words"
    if isinstance(FIELDS[name].default, bool):
        return "true or false"
    return "a number" if isinstance(FIELDS[name].default, float) else "text"


def _beside(folder: Path, name: str, value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_beside(folder, name, item) for item in value)
    if _is_fixed(name, value) or Path(value).is_absolute():
        return value
    return os.path.normpath(folder / value)


def _seen_from(folder: str | os.PathLike[str], name: str, value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_seen_from(folder, name, item) for item in value)
    if _is_fixed(name, value):
        return value
    full, start = Path(value).absolute(), Path(folder).absolute()
    return os.path.relpath(full, start) if full.is_relative_to(start) else str(full)


def _is_fixed(name: str, value: str) -> bool:
    """Not relative to any folder: no path at all, or the original's name of the default model."""
    return not value or (name in ("proto_file", "model_file") and value == FIELDS[name].default)


def _to_yaml(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_to_yaml(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
