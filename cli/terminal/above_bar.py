"""Print lines and notices above a progress bar."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from tqdm import tqdm

from cli.terminal.output import notice, print_log


def print_above_bar(lines: Iterable[str]) -> None:
    """Print lines of the log on stdout."""
    text = "".join(f"{line}\n" for line in lines)
    if text:
        with tqdm.external_write_mode(file=sys.stdout):
            print_log(text)


def notice_above_bar(sentence: str, program: str = "neural_style") -> None:
    """Print a notice on stderr."""
    with tqdm.external_write_mode(file=sys.stderr):
        notice(sentence, program)
