"""nstyle port: an error names the file, the line and what to do; then no config is written."""

import sys

import pytest

from tests.cli.porting.test_commands import START, messages, port, ported, run

INSTEAD = "write its result instead"
WRITE_OUT = "cannot be ported; write out the commands that it runs"


def test_what_the_script_cannot_know_is_given(tmp_path):
    text = f"N=$(nproc)\nM=$N\n{START}-seed $M\n"
    (sentence,) = messages(tmp_path, text)
    assert sentence == (
        "line 3: $N is set in line 1, but the command substitution $(nproc) is not run; "
        "write its result instead, or give it with --define N=VALUE"
    )
    assert ported(tmp_path, text, "--define", "N=3")["run"]["seed"] == 3
    assert ported(tmp_path, f"N=$(nproc)\n{START}-seed 1\n", "--force")["run"]["seed"] == 1


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        (START + "-sed 3", ["line 1: unknown flag -sed; did you mean -seed?"]),
        (START + "\\\n  -sed 3 -style_wight 2 \\\n -threads 2", [
            "line 2: unknown flag -sed; did you mean -seed?",
            "line 2: unknown flag -style_wight; did you mean -style_weight?",
            "line 3: unknown flag -threads: neural_style.lua does not have it",
        ]),
        (START + "\\\n -init noise", ["line 2: -init noise: must be one of random, image"]),
        (START + "-seed x", ["line 1: -seed x: should be a number"]),
        (START + "-seed", ["line 1: missing argument for option -seed"]),
        (START + "-normalize_gradients true", [
            "line 1: invalid argument: 'true'; -normalize_gradients takes no value; remove 'true'"
        ]),
        (START + "-style_image a.jpg, b.jpg", [
            "line 1: invalid argument: 'b.jpg' where a flag is expected"
        ]),
        (START + "-style_image a.jpg,b.jpg -style_blend_weights 1,2,3", [
            "line 1: -style_blend_weights and -style_image must have the same number of elements: "
            "3 weights, 2 images"
        ]),
        ("th neural_style.lua -help", ["line 1: -help only prints the flags; leave the command out"]),
        (START + "\\ \n  -seed 1", [
            "line 2: -seed begins a command, so the backslash at the end of the line before is missing or "
            "followed by a space; make the backslash the last character of that line"
        ]),
        (START + "-content_image $PHOTO", [
            "line 1: $PHOTO is not set in this file; give its value with --define PHOTO=VALUE"
        ]),
        ("A=$1\n" + START + "\\\n -content_image $A", [
            "line 3: $1 is not set in this file; give its value with --define 1=VALUE"
        ]),
        (START + "-content_image `ls`", [
            "line 1: the command substitution `ls` is not run; " + INSTEAD
        ]),
        (START + "-seed $((1+2))", [
            "line 1: the arithmetic $((1+2)) is not run; " + INSTEAD
        ]),
        (START + "-content_image <(cat a.jpg)", [
            "line 1: the process substitution <(cat a.jpg) is not run; " + INSTEAD
        ]),
        ("for f in $(ls); do\n" + START + "-content_image $f\ndone", [
            "line 1: the command substitution $(ls) is not run; " + INSTEAD
        ]),
        ("for f in *.gif; do\n" + START + "-content_image $f\ndone", [
            "line 1: no file in  matches *.gif; --base names another folder"
        ]),
        ("for ((i=0; i<3; i++)); do\n" + START + "-seed $i\ndone", [
            "line 1: 'for ((' with a style command in it " + WRITE_OUT
        ]),
        ("while true; do\n" + START + "\ndone", [
            "line 1: 'while' with a style command in it " + WRITE_OUT
        ]),
        ("if [ -f a ]; then\n" + START + "\nfi", [
            "line 1: 'if' with a style command in it " + WRITE_OUT
        ]),
        ("case $1 in a) " + START + ";; esac", [
            "line 1: 'case' with a style command in it " + WRITE_OUT
        ]),
        ("f() {\n" + START + "-seed $1\n}", [
            "line 1: a function with a style command in it " + WRITE_OUT
        ]),
        ("[ -f a ] && " + START, [
            "line 1: whether this style command runs depends on '[ -f a ]'; write the command without it"
        ]),
        ("docker run torch " + START, [
            "line 1: 'docker' with a style command in it cannot be ported; write the command without 'docker'"
        ]),
        (f'eval "{START}"', [
            "line 1: 'eval' with a style command in it cannot be ported; write the command without 'eval'"
        ]),
        (START + "-style_image <style.jpg> -content_image a.jpg", [
            "line 1: '<style.jpg' is a redirection; if <NAME> is a placeholder, "
            "replace it by a name without <>"
        ]),
        (START + "-style_image 'a.jpg", [
            "line 1: shell syntax error; check that quotes, braces and loops are closed"
        ]),
        ("read X\n" + START + "-seed $X", [
            "line 2: $X is set in line 1 by a command, which is not evaluated; "
            "give its value with --define X=VALUE"
        ]),
        ("th train.lua -content_layers 4,9 -content_weights 1,2,3", [
            "line 1: -content_weights and -content_layers must have the same number of elements, "
            "or one weight: 3 weights, 2 layers"
        ]),
        ("th slow_neural_style.lua -loss_type L1", ["line 1: -loss_type L1: must be one of L2, SmoothL1"]),
        (START + "-seed {1..99999}", ["line 1: the braces give more than 10000 words; use fewer"]),
    ],
)  # fmt: skip
def test_errors_have_lines(tmp_path, text, sentences):
    assert messages(tmp_path, text + "\n") == sentences


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"\x7fELF\0\0", "not a text file in UTF-8"),
        (b"\xff\xfe\xfa", "not a text file in UTF-8"),
        (b"x" * (1 << 20) + b"x", "too large for a script: 1048577 bytes, the limit is 1048576"),
        (
            b"ls\n",
            "no command of neural_style.lua, fast_neural_style.lua, slow_neural_style.lua, train.lua found",
        ),
        (
            b"",
            "no command of neural_style.lua, fast_neural_style.lua, slow_neural_style.lua, train.lua found",
        ),
        (b"(" * 5000 + b"th neural_style.lua" + b")" * 5000, ""),
        (b"th neural_style.lua -seed " + b"${A:-" * 5000 + b"1" + b"}" * 5000, ""),
        (b"for a in {1..999}; do for b in {1..999}; do th neural_style.lua; done; done", "more than"),
    ],
    ids=["binary", "latin", "long", "nothing", "empty", "parentheses", "expansions", "loops"],
)
def test_files_that_cannot_be_ported(tmp_path, data, sentence):
    path = tmp_path / "run.sh"
    path.write_bytes(data)
    outcome = run(path, "-o", tmp_path)
    assert outcome.exit_code == 1 and isinstance(outcome.exception, SystemExit)
    assert outcome.stderr.startswith(f"nstyle port: {path}") and sentence in outcome.stderr
    assert "Traceback" not in outcome.output
    assert list(tmp_path.glob("*.yml")) == []


def test_all_errors_of_all_files_are_told_and_nothing_is_written(tmp_path):
    for name, text in (("a.sh", START), ("b.sh", START + "-sed 1"), ("c.sh", "\n" + START + "-foo")):
        (tmp_path / name).write_text(text + "\n")
    files = [tmp_path / name for name in ("a.sh", "b.sh", "c.sh", "d.sh")]
    outcome = run(*files, "-o", tmp_path)
    assert outcome.exit_code == 1
    assert outcome.stderr.replace(f"{tmp_path}/", "").splitlines() == [
        "nstyle port: b.sh, line 1: unknown flag -sed; did you mean -seed?",
        "nstyle port: c.sh, line 2: unknown flag -foo",
        "nstyle port: d.sh: cannot be read: No such file or directory",
        "nstyle port: 3 errors; nothing was written",
    ]
    assert list(tmp_path.glob("*.yml")) == []


def test_configs_that_exist_are_kept(tmp_path):
    ported(tmp_path, START + "-seed 1\n")
    outcome, configs = port(tmp_path, START + "-seed 2\n")
    assert (outcome.exit_code, configs["run"]["seed"]) == (1, 1)
    assert outcome.stderr == f"nstyle port: {tmp_path / 'run.yml'}: exists; use --force to replace it\n"
    assert ported(tmp_path, START + "-seed 2\n", "--force")["run"]["seed"] == 2


def test_options(tmp_path):
    assert messages(tmp_path, START, "--define", "1")[0] == ("nstyle port: --define 1: should be NAME=VALUE")
    assert messages(tmp_path, START, "--base", "nowhere")[0] == (
        "nstyle port: --base nowhere: no such folder"
    )


def test_without_tree_sitter(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tree_sitter", None)
    assert messages(tmp_path, START)[0] == (
        "nstyle port: nstyle port needs tree-sitter: pip install 'neural-style-exact[port]'"
    )


def test_programs_are_kept_apart(tmp_path):
    text = (
        "th fast_neural_style.lua -input_image a.jpg -output_image f.png\n"
        "th neural_style.lua -content_image f.png -output_image o.png\n"
        "th train.lua -weight_decay 1\n"
        "th neural_style.lua -output_image ./o.png\n"
    )
    outcome, configs = port(tmp_path, text)
    assert [config.get("program") for config in configs.values()] == [
        *("fast_neural_style", None, "train_fast_neural_style", None)
    ]
    assert [line.partition(", ")[2] for line in outcome.stderr.splitlines()] == [
        "line 2: -content_image is a picture that line 1 makes with fast_neural_style; "
        "a config has one program, so run the config of line 1 first",
        "line 4: writes o.png, as line 2 does",
    ]
