"""What is told about a file: errors, of which any one keeps everything from being written, and remarks."""

from __future__ import annotations

from dataclasses import dataclass, field

from core.errors import SettingsError


class RefusedError(SettingsError):
    """A piece of shell that has no value without running it; the message is the sentence for the user.

    of_variable: the sentence already tells where the value would have come from, and how to give it.
    """

    def __init__(self, sentence: str, of_variable: bool = False) -> None:
        super().__init__(sentence)
        self.of_variable = of_variable


MISSING = "nstyle port needs tree-sitter: pip install 'neural-style-exact[port]'"


@dataclass
class Findings:
    """Sentences by file and line, each once though a loop repeats its cause."""

    file: str
    errors: dict[str, None] = field(default_factory=dict)
    remarks: dict[str, None] = field(default_factory=dict)

    def error(self, line: int, sentence: str) -> None:
        """Something that cannot be ported."""
        self.errors[f"{self.file}, line {line}: {sentence}"] = None

    def remark(self, line: int, sentence: str) -> None:
        """Something that is left out, or will not be as one may expect."""
        self.remarks[f"{self.file}, line {line}: {sentence}"] = None
