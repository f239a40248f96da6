"""Errors and remarks about a script. With any error no config is written."""

from __future__ import annotations

from dataclasses import dataclass, field

from core.errors import SettingsError


class RefusedError(SettingsError):
    """A piece of shell whose value is unknown without running it; the message is a sentence for the person.

    of_variable: the message already says where the variable is set and how to give its value.
    """

    def __init__(self, sentence: str, of_variable: bool = False) -> None:
        super().__init__(sentence)
        self.of_variable = of_variable


MISSING = "nstyle port needs tree-sitter: pip install 'neural-style-exact[port]'"


@dataclass
class Findings:
    """Sentences with file and line; each is kept once, even if a loop repeats its cause."""

    file: str
    errors: dict[str, None] = field(default_factory=dict)
    remarks: dict[str, None] = field(default_factory=dict)

    def error(self, line: int, sentence: str) -> None:
        """Add an error: something cannot be ported."""
        self.errors[f"{self.file}, line {line}: {sentence}"] = None

    def remark(self, line: int, sentence: str) -> None:
        """Add a remark: something is left out or changed."""
        self.remarks[f"{self.file}, line {line}: {sentence}"] = None
