"""torch.CmdLine's grammar, and the additions to it."""

import pytest

from cli.neural_style import GRAMMAR
from cli.terminal import lua_flags
from core.errors import SettingsError


def parse(words):
    return lua_flags.parse(GRAMMAR, words)


def settings(*words):
    return parse(words).settings


def test_values_and_later_ones_win():
    assert settings("-image_size", "64", "-seed", "0x10", "-image_size", "1e2") == {
        "image_size": 100,
        "seed": 16,
    }


def test_a_string_takes_the_next_word_whatever_it_is():
    assert settings("-content_image", "-h", "-gpu", "-1") == {"content_image": "-h", "gpu": "-1"}


@pytest.mark.parametrize("words", [("--seed", "3"), ("-seed=3",), ("--seed=3",)])
def test_forms_the_original_does_not_know(words):
    assert settings(*words) == {"seed": 3}


def test_switches_take_no_value_and_stay_on():
    assert (
        settings("-normalize_gradients", "-normalize_gradients", "-seed", "1")["normalize_gradients"] is True
    )
    assert parse(["-dry_run"]).others == {"dry_run": ""}


def test_lists():
    assert settings("-style_layers", "relu1_1,relu2_1", "-style_blend_weights", "3,7") == {
        "style_layers": ("relu1_1", "relu2_1"),
        "style_blend_weights": (3.0, 7.0),
    }
    assert settings("-style_blend_weights", "nil") == {"style_blend_weights": None}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("-style_wieght", "3"), "unknown flag -style_wieght; did you mean -style_weight?"),
        (("-image-size", "3"), "unknown flag -image-size; did you mean -image_size?"),
        (("-zzz",), "unknown flag -zzz"),
        (("picture.jpg",), "invalid argument: 'picture.jpg' where a flag is expected"),
        (("seed", "3"), "invalid argument: 'seed' where a flag is expected; did you mean -seed?"),
        (("-seed",), "missing argument for option -seed"),
        (("-seed", "x"), "-seed x: should be a number"),
        (("-style_blend_weights", "1,x"), "-style_blend_weights 1,x: should be a number"),
        (("-normalize_gradients", "true"), "invalid argument: 'true'; -normalize_gradients takes no value"),
        (("-cudnn_autotune=1",), "invalid argument: '1'; -cudnn_autotune takes no value"),
    ],
)
def test_errors_name_the_flag(words, message):
    with pytest.raises(SettingsError) as error:
        parse(words)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize("word", ["-help", "-h", "--help"])
def test_help_is_met_left_to_right(word):
    assert parse(["-seed", "3", word, "-nonsense"]).help


def test_usage_has_every_flag_in_the_original_s_form():
    lines = lua_flags.usage(GRAMMAR).split("\n")
    assert lines[0] == "Usage: neural_style [options]"
    assert lines[1] == "  -style_image          Style target image(s) [examples/inputs/seated-nude.jpg]"
    assert "[relu1_1,relu2_1,relu3_1,relu4_1,relu5_1]" in lines[29]
    named = [line.split()[0].removeprefix("-") for line in lines if line.startswith("  -")]
    assert named == [*GRAMMAR.flags, *GRAMMAR.others]


def test_flags_page_is_current():
    from cli.make.flags_page import PAGE, page

    assert PAGE.read_text() == page(), "run: make docs"
