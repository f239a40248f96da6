"""The words of a command are expanded as bash expands them, without running anything."""

import subprocess

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.porting.findings import Findings
from cli.porting.shell import evaluate
from cli.porting.syntax import Script
from cli.porting.variables import Variables
from tests.cli.porting.test_commands import START, run
from tests.conftest import ROOT

BEFORE = """A=x.jpg B="y z" C= arr=(p "q r" s.jpg)
E="e  f "
P=dir/sub/file.tar.gz
A2=$A; A2+=.png
arr+=("t u")
"""
PARTS = (
    *(
        START,
        "th train.lua ",
        "A=",
        "$A",
        "${A",
        "}",
        "{",
        "(",
        ")",
        "((",
        "))",
        "$(",
        "`",
        "'",
        '"',
        "\\",
        "\n",
    ),
    *("\n", " ", ";", "&", "&&", "||", "|", "<", ">", "for x in ", "do ", "done\n", "if ", "then ", "fi\n"),
    *(
        "-seed ",
        "1",
        "-output_image ",
        "a.png",
        "-init_image ",
        "$x",
        "*",
        "[",
        "]",
        ",",
        "..",
        "=",
        "#",
        "$ ",
    ),
    *(
        "```\n",
        "    ",
        "~/",
        "%",
        "/",
        ":-",
        "@",
        "\t",
        "exit\n",
        "shift\n",
        "ü",
        "\x85",
        "\r\n",
        "<<EOF\n",
        "EOF\n",
    ),
)
STUB = """th() { shift; printf '%s\\0' "$@"; printf '\\1'; }
"""
WORDS = (ROOT / "tests" / "cli" / "porting" / "ports" / "words.txt").read_text().splitlines()


def ours(text, given=None):
    script, findings = Script(text), Findings("run.sh")
    assert script.error_line() is None
    calls = evaluate(script, Variables(given or {}, ROOT / "tests"), findings)
    assert not findings.errors
    return [[word.text for word in call.words] for call in calls]


def of_bash(text, *arguments):
    line = ["bash", "-c", STUB + text, "run.sh", *arguments]
    shown = subprocess.run(line, cwd=ROOT / "tests", capture_output=True, check=False).stdout.decode()
    return [call.split("\0")[:-1] for call in shown.split("\1")[:-1]]


@pytest.mark.parametrize(
    "word", [*WORDS, "a\\\nb", '"a\\\nb"', '"a\nb"', "'a\\\nb'", '"$@"', "$*", "$1", '"$#"']
)
def test_a_word(word):
    text = f"{BEFORE}th neural_style.lua {word} z\n"
    assert ours(text, {"1": "p q", "2": "r"}) == of_bash(text, "p q", "r")


@given(st.lists(st.sampled_from(WORDS), max_size=6), st.sampled_from([" ", "  ", " \\\n   ", "\t"]))
@settings(max_examples=40, deadline=None)
def test_commands_and_loops(words, gap):
    line = gap.join(words)
    text = (
        f"{BEFORE}th neural_style.lua {line} > /dev/stderr {gap}z; th neural_style.lua y # 'c\n"
        f'for v in {line} z; do\n for w in 1 $A; do th neural_style.lua "$v" $w; done\ndone\n'
        f"(A=inside; th neural_style.lua $A) && th neural_style.lua $A & wait\n"
    )
    expected = of_bash(text.replace("> /dev/stderr", ""))
    assert sorted(ours(text)) == sorted(expected)


@given(st.sampled_from(WORDS), st.sampled_from(WORDS))
@settings(max_examples=40, deadline=None)
def test_assignments(first, second):
    text = f'{BEFORE}X={first}\nY={second}\nX+={second}\nth neural_style.lua "$X" "$Y"\n'
    assert ours(text) == of_bash(text)


def test_arguments_move_on():
    text = (
        'th neural_style.lua "$1"; shift\nth neural_style.lua "$1" "$@"; unset A\nexit\nth neural_style.lua\n'
    )
    assert ours(text, {"1": "a", "2": "b c"}) == of_bash(text, "a", "b c") == [["a"], ["b c", "b c"]]


@given(
    parts=st.lists(st.sampled_from(PARTS), max_size=30),
    name=st.sampled_from(["run.sh", "notes.txt", "README.md"]),
)
@settings(max_examples=200, deadline=None)
def test_nothing_ends_in_a_traceback(parts, name, tmp_path_factory):
    folder = tmp_path_factory.mktemp("port")
    (folder / name).write_text("".join(parts))
    outcome = run(folder / name, "-o", folder)
    assert outcome.exception is None or isinstance(outcome.exception, SystemExit)
    for path in folder.glob("*.yml"):
        yaml.safe_load(path.read_text())
