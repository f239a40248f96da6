"""Generates the JSON schema of config files from the flags (docs/config.schema.json, for editors)."""

from __future__ import annotations

from typing import Any

from core.settings.flags import Flag, flags_of, is_list
from core.settings.programs import PROGRAMS, Program
from core.stages.config import DEFAULT_PROGRAM

Schema = dict[str, Any]
NUMBER_AS_TEXT = "^[ ]*[+-]?(0x|0b|[0-9.]|inf|nan)"  # YAML reads 1e-3 as text


def config_schema() -> Schema:
    """The schema (draft 2020-12): for each program, a single run or stages."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Configs of neural-style-exact",
        "anyOf": [form for name in PROGRAMS for form in (_single_run(name), _stages(name))],
        "$defs": {name: _flags(program) for name, program in PROGRAMS.items()}
        | {f"{name}.vary": _varied(program) for name, program in PROGRAMS.items()},
    }


def _single_run(program: str) -> Schema:
    flags = {name: {"$ref": f"#/$defs/{program}/properties/{name}"} for name in _names(program)}
    return _form(program, {**flags, "vary": {"$ref": f"#/$defs/{program}.vary"}}, [])


def _stages(program: str) -> Schema:
    flags = {"$ref": f"#/$defs/{program}"}
    stages = {"type": "object", "minProperties": 1, "additionalProperties": flags}
    vary = {"$ref": f"#/$defs/{program}.vary"}
    return _form(program, {"defaults": flags, "stages": stages, "vary": vary}, ["stages"])


def _form(program: str, properties: Schema, required: list[str]) -> Schema:
    if program != DEFAULT_PROGRAM:
        required = ["program", *required]
    return {
        "type": "object",
        "properties": {"program": {"const": program}, **properties},
        "required": required,
        "additionalProperties": False,
    }


def _names(program: str) -> list[str]:
    return list(flags_of(PROGRAMS[program].settings))


def _flags(program: Program) -> Schema:
    properties = {name: _flag(program, item) for name, item in flags_of(program.settings).items()}
    return {"type": ["object", "null"], "properties": properties, "additionalProperties": False}


def _varied(program: Program) -> Schema:
    properties = {
        name: {"type": "array", "minItems": 1, "uniqueItems": True, "items": _flag(program, item)}
        for name, item in flags_of(program.settings).items()
    }
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _flag(program: Program, item: Flag) -> Schema:
    default = list(item.default) if isinstance(item.default, tuple) else item.default
    described = {"description": item.metadata["help"], "default": default}
    if item.name in program.choices:
        return {**described, "enum": list(program.choices[item.name])}
    return {**described, **_type(item)}


def _type(item: Flag) -> Schema:
    number = {"type": ["number", "string"], "pattern": NUMBER_AS_TEXT}
    if is_list(item):
        part = number if item.metadata["numbers"] else {"type": "string"}
        nothing = [{"type": "null"}] if item.default is None else []
        return {"anyOf": [{"type": "array", "items": part}, {"type": ["string", "number"]}, *nothing]}
    if isinstance(item.default, bool):
        return {"type": "boolean"}
    if isinstance(item.default, float):
        return number
    return {"type": ["string", "integer"] if item.name == "gpu" else "string"}
