"""``nstyle port``: turn commands of the original in shell scripts, READMEs and texts into configs."""

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
    """A config to write: its name without .yml, its commands, and the file and folder they come from."""

    name: str
    commands: list[Command]
    source: Path
    base: Path


@click.command("port")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), default=".", help="Folder of the configs.")
@click.option(
    "--base", type=click.Path(path_type=Path), help="Folder in which the script ran; by default its own."
)
@click.option(
    "--define", multiple=True, metavar="NAME=VALUE", help="Set a variable of the script; 1=... sets $1."
)
@click.option("--force", is_flag=True, help="Replace configs that exist.")
def port_command(
    files: tuple[Path, ...], output: Path, base: Path | None, define: tuple[str, ...], force: bool
) -> None:
    """Write configs for the th neural_style.lua commands in FILE: a shell script, a README.md or a text.

    No command is run: variables are filled in and loops unrolled. A value that only running a command would
    give is an error with its line number. After an error no config is written.
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
    """The configs of all files, and the errors and remarks for each file."""
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
            findings.errors[f"{path}: is nested too deeply; split it"] = None
            continue
        names = config_names(path.stem, found)
        configs += [Config(name, group, path, folder) for name, group in zip(names, found, strict=True)]
    names = unique([config.name for config in configs])
    return [config._replace(name=name) for config, name in zip(configs, names, strict=True)], told


def _commands(path: Path, base: Path, given: dict[str, str], findings: Findings) -> list[Command]:
    """The commands in a file. Raises: SettingsError: there is none."""
    if not base.is_dir():
        raise SettingsError(f"--base {base}: no such folder")
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
    """The variables of --define. Raises: SettingsError: not NAME=VALUE."""
    given = dict[str, str]()
    for item in define:
        name, equals, value = item.partition("=")
        if not equals or not (name.isidentifier() or name.isdecimal()):
            raise SettingsError(f"--define {item}: should be NAME=VALUE")
        given[name] = value
    return given


def _tell(told: list[Findings]) -> None:
    """Print remarks and errors. Raises: SettingsError: there are errors."""
    for findings in told:
        for sentence in (*findings.remarks, *findings.errors):
            click.echo(f"nstyle port: {sentence}", err=True)
    count = sum(len(findings.errors) for findings in told)
    if count:
        raise SettingsError(f"{count} error{'s' * (count > 1)}; nothing was written")


def _targets(output: Path, configs: list[Config], force: bool) -> list[Path]:
    """The paths of the configs. Raises: SettingsError: one exists, and not ``force``."""
    targets = [output / f"{config.name}.yml" for config in configs]
    for target in targets:
        if target.exists() and not force:
            raise SettingsError(f"{target}: exists; use --force to replace it")
    return targets


def _write(targets: list[Path], configs: list[Config]) -> None:
    """Write the configs. Raises: SettingsError: a file cannot be written."""
    for target, config in zip(targets, configs, strict=True):
        text = config_text(config.commands, config.source.name, config.base, target.parent)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with replaced_when_complete(target) as file:
                file.write(text.encode())
        except OSError as error:
            raise SettingsError(f"{target}: cannot be written: {error.strerror}") from None
