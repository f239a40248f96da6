"""nstyle to-lua: the command of every config; parsed again it gives the same settings."""

import shlex

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.__main__ import main
from cli.neural_style import GRAMMAR
from cli.nstyle.to_lua import lua_words
from cli.terminal.lua_flags import parse
from core.settings.flags import flags_of, is_list
from core.settings.neural_style import Settings
from tests.conftest import ROOT

WORDS = st.text(st.characters(codec="utf-8", exclude_characters=",\0"), min_size=1, max_size=12)
NUMBERS = st.one_of(
    st.integers(-1000, 10**6).map(float), st.floats(-1e6, 1e6).map(lambda value: float(f"{value:.14g}"))
)


def values_of(item):
    if isinstance(item.default, bool):
        return st.just(True)
    if is_list(item):
        return st.lists(NUMBERS if item.metadata["numbers"] else WORDS, max_size=3).map(tuple)
    return NUMBERS if isinstance(item.default, float) else st.text(st.characters(codec="utf-8"), max_size=12)


ORIGINAL = [item for item in flags_of(Settings).values() if not item.metadata["ours"]]
CONFIGS = st.fixed_dictionaries({}, optional={item.name: values_of(item) for item in ORIGINAL})


@given(CONFIGS)
@settings(max_examples=300, deadline=None)
def test_the_command_means_the_config(changes):
    config = Settings().replace(**changes)
    words, ours = lua_words(config)
    assert ours == []
    line = shlex.split(shlex.join(words))
    assert Settings().replace(**parse(GRAMMAR, line).settings) == config


def to_lua(tmp_path, content):
    path = tmp_path / "run.yml"
    path.write_text(yaml.safe_dump(content))
    return CliRunner().invoke(main, ["to-lua", str(path)])


def test_command(tmp_path):
    content = {
        "style_image": [str(tmp_path / "a b.jpg"), str(tmp_path / "c.jpg")],
        "style_blend_weights": [3, 7],
        "content_image": str(tmp_path / "d.jpg"),
        "image_size": 512,
        "seed": 0,
        "gpu": -1,
        "normalize_gradients": True,
        "threads": 1,
    }
    shown = to_lua(tmp_path, content)
    assert shown.exit_code == 0
    told, command = shown.output.splitlines()
    assert told == "nstyle to-lua: -threads is not in the original and is left out"
    assert shlex.split(command) == [
        *("th", "neural_style.lua", "-style_image", f"{tmp_path / 'a b.jpg'},{tmp_path / 'c.jpg'}"),
        *("-style_blend_weights", "3,7", "-content_image", str(tmp_path / "d.jpg"), "-gpu", "-1"),
        *("-normalize_gradients", "-seed", "0"),
    ]


def test_fast_command(tmp_path):
    shown = to_lua(tmp_path, {"program": "fast_neural_style", "image_size": 0, "median_filter": 5})
    assert shown.output == "th fast_neural_style.lua -image_size 0 -median_filter 5\n"


def test_every_run_of_a_config_has_a_line(tmp_path):
    stages = {"a": {"seed": 1}, "b": {"init": "image", "checkpoint_iter": 5}}
    shown = to_lua(
        tmp_path, {"defaults": {"image_size": 64}, "stages": stages, "vary": {"tv_weight": [0, 1]}}
    )
    assert shown.stderr == "nstyle to-lua: -checkpoint_iter is not in the original and is left out\n"
    assert [shlex.split(line)[2:] for line in shown.stdout.splitlines()][:2] == [
        ["-image_size", "64", "-tv_weight", "0", "-output_image", "out_tv_weight-0.png", "-seed", "1"],
        [*("-image_size", "64", "-tv_weight", "0", "-init", "image"), "-output_image", "out_tv_weight-0.png"],
    ]
    assert len(shown.stdout.splitlines()) == 4


def test_bundled_configs_have_commands():
    for path in sorted((ROOT / "configs").rglob("*.yml")):
        shown = CliRunner().invoke(main, ["to-lua", str(path)])
        assert shown.exit_code == 0, shown.output
        assert shown.output.startswith("th ") or "\nth " in shown.output


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"style_image": ["a,b.jpg"]}, "cannot be written as one flag, since a value contains a comma"),
        ({"sed": 1}, "unknown key 'sed'; did you mean seed?"),
        ({"init": "noise"}, "-init noise: must be one of random, image"),
    ],
)
def test_errors(tmp_path, content, message):
    shown = to_lua(tmp_path, content)
    assert shown.exit_code == 1
    assert message in shown.output
    assert shown.output.count("\n") == 1


def test_a_number_with_more_digits_than_lua_prints():
    assert lua_words(Settings(learning_rate=0.1 + 0.2)) == (["-learning_rate", "0.30000000000000004"], [])
