"""Parse a shell script with tree-sitter."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import TYPE_CHECKING

from cli.porting.findings import MISSING
from core.errors import SettingsError

if TYPE_CHECKING:
    from tree_sitter import Node


class Script:
    """A text and its syntax tree. Positions are indices into the text; lines count from 1."""

    def __init__(self, text: str) -> None:
        try:
            import tree_sitter_bash
            from tree_sitter import Language, Parser
        except ImportError:
            raise SettingsError(MISSING) from None
        self.text = text
        self._bytes = text.encode()
        self._tree = Parser(Language(tree_sitter_bash.language())).parse(self._bytes)
        self._line_starts = [0]
        for line in text.split("\n")[:-1]:
            self._line_starts.append(self._line_starts[-1] + len(line) + 1)

    @property
    def root(self) -> Node:
        """The whole script."""
        return self._tree.root_node

    def error_line(self) -> int | None:
        """The line of the first syntax error, or None."""
        found = None
        for node in descendants(self.root):  # the innermost: an outer one may be the whole script
            if node.is_error or node.is_missing:
                found = node
            elif found is not None and node.start_byte >= found.end_byte:
                break
        return None if found is None else line_of(found)

    def position(self, node: Node, end: bool = False) -> int:
        """The position at which the node begins, or ends."""
        offset = node.end_byte if end else node.start_byte
        return offset if self.text.isascii() else len(self._bytes[:offset].decode())

    def line_at(self, position: int) -> int:
        """The line of a position in the text."""
        return bisect_right(self._line_starts, position)


def line_of(node: Node) -> int:
    """The line of a node."""
    return node.start_point[0] + 1


def text_of(node: Node) -> str:
    """The text of a node."""
    return (node.text or b"").decode()


def descendants(node: Node) -> Iterator[Node]:
    """The node and all its descendants, in the order of the text."""
    waiting = [node]
    while waiting:
        current = waiting.pop()
        yield current
        waiting.extend(reversed(current.children))
