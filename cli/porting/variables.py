"""The variables of a script: those it sets, unknown ones, and those given with ``--define``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cli.porting.findings import RefusedError

Values = list[str]


@dataclass(frozen=True)
class Unknown:
    """A variable whose value is unknown without running a command; ``sentence`` says why."""

    sentence: str


@dataclass
class Variables:
    """Values by name: one for a plain variable, several for an array.

    given: those of ``--define``, positional ones included. The script's own assignments win, as in the shell,
    unless their value is unknown.
    """

    given: Mapping[str, str]
    base: Path
    values: dict[str, Values | Unknown] = field(default_factory=dict)
    shifted: int = 0

    def copy(self) -> Variables:
        """A copy for a subshell, whose assignments are dropped at its end."""
        return Variables(self.given, self.base, dict(self.values), self.shifted)

    def find(self, name: str) -> Values | None:
        """The value, or None for a variable that is not set. Raises: RefusedError: it is unknown."""
        found = self.values.get(name)
        if isinstance(found, list):
            return found
        if name.isdigit():
            name = str(int(name) + self.shifted)
        if name in self.given:
            return [self.given[name]]
        if found is not None:
            raise RefusedError(found.sentence, of_variable=True)
        return self._of_the_shell(name)

    def value(self, name: str) -> Values:
        """The value. Raises: RefusedError: it is unknown, or not set (the shell would take it as empty)."""
        found = self.find(name)
        if found is None:
            wanted = name if name not in ("@", "*", "#") else "1"
            raise RefusedError(
                f"${name} is not set in this file; give its value with --define {wanted}=VALUE",
                of_variable=True,
            )
        return found

    def _of_the_shell(self, name: str) -> Values | None:
        if name == "HOME":
            return [str(Path.home())]
        if name == "PWD":
            return [str(self.base.absolute())]
        arguments = self._arguments()
        if name in ("@", "*") and arguments:
            return arguments
        return [str(len(arguments))] if name == "#" and arguments else None

    def _arguments(self) -> Values:
        """``$1``, ``$2`` and so on, up to the first one that is not given."""
        found, number = Values(), 1 + self.shifted
        while str(number) in self.given:
            found.append(self.given[str(number)])
            number += 1
        return found
