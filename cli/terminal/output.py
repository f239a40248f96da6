"""The two streams of a command: the log on stdout, everything else on stderr."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from core.errors import SettingsError


def notice(sentence: str, program: str = "neural_style") -> None:
    """Print one line on stderr that is not part of the original's log."""
    if sys.stderr is not None:  # print would fall back to stdout where the shell closed it, as with 2>&-
        print(f"{program}:", sentence.replace("\n", " "), file=sys.stderr, flush=True)


def shows_progress() -> bool:
    """Whether a person can see a progress bar on stderr."""
    return sys.stderr is not None and sys.stderr.isatty()


def print_log(text: str) -> None:
    """Write whole lines to stdout and flush. Letters outside stdout's encoding become backslash escapes.

    Raises: BrokenPipeError: the reader closed the pipe; SettingsError: the lines cannot be written.
    """
    if sys.stdout is None:
        return
    encoding = sys.stdout.encoding or "utf-8"
    try:
        sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        discard_log()
        raise SettingsError(f"the log cannot be written to stdout: {error.strerror}") from None


def discard_log() -> None:
    """Point stdout to the null device, so that the interpreter's flush at exit does not fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def warnings_as_notices(say: Callable[[str], None]) -> Iterator[None]:
    """Pass each UserWarning of ``core`` to ``say``, once, for example about a CMYK picture."""
    said: set[str] = set()

    def say_once(message: Warning | str, *_: Any, **__: Any) -> None:
        if str(message) not in said:
            said.add(str(message))
            say(str(message))

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.simplefilter("ignore", RuntimeWarning)  # overflow: a diverging loss has its own message
        warnings.showwarning = say_once
        yield
