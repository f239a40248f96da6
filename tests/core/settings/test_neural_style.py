"""Flags as words and as YAML: defaults, types, errors with flag names and lines."""

import math
import re

import pytest
import yaml

from core.errors import SettingsError
from core.settings.fast_neural_style import TransformSettings
from core.settings.flags import flags_of
from core.settings.neural_style import Settings, lua_number, split_commas
from core.settings.text import format_value, parse_value
from core.settings.yaml_files import read_yaml, to_yaml
from core.stages.config import read_config
from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("a", ("a",)),
        ("a,b", ("a", "b")),
        ("a, b", ("a", " b")),
        ("a,,b", ("a", "", "b")),
        (",a,", ("a",)),
        (",,a,,", ("", "a", "")),
        ("", ()),
        (",", ()),
    ],
)
def test_comma_lists_as_in_lua(text, items):
    assert split_commas(text) == items


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("10", 10),
        ("1e2", 100),
        ("0x10", 16),
        ("0b11", 3),
        (" 7 ", 7),
        ("-3", -3),
        (".5", 0.5),
        ("inf", math.inf),
        ("-Infinity", -math.inf),
        ("1e999", math.inf),
        ("0x1p4", 16),
        ("0x.8", 0.5),
        ("0x1p5000", math.inf),
        ("0b" + "1" * 2000, math.inf),
    ],
)
def test_numbers_as_in_luajit(text, value):
    assert lua_number(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "1_0",
        "1i",
        "--3",
        "-+3",
        "abc",
        "1,5",
        "0b12",
        "0b-1",
        "0b 1",
        "- 3",
        "0x",
        "0xinf",
        ".",
        "\u0663",
        "\xa07",
    ],
)
def test_not_numbers(text):
    with pytest.raises(ValueError):
        lua_number(text)


def test_nan_is_a_number():
    assert math.isnan(lua_number("nan"))


@pytest.mark.parametrize("name", list(flags_of(Settings)))
def test_text_of_every_default_reads_back(name):
    item = flags_of(Settings)[name]
    if not isinstance(item.default, bool):
        assert parse_value(item, format_value(item.default)) == item.default


def test_blend_weights_are_divided_by_their_sum():
    two = Settings(style_image=("a", "b"))
    assert two.blend_weights() == (0.5, 0.5)
    assert two.replace(style_blend_weights=(3.0, 7.0)).blend_weights() == (0.3, 0.7)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"init": "noise"}, "-init noise: must be one of random, image"),
        ({"optimizer": "sgd"}, "-optimizer sgd: must be one of lbfgs, adam"),
        ({"backend": "mkl"}, "-backend mkl"),
        ({"image_size": 0.0}, "-image_size 0: must be greater than 0"),
        ({"image_size": math.nan}, "-image_size nan: must be a finite number"),
        ({"style_scale": -1.0}, "-style_scale -1: must be greater than 0"),
        ({"num_iterations": math.inf}, "-num_iterations inf"),
        ({"image_size": 1e300}, "must be at most 16777216"),
        ({"image_size": 1e6, "style_scale": 1e6}, "-style_scale: the style image becomes too large"),
        ({"content_weight": 1e300}, "-content_weight 1e\\+300: must be at most 3e\\+38"),
        ({"tv_weight": -1e300}, "-tv_weight -1e\\+300: must be at most 3e\\+38"),
        ({"lbfgs_num_correction": 1e300}, "-lbfgs_num_correction .*: must be at most"),
        ({"multigpu_strategy": (3.0, math.inf)}, "-multigpu_strategy: must be finite numbers"),
        ({"style_weight": math.inf}, "-style_weight inf: must be a finite number"),
        ({"content_image": ""}, "-content_image: the file name is empty"),
        ({"output_image": ""}, "-output_image: the file name is empty"),
        ({"style_image": ("a", "", "b")}, "-style_image: there is an empty file name"),
        ({"threads": -1.0}, "-threads -1: must be a whole number"),
        ({"threads": 1.5}, "-threads 1.5: must be a whole number"),
        ({"content_weight": math.nan}, "-content_weight nan: must be a finite number"),
        ({"style_image": ()}, "-style_image: the file name is empty"),
        ({"style_blend_weights": (1.0, 2.0)}, "same number of elements: 2 weights, 1 images"),
        ({"style_blend_weights": (0.0,)}, "whose sum is not 0"),
        ({"content_layers": (), "style_layers": ()}, "nothing to optimise"),
    ],
)
def test_impossible_values(changes, message):
    with pytest.raises(SettingsError, match=message):
        Settings().replace(**changes).validate()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"num_iterations": 0.0},
        {"num_iterations": 2.5},
        {"pooling": "anything"},
        {"tv_weight": -1.0},
        {"print_iter": -1.0},
        {"content_layers": ()},
    ],
)
def test_values_the_original_accepts(changes):
    Settings().replace(**changes).validate()


@pytest.mark.parametrize(
    ("changes", "fragment"),
    [
        ({"init_image": "a.png"}, "-init_image has no effect with -init random"),
        ({"init": "image", "seed": 3.0}, "-seed has no effect with -init image"),
        ({"style_image": ("a", "b", "a")}, "-style_image names a picture more than once"),
        ({"learning_rate": 1.0}, "-learning_rate has no effect on L-BFGS"),
        ({"optimizer": "adam", "lbfgs_num_correction": 5.0}, "-lbfgs_num_correction has no effect"),
        ({"pooling": "mean"}, "-pooling mean: treated as max"),
        ({"multigpu_strategy": (3.0,)}, "-multigpu_strategy has no effect"),
        ({"backend": "clnn", "arithmetic": "native"}, "no OpenCL"),
        ({"original_colors": 2.0}, "-original_colors 2 has no effect"),
    ],
)
def test_flags_without_effect_are_named(changes, fragment):
    notices = Settings().replace(**changes).notices()
    assert len(notices) == 1
    assert fragment in notices[0]


def write(path, text):
    path.write_text(text)
    return path


def test_yaml_lists_numbers_and_paths(tmp_path):
    (tmp_path / "sub").mkdir()
    path = write(
        tmp_path / "sub" / "run.yml",
        "style_image: [a.png, /abs/b.png]\nstyle_blend_weights: 1,3\ncontent_image: ../c.jpg\ngpu: -1\n"
        "tv_weight: 1e-3\nnormalize_gradients: true\nstyle_layers: relu1_1,relu2_1\n",
    )
    settings = read_yaml(path, Settings())
    assert settings.style_image == (str(tmp_path / "sub" / "a.png"), "/abs/b.png")
    assert settings.style_blend_weights == (1.0, 3.0)
    assert settings.content_image == str(tmp_path / "c.jpg")
    assert (settings.gpu, settings.tv_weight, settings.normalize_gradients) == ("-1", 0.001, True)
    assert settings.style_layers == ("relu1_1", "relu2_1")
    assert settings.model_file == Settings().model_file


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "image_size: 64\nstyle_wieght: 3\n",
            "run.yml, line 2: unknown key 'style_wieght'; did you mean style_weight",
        ),
        ("image_size: 64\nimage_size: 65\n", "line 2: 'image_size' is given twice"),
        ("image_size: big\n", "line 1: image_size should be a number, not big"),
        ("image_size: true\n", "line 1: image_size should be a number, not true"),
        ("\nnormalize_gradients: 1\n", "line 2: normalize_gradients should be true or false, not 1"),
        ("content_image: [a]\n", "line 1: content_image should be text"),
        ("style_layers: [1]\n", "line 1: style_layers should be a list of words"),
        ("style_blend_weights: [a]\n", "line 1: style_blend_weights should be a list of numbers"),
        ("image_size: [1\n", "line 2: not valid YAML"),
        ("seed: '\x00'\n", "not valid YAML: unacceptable character"),
        ("image_size: " + "[" * 100000, "nested too deeply"),
        ("seed: " + "9" * 400, "line 1: seed should be a number, not 999"),
        ("seed: " + "9" * 5000, "line 1: seed should be a number, not 999"),
        ("seed: !!int x\n", "line 1: seed should be a number, not !!int x"),
        ("seed: !!bool x\n", "line 1: seed should be a number, not !!bool x"),
        ("seed: !!timestamp x\n", "line 1: seed should be a number, not !!timestamp x"),
        ("content_image: 2024-13-45\n", "line 1: content_image should be text, not 2024-13-45"),
        ('content_image: "a\\0"\n', "line 1: content_image should be text"),
        ('content_image: "\\ud800"\n', "line 1: content_image should be text"),
        ("gpu: 1.5\n", "line 1: gpu should be text, not 1.5"),
        ("- image_size\n", "should be lines of the form 'flag: value'"),
        ("? [a, b]\n: 1\n", "line 1: unknown key"),
        ("image_size: !!python/object/apply:os.system [ls]\n", "line 1: image_size should be a number"),
        ("a: &a [*a]\n", "run.yml"),
    ],
)
def test_yaml_errors_name_file_line_and_key(tmp_path, text, message):
    with pytest.raises(SettingsError, match=re.escape(message)):
        read_yaml(write(tmp_path / "run.yml", text), Settings())


def test_a_bomb_of_aliases_is_not_unfolded(tmp_path):
    links = ",".join(f"&a{i} [*a{i - 1},*a{i - 1},*a{i - 1}]" for i in range(1, 40))
    with pytest.raises(SettingsError) as error:
        read_yaml(write(tmp_path / "run.yml", f"image_size: [&a0 [x],{links}]\n"), Settings())
    assert len(str(error.value)) < 200 + len(str(tmp_path))


def test_files_that_are_no_configs(tmp_path):
    with pytest.raises(SettingsError, match=r"absent\.yml: cannot be read"):
        read_yaml(tmp_path / "absent.yml", Settings())
    (tmp_path / "binary.yml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match=r"binary\.yml: not a text file"):
        read_yaml(tmp_path / "binary.yml", Settings())
    (tmp_path / "huge.yml").write_bytes(b"#" * (1 << 21))
    with pytest.raises(SettingsError, match="too large for a config file"):
        read_yaml(tmp_path / "huge.yml", Settings())
    assert read_yaml(write(tmp_path / "empty.yml", ""), Settings()) == Settings()


def test_saved_settings_read_back(tmp_path):
    settings = Settings(
        style_image=(str(tmp_path / "a.png"), "/elsewhere/b.png"),
        style_blend_weights=(1.0, 2.5),
        content_image=str(tmp_path / "in" / "c.jpg"),
        init="image",
        seed=42.0,
        output_image=str(tmp_path / "out.png"),
        multigpu_strategy=(3.0, 6.0),
    )
    text = to_yaml(settings, tmp_path)
    assert yaml.safe_load(text)["style_image"] == ["a.png", "/elsewhere/b.png"]
    assert read_yaml(write(tmp_path / "saved.yml", text), Settings()) == settings


@pytest.mark.parametrize(
    "letter", ["\x85", "\u2028", "\u2029", "\ufeff", "\x7f", "\U0001f600", "\t", "'", "#"]
)
def test_odd_letters_in_names_survive(tmp_path, monkeypatch, letter):
    monkeypatch.chdir(tmp_path)
    settings = Settings(content_image=f"a {letter} b.png")
    assert read_yaml(write(tmp_path / "odd.yml", to_yaml(settings, "")), Settings()).content_image.endswith(
        settings.content_image
    )


FAST = ROOT / "configs" / "fast"
CONFIGS = sorted(path for path in (ROOT / "configs").rglob("*.yml") if path.parent != FAST)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_bundled_configs_are_valid(path):
    for stage in read_config(path).stages:
        stage.settings.validate()
        assert stage.settings.notices() == []


def test_default_config_is_the_default(monkeypatch):
    monkeypatch.chdir(ROOT)
    path = ROOT / "configs" / "default.yml"
    assert read_yaml(path.relative_to(ROOT), Settings()) == Settings()
    assert list(yaml.safe_load(path.read_text())) == list(flags_of(Settings))


def test_default_config_of_the_fast_path(monkeypatch):
    monkeypatch.chdir(ROOT)
    path = FAST / "default.yml"
    assert read_yaml(path.relative_to(ROOT), TransformSettings()) == TransformSettings()
    assert list(yaml.safe_load(path.read_text())) == ["program", *flags_of(TransformSettings)]
