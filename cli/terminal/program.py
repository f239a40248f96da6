"""Run a drop-in program: parse its flags, print its help or its error, return its exit status."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

from cli.terminal.lua_flags import CommandLine, Grammar, parse, usage
from cli.terminal.output import discard_log, notice, print_log
from core.errors import NeuralStyleError


def run_program(
    grammar: Grammar, command: Callable[[CommandLine], int], arguments: Sequence[str] | None
) -> int:
    """Parse and run; returns the command's exit status, 1 for an error, 130 when interrupted."""

    def act() -> int:
        line = parse(grammar, sys.argv[1:] if arguments is None else arguments)
        if line.help:
            print_log(usage(grammar) + "\n")
            return 0
        return command(line)

    return ending(grammar.program, act)


def ending(program: str, act: Callable[[], int]) -> int:
    """Run ``act`` and return its exit status; an error is printed as one line."""
    try:
        return act()
    except BrokenPipeError:
        discard_log()
        return 1
    except KeyboardInterrupt:
        notice("interrupted; nothing more is written", program)
        return 130
    except OSError as error:  # a file may disappear after it was checked
        if error.filename is None:
            raise
        notice(os_error_text(error), program)
        return 1
    except MemoryError as error:
        notice(memory_error_text(error), program)
        return 1
    except Exception as error:
        if not _is_for_the_user(error):
            raise
        notice(str(error), program)
        return 1


def memory_error_text(error: MemoryError) -> str:
    """The message for a MemoryError, with the size that NumPy asked for."""
    return f"not enough memory; choose smaller sizes or batches: {error}".removesuffix(": ")


def os_error_text(error: OSError) -> str:
    """The message for an OSError: the file and the reason."""
    return f"{os.fsdecode(error.filename)}: {error.strerror or error}"


def _is_for_the_user(error: Exception) -> bool:
    from caffe_loader.errors import CaffemodelError

    return isinstance(error, NeuralStyleError | CaffemodelError)
