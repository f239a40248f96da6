"""Evaluate a shell script without running commands: set variables, unroll loops.

A style command is a command that runs one of the programs. If one depends on a command that would have to be
run, that is an error. All other commands are left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.porting.expansion import expand
from cli.porting.findings import Findings, RefusedError
from cli.porting.simple import Call, State, forget, is_style_command, run_simple
from cli.porting.syntax import Script, descendants, line_of, text_of
from cli.porting.variables import Variables
from cli.porting.words import array_items, name_at, read_command

if TYPE_CHECKING:
    from tree_sitter import Node

SIMPLE = ("command", "variable_assignment", "variable_assignments", "declaration_command", "unset_command")
TESTS = ("[", "test ")
MOST_STEPS = 10_000


def evaluate(script: Script, variables: Variables, findings: Findings, tells: bool = True) -> list[Call]:
    """The style commands of a script, in order; ``variables`` receives what the script sets.

    tells: whether commands that are left out get a remark.
    """
    evaluator = Evaluator(State(script, variables, findings, tells))
    try:
        evaluator.run(script.root)
    except RefusedError as refusal:
        findings.error(1, str(refusal))
        return []
    return evaluator.state.calls


class Evaluator:
    """Evaluates statements, by their names in tree-sitter's grammar; other statements are not followed."""

    def __init__(self, state: State) -> None:
        self.state = state
        self._steps = 0
        self._statements = {
            "program": self._sequence,
            "do_group": self._sequence,
            "compound_statement": self._group,
            "subshell": self._subshell,
            "list": self._list,
            "pipeline": self._pipeline,
            "negated_command": self._sequence,
            "redirected_statement": self._redirected,
            "for_statement": self._for,
            "comment": self._nothing,
            "test_command": self._nothing,
            "heredoc_body": self._nothing,
        }

    def run(self, node: Node) -> None:
        """Evaluate one statement; nothing is evaluated after ``exit``. Raises: RefusedError."""
        if self.state.is_over:
            return
        self._steps += 1
        if self._steps > MOST_STEPS:
            raise RefusedError(f"the loops give more than {MOST_STEPS} commands; port a smaller script")
        if node.type in SIMPLE:
            for command in self.state.raw_commands(node):
                run_simple(self.state, command)
        else:
            self._statements.get(node.type, self._not_followed)(node)

    def _nothing(self, node: Node) -> None:
        """Do nothing, for tests and comments."""

    def _sequence(self, node: Node) -> None:
        before = 0
        for child in node.children:
            if child.is_named:
                before = len(self.state.calls)
                self.run(child)
            elif child.type == "&":
                self._leave_out("'&'", before)

    def _leave_out(self, what: str, before: int) -> None:
        """Add a remark to all calls after the first ``before``."""
        for call in self.state.calls[before:]:
            call.remarks.append(f"{what} is left out")

    def _group(self, node: Node) -> None:
        if node.children[0].type == "{":
            self._sequence(node)
        else:  # ((i++))
            self._not_followed(node)

    def _subshell(self, node: Node) -> None:
        outside = self.state.variables
        self.state.variables = outside.copy()
        self._sequence(node)
        self.state.variables, self.state.is_over = outside, False

    def _list(self, node: Node) -> None:
        """Evaluate both sides of ``&&``. After ``||`` or a test, the right side depends on a result."""
        left, operator, right = node.children[0], node.children[1].type, node.children[-1]
        self.run(left)
        if operator == "&&" and not text_of(left).startswith(TESTS):
            self.run(right)
        elif self._holds_style(right):
            what = "||" if operator == "||" else text_of(left)
            self.state.findings.error(
                line_of(right),
                f"whether this style command runs depends on '{what}'; write the command without it",
            )
        else:
            self._forget(right, operator)

    def _pipeline(self, node: Node) -> None:
        parts = node.named_children
        styles = [part for part in parts if self._holds_style(part)]
        for part in styles or parts:
            before = len(self.state.calls)
            self.run(part)
            for other in parts if styles else ():
                if other not in styles:
                    self._leave_out(f"the pipe with '{text_of(other)}'", before)

    def _redirected(self, node: Node) -> None:
        body = node.child_by_field_name("body")
        if body is None:
            return
        before = len(self.state.calls)
        self.run(body)
        if body.type not in SIMPLE:  # a simple command reads its redirections itself
            for redirection in node.children_by_field_name("redirect"):
                self._leave_out(f"'{text_of(redirection)}'", before)

    def _for(self, node: Node) -> None:
        variable, body = node.child_by_field_name("variable"), node.child_by_field_name("body")
        if variable is None or body is None or node.children[0].type != "for":
            self._not_followed(node)
            return
        try:
            values = self._loop_values(node)
        except RefusedError as refusal:
            if self._holds_style(node):
                self.state.findings.error(line_of(node), str(refusal))
            self._forget(node, "a loop")
            return
        for value in values:
            self.state.variables.values[text_of(variable)] = [value]
            self.state.loop.append(value)
            self.run(body)
            self.state.loop.pop()

    def _loop_values(self, node: Node) -> list[str]:
        """The values of a for loop. Raises: RefusedError."""
        variables, script = self.state.variables, self.state.script
        start = next((child for child in node.children if child.type == "in"), None)
        if start is None:
            return variables.value("@")
        words = read_command(script.text, script.position(start, end=True)).words
        return [text for word in words for text in expand(word.text, variables)]

    def _not_followed(self, node: Node) -> None:
        """A statement that depends on commands; an error if it contains a style command."""
        name = {"function_definition": "a function", "c_style_for_statement": "for (("}.get(
            node.type, node.children[0].type if node.children else node.type
        )
        shown = name if name.startswith("a ") else f"'{name}'"
        if self._holds_style(node):
            self.state.findings.error(
                line_of(node),
                f"{shown} with a style command in it cannot be ported; write out the commands that it runs",
            )
        elif name != "a function":
            self.state.remark(line_of(node), f"{shown} is not ported")
        self._forget(node, shown)

    def _holds_style(self, node: Node) -> bool:
        return any(
            is_style_command(self.state, command)
            for child in descendants(node)
            if child.type == "command"
            for command in self.state.raw_commands(child)
        )

    def _forget(self, node: Node, what: str) -> None:
        """Mark the variables that ``node`` sets as unknown."""
        names = list[str]()
        for child in descendants(node):
            if child.type in ("variable_assignment", "for_statement", "postfix_expression"):
                names += [text_of(part) for part in child.children if part.type == "variable_name"]
            elif child.type == "command" and text_of(child).startswith(("read ", "let ", "getopts ")):
                names += [name_at(word, 0) for word in array_items(f"({text_of(child)})")[1:]]
        forget(self.state, [name for name in names if name.isidentifier()], line_of(node), what)
