"""``nstyle``: the tools beside the drop-in programs. A subcommand is one file, imported when it is used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

from cli.terminal.program import memory_error_text, os_error_text

COMMANDS = {
    "compare": ("cli.nstyle.compare:compare_command", "Measure how two pictures differ."),
    "convert": ("cli.nstyle.convert:convert_command", "Write a transform network as an ONNX file."),
    "dataset": ("cli.nstyle.dataset:dataset_group", "Build HDF5 files of training pictures, and list them."),
    "doctor": ("cli.nstyle.doctor:doctor_command", "Check this machine and installation."),
    "evaluate-sr": (
        "cli.nstyle.evaluate_sr:evaluate_command",
        "Measure a super-resolution network on a folder.",
    ),
    "figure": ("cli.nstyle.figure:figure_command", "Draw the results of a config side by side."),
    "inspect": ("cli.nstyle.inspect:inspect_command", "Show what is in a .caffemodel, .t7 or .onnx file."),
    "inputs": (
        "cli.nstyle.inputs:inputs_group",
        "Fetch, list and verify the pictures of the gallery's configs.",
    ),
    "models": ("cli.nstyle.models:models_group", "Fetch, verify, list and add model files."),
    "parity": ("cli.parity.command:parity_command", "Compare with the reference runs of the original."),
    "port": ("cli.nstyle.port:port_command", "Write configs for old shell scripts and README commands."),
    "report": ("cli.nstyle.report:report_command", "Write a web page about all runs in a folder."),
    "reproduce": (
        "cli.nstyle.provenance:reproduce_command",
        "Make a picture again from its record and compare.",
    ),
    "run": ("cli.nstyle.run_config:run_command", "Run the stages of a config that are not up to date."),
    "start": ("cli.nstyle.start:start_command", "Make previews of a photo in the look of a painting."),
    "to-lua": ("cli.nstyle.to_lua:to_lua_command", "Print a config as the command line of the original."),
    "show": ("cli.nstyle.provenance:show_command", "Show how a picture was made."),
    "watch": ("cli.watch.command:watch_command", "Run a config and show its progress in the browser."),
}


class LazyGroup(click.Group):
    """The subcommands of ``COMMANDS``."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, sorted."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the named command and return it; None for an unknown name."""
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name][0].split(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; an OSError with a file name and a MemoryError become a one-line error.

        Raises: click.ClickException.
        """
        try:
            return super().invoke(ctx)
        except MemoryError as error:
            raise click.ClickException(memory_error_text(error)) from None
        except OSError as error:
            if error.filename is None:
                raise
            raise click.ClickException(os_error_text(error)) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List names and sentences without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in self.list_commands(ctx)])


@click.group(cls=LazyGroup)
def main() -> None:
    """Tools around neural_style: model files, configs, conversions, comparisons with the original."""


if __name__ == "__main__":
    main()
