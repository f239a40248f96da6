"""``nstyle port``: shell scripts, READMEs and texts with commands of 2015 to configs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import click

from cli.porting.commands import Command, read_call, remark_on_flags
from cli.porting.findings import Findings
from cli.porting.grouping import groups
from cli.porting.shell import evaluate
from cli.porting.sources import listings
from cli.porting.variables import Variables
from cli.porting.writing import config_names, config_text, unique
from core.atomic import replaced_when_complete
from core.errors import NeuralStyleError, SettingsError
from core.settings.programs import PROGRAMS


class Config(NamedTuple):
    """A config to be written, without its ending, and the commands in it."""

    name: str
    commands: list[Command]
    source: Path
    base: Path


@click.command("port")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), default=".", help="Folder of the configs.")
@click.option("--base", type=click.Path(path_type=Path), help="Where the script runs; its own folder.")
@click.option("--define", multiple=True, metavar="NAME=VALUE", help="A variable from outside; 1=... is $1.")
@click.option("--force", is_flag=True, help="Replace configs that exist.")
def port_command(
    files: tuple[Path, ...], output: Path, base: Path | None, define: tuple[str, ...], force: bool
) -> None:
    """Write configs for the commands in FILE: shell scripts, README.md, texts with th neural_style.lua ...

    Nothing is run: variables are set and loops unrolled. What cannot be known without running something is an
    error with its line; then nothing is written.
    """
    try:
        configs, findings = port(files, base, _definitions(define))
        _tell(findings)
        targets = _targets(output, configs, force)
        _write(targets, configs)
    except NeuralStyleError as error:
        click.echo(f"nstyle port: {error}", err=True)
        sys.exit(1)
    for target, config in zip(targets, configs, strict=True):
        count = len(config.commands)
        click.echo(f"{target}: {count} command{'s' * (count > 1)}")


def port(
    files: Sequence[Path], base: Path | None, given: dict[str, str]
) -> tuple[list[Config], list[Findings]]:
    """The configs of all files, and what is to be told of each."""
    configs, told = list[Config](), list[Findings]()
    for path in files:
        findings = Findings(str(path))
        told.append(findings)
        folder = base if base is not None else path.parent
        try:
            found = groups(_commands(path, folder, given, findings), findings)
        except SettingsError as error:
            findings.errors[str(error)] = None
            continue
        except RecursionError:
            findings.errors[f"{path}: is nested too deeply; take it apart"] = None
            continue
        names = config_names(path.stem, found)
        configs += [Config(name, group, path, folder) for name, group in zip(names, found, strict=True)]
    names = unique([config.name for config in configs])
    return [config._replace(name=name) for config, name in zip(configs, names, strict=True)], told


def _commands(path: Path, base: Path, given: dict[str, str], findings: Findings) -> list[Command]:
    """Raises: SettingsError: there is none."""
    if not base.is_dir():
        raise SettingsError(f"--base {base}: there is no such folder")
    variables = Variables(given, base)
    calls = [
        call
        for listing in listings(path, findings)
        for call in evaluate(listing.script, variables, findings, listing.tells)
    ]
    if not calls and not findings.errors:
        scripts = ", ".join(program.lua for program in PROGRAMS.values())
        raise SettingsError(f"{path}: no command of {scripts} found")
    read = [read_call(call, findings) for call in calls]
    commands = [command for command in read if command is not None]
    for command in commands:
        remark_on_flags(command)
        for sentence in command.remarks:
            findings.remark(command.line, sentence)
    return commands


def _definitions(define: tuple[str, ...]) -> dict[str, str]:
    """Raises: SettingsError."""
    given = dict[str, str]()
    for item in define:
        name, equals, value = item.partition("=")
        if not equals or not (name.isidentifier() or name.isdecimal()):
            raise SettingsError(f"--define {item}: should be NAME=VALUE")
        given[name] = value
    return given


def _tell(told: list[Findings]) -> None:
    """Raises: SettingsError: nothing is to be written."""
    for findings in told:
        for sentence in (*findings.remarks, *findings.errors):
            click.echo(f"nstyle port: {sentence}", err=True)
    count = sum(len(findings.errors) for findings in told)
    if count:
        raise SettingsError(f"{count} error{'s' * (count > 1)}; nothing is written")


def _targets(output: Path, configs: list[Config], force: bool) -> list[Path]:
    """Raises: SettingsError: one of them exists."""
    targets = [output / f"{config.name}.yml" for config in configs]
    for target in targets:
        if target.exists() and not force:
            raise SettingsError(f"{target}: exists; --force replaces it")
    return targets


def _write(targets: list[Path], configs: list[Config]) -> None:
    """Raises: SettingsError."""
    for target, config in zip(targets, configs, strict=True):
        text = config_text(config.commands, config.source.name, config.base, target.parent)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with replaced_when_complete(target) as file:
                file.write(text.encode())
        except OSError as error:
            raise SettingsError(f"{target}: cannot be written: {error.strerror}") from None
