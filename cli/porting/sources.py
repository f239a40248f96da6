"""Find the shell code in a file: a whole script, code blocks of Markdown, commands in a text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from cli.porting.findings import MISSING, Findings
from cli.porting.launchers import assignment, find_launch
from cli.porting.simple import DECLARING
from cli.porting.syntax import Script, descendants, line_of
from cli.porting.words import read_command
from core.errors import SettingsError

MAXIMUM_BYTES = 1 << 20
MARKDOWN = (".md", ".markdown", ".mdown")
SHELL = (".sh", ".bash", ".zsh", ".command")
SHELL_FENCES = ("", "sh", "bash", "shell", "zsh", "console", "shell-session", "text")
STATEMENTS = ("for_statement", "while_statement", "if_statement", "case_statement", "c_style_for_statement")
PROMPTS = ("$ ", "% ", "> ")


class Listing(NamedTuple):
    """Shell code at its lines in the file. tells: whether other commands in it get a remark."""

    script: Script
    tells: bool


def listings(path: Path, findings: Findings) -> list[Listing]:
    """The shell code in a file. Syntax errors are added to ``findings``. Raises: SettingsError."""
    text = _text_of(path)
    if path.suffix.lower() in MARKDOWN:
        blocks = [_of_text(block, in_code=True) for block in _code_blocks(text)]
        return [listing for listing in blocks if _is_shell(listing, findings)]
    if path.suffix.lower() not in SHELL and not text.startswith("#!"):
        listing = _of_text(text, in_code=False)
    else:
        listing = Listing(Script(text), True)
    return [listing] if _is_shell(listing, findings) else []


def _is_shell(listing: Listing, findings: Findings) -> bool:
    line = listing.script.error_line()
    if line is None:
        return True
    written = listing.script.text.split("\n")[line - 1 : line]
    advice = "check that quotes, braces and loops are closed"
    if "<" in "".join(written):
        advice = "if <NAME> is a placeholder, replace it by a name without <>"
    findings.error(line, f"shell syntax error; {advice}")
    return False


def _text_of(path: Path) -> str:
    """The text of a file. Raises: SettingsError: it cannot be read, is too large or is not UTF-8."""
    try:
        if path.is_file() and path.stat().st_size > MAXIMUM_BYTES:
            raise SettingsError(
                f"{path}: too large for a script: {path.stat().st_size} bytes, the limit is {MAXIMUM_BYTES}"
            )
        data = path.read_bytes()
        if b"\0" in data:
            raise UnicodeDecodeError("utf-8", data, 0, 1, "NUL")
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path}: not a text file in UTF-8") from None
    of_windows = text.count("\r\n") == text.count("\n")
    return text.replace("\r\n", "\n") if of_windows else text


def _code_blocks(text: str) -> Iterator[str]:
    """Fenced and indented code, each with empty lines before it so that line numbers stay.

    Raises: SettingsError.
    """
    try:
        from markdown_it import MarkdownIt
    except ImportError:
        raise SettingsError(MISSING) from None
    for token in MarkdownIt().parse(text):
        language = token.info.split(maxsplit=1)[0].lower() if token.info.strip() else ""
        if token.map is None or token.type not in ("fence", "code_block"):
            continue
        if language.strip("{}.") in SHELL_FENCES:
            first = token.map[0] + (token.type == "fence")
            yield "\n" * first + without_prompts(token.content)


def without_prompts(text: str) -> str:
    """The commands after the prompts ``$``, ``%`` or ``>``, without output. A text without prompts stays."""
    lines = text.split("\n")
    if not any(line.lstrip().startswith(PROMPTS[:2]) for line in lines):
        typed = [line for line in lines if line.strip()]
        if not all(line.lstrip().startswith(PROMPTS[2]) for line in typed):
            return text
    found, continues = list[str](), False
    for line in lines:
        bare = line.lstrip()
        prompt = bare.startswith(PROMPTS)
        found.append(bare[2:] if prompt else line if continues else "")
        continues = found[-1].rstrip().endswith("\\")
    return "\n".join(found)


def _of_text(text: str, in_code: bool) -> Listing:
    """The text as a script if it parses as one; otherwise only the lines of its style commands."""
    lines = {number for number, _ in _launch_lines(text)}
    script = Script(text)
    nodes = list(descendants(script.root))
    commands = {line_of(node) for node in nodes if node.type == "command"}
    is_script = in_code or any(node.type in STATEMENTS for node in nodes)
    if is_script and script.error_line() is None and lines <= commands:
        return Listing(script, in_code and bool(lines))
    return Listing(Script(_only_commands(text)), False)


def _launch_lines(text: str) -> Iterator[tuple[int, str]]:
    """Number and text, without a prompt, of the lines that begin a style command."""
    for number, line in enumerate(text.split("\n"), 1):
        bare = line.strip()
        if bare.startswith(PROMPTS):
            bare = bare[2:].strip()
        words = bare.split()
        while words and assignment(words[0]):
            words.pop(0)
        if find_launch(words):
            yield number, bare


def _only_commands(text: str) -> str:
    """The text with all other lines emptied, since apostrophes in prose would be read as quotes."""
    begins = dict(_launch_lines(text))
    kept, inside = list[str](), False
    for number, line in enumerate(text.split("\n"), 1):
        bare = line.strip()
        is_flag = bool(kept) and bool(kept[-1]) and bare[:1] == "-" and bare[1:2].isalpha()
        if number in begins:
            kept.append(begins[number])
        elif inside or is_flag or _only_sets(bare):
            kept.append(line)
        else:
            kept.append("")
        inside = kept[-1].rstrip().endswith("\\")
    return "\n".join(kept)


def _only_sets(line: str) -> bool:
    words = [word.text for word in read_command(line, 0).words]
    if words[:1] and words[0] in DECLARING:
        words.pop(0)
    return bool(words) and all(map(assignment, words))
