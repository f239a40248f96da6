"""Configs with several runs: their settings, their errors, and the dependencies between stages."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from cli.nstyle.run_config import stages_of
from core.errors import SettingsError
from core.settings.fast_neural_style import TransformSettings
from core.settings.neural_style import Settings
from core.settings.yaml_files import read_yaml
from core.stages.changes import at_most, parsed, relocated
from core.stages.config import read_config
from core.stages.files import numbered_outputs
from core.stages.graph import dependencies, selected
from core.stages.schema import config_schema
from tests.conftest import ROOT

SCALES = """
defaults:
  content_image: in/photo.jpg
  style_weight: 500
  save_iter: 0
stages:
  small: {image_size: 64, output_image: small.png}
  medium:
    image_size: 128
    style_weight: 1e2
    init: image
    init_image: small.png
    output_image: medium.png
  alone: {output_image: alone.png}
"""


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(text, name="run.yml"):
        Path(name).write_text(text)
        return Path(name)

    return write


def test_one_run_is_one_stage(config):
    read = read_config(config("style_weight: 7\ncontent_image: a.jpg\n"))
    (stage,) = read.stages
    assert (stage.name, stage.program, stage.values) == ("run", "neural_style", ())
    assert stage.settings == Settings(style_weight=7.0, content_image="a.jpg")


def test_stages_have_the_defaults_and_their_own_flags(config):
    small, medium, alone = read_config(config(SCALES)).stages
    assert [stage.name for stage in (small, medium, alone)] == ["small", "medium", "alone"]
    common = Settings(content_image="in/photo.jpg", style_weight=500.0, save_iter=0.0)
    assert small.settings == common.replace(image_size=64.0, output_image="small.png")
    assert medium.settings == common.replace(
        image_size=128.0, style_weight=100.0, init="image", init_image="small.png", output_image="medium.png"
    )
    assert alone.settings == common.replace(output_image="alone.png")


def test_paths_are_relative_to_the_file(config, tmp_path):
    (tmp_path / "configs").mkdir()
    small, medium, _ = read_config(config(SCALES, "configs/run.yml")).stages
    assert small.settings.content_image == "configs/in/photo.jpg"
    assert medium.settings.init_image == small.settings.output_image == "configs/small.png"


def test_the_program_decides_which_flags_there_are(config):
    read = read_config(config("program: fast_neural_style\nmedian_filter: 0\n"))
    assert read.stages[0].settings == TransformSettings(median_filter=0.0)
    assert read_yaml("run.yml", TransformSettings()) == TransformSettings(median_filter=0.0)
    with pytest.raises(SettingsError, match=r"is a config of fast_neural_style; run it with: nstyle"):
        read_yaml("run.yml", Settings())


@pytest.mark.parametrize("section", ["stages: {a: {seed: 1}}", "vary: {seed: [1]}"])
def test_the_drop_ins_take_single_runs(config, section):
    with pytest.raises(SettingsError, match="means several runs; run it with: nstyle run"):
        read_yaml(config(section), Settings())


def test_a_grid_is_every_combination_with_outputs_of_its_own(config):
    text = """
    content_image: photo.jpg
    output_image: out/p.png
    vary:
      style_weight: [10, 1e3]
      style_image: [art/a.jpg, [art/b.jpg, c d.jpg]]
    """
    read = read_config(config(text))
    assert [stage.settings.output_image for stage in read.stages] == [
        "out/p_style_weight-10_style_image-a.png",
        "out/p_style_weight-10_style_image-b-c_d.png",
        "out/p_style_weight-1000_style_image-a.png",
        "out/p_style_weight-1000_style_image-b-c_d.png",
    ]
    assert [stage.settings.style_weight for stage in read.stages] == [10, 10, 1000, 1000]
    assert read.stages[3].settings.style_image == ("art/b.jpg", "c d.jpg")
    assert read.stages[3].values == (("style_weight", 1000.0), ("style_image", ("art/b.jpg", "c d.jpg")))
    assert {stage.base for stage in read.stages} == {"run"}
    assert len({stage.name for stage in read.stages}) == 4


def test_a_grid_of_stages_keeps_each_chain_together(config):
    read = read_config(config(SCALES + "vary: {seed: [1, 2]}\n"))
    assert len(read.stages) == 6
    needed = dependencies(read)
    assert needed["medium_seed-2"] == ("small_seed-2",)
    medium = next(stage for stage in read.stages if stage.name == "medium_seed-2")
    assert medium.settings.init_image == "small_seed-2.png"
    assert medium.settings.content_image == "in/photo.jpg"


def test_what_feeds_what(config):
    read = read_config(config(SCALES))
    needed = dependencies(read)
    assert needed == {"small": (), "medium": ("small",), "alone": ()}
    assert [stage.name for stage in selected(read, needed, ["medium"])] == ["small", "medium"]
    assert [stage.name for stage in selected(read, needed, [])] == ["small", "medium", "alone"]
    with pytest.raises(SettingsError, match="no stage 'mediun'; did you mean medium"):
        selected(read, needed, ["mediun"])


def test_pictures_in_between_feed_too(config):
    read = read_config(
        config("stages: {a: {output_image: a.png, save_iter: 400}, b: {content_image: ./a_800.png}}")
    )
    assert numbered_outputs(read.stages[0].settings) == ["./a_400.png", "./a_800.png"]
    assert dependencies(read)["b"] == ("a",)


@pytest.mark.parametrize(
    "text, said",
    [
        ("stages: {a: {seed: 1}, a: {seed: 2}}", "line 1: stage 'a' is given twice"),
        (
            "stages: {a: {seed: 1}}\nseed: 2",
            "line 2: 'seed' is on one level with 'stages:'; move it into 'defaults:'",
        ),
        (
            "stages: {a: {seed: 1}}\ndefault: {}",
            "'default' is on one level with 'stages:'; did you mean defaults?",
        ),
        ("defaults: {seed: 1}", "'defaults:' needs 'stages:'"),
        ("stages: {}", "'stages:' is empty"),
        ("stages: [a, b]", "line 1: 'stages:' should contain lines of the form 'name: value'"),
        ("stages:\n  a: 7", "line 2: 'a:' should contain lines"),
        ("stages:\n  a:\n    sead: 7", "line 3: unknown key 'sead'; did you mean seed?"),
        ("stages:\n  a:\n    seed: x", "line 3: seed should be a number, not x"),
        ("program: neural_stile", "line 1: unknown program 'neural_stile'; it is one of neural_style"),
        ("vary: {seed: 1}", "seed should be a list of values to vary over"),
        ("vary: {seed: []}", "seed should be a list of values to vary over"),
        ("vary: {seed: [1, x]}", "seed should be a number, not x"),
        ("vary: {seed: [1, 1.0]}", "seed has the same value twice"),
        ("vary: {sead: [1]}", "unknown key 'sead'; did you mean seed?"),
        ("seed: 1\nvary: {seed: [1]}", "seed is in 'vary:' and also set for 'run'"),
        ("vary: {seed: [1]}\nvary: {seed: [1]}", "line 2: 'vary' is given twice"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(config, text, said):
    with pytest.raises(SettingsError) as raised:
        read_config(config(text))
    assert said in str(raised.value)
    assert str(raised.value).startswith("run.yml")


@pytest.mark.parametrize(
    "text, said",
    [
        ("stages: {a: {seed: 1}, b: {seed: 2}}", "'a' and 'b' both write out.png"),
        (
            "stages: {a: {init_image: b.png, output_image: a.png}, b: {output_image: b.png}}",
            r"'a' reads the output of 'b'; move 'b' before it \(without a cycle\)",
        ),
        ("content_image: out.png", "'run' reads its own output; give its result another name"),
    ],
)
def test_impossible_orders_are_refused(config, text, said):
    with pytest.raises(SettingsError, match=said):
        dependencies(read_config(config(text)))


def test_changes_from_outside(config):
    read = read_config(config(SCALES), parsed(["style_weight=3", "-seed=4"], "--set", Settings))
    assert [stage.settings.style_weight for stage in read.stages] == [3, 3, 3]
    stages = at_most(read.stages, parsed(["image_size=100"], "--at-most", Settings))
    assert [stage.settings.image_size for stage in stages] == [64, 100, 100]
    small, medium, _ = relocated(stages, "inputs", "results")
    assert small.settings.content_image == "inputs/photo.jpg"
    assert small.settings.output_image == medium.settings.init_image == "results/small.png"
    assert small.settings.model_file == Settings().model_file
    for words, said in (
        (["seed"], "should be FLAG=VALUE"),
        (["sead=1"], "unknown flag 'sead'; did you mean seed"),
        (["seed=x"], "should be a number"),
        (["normalize_gradients=1"], "should be true or false"),
    ):
        with pytest.raises(SettingsError, match=said):
            parsed(words, "--set", Settings)
    with pytest.raises(SettingsError, match="-init is not a number"):
        at_most(read.stages, parsed(["init=image"], "--at-most", Settings))


def test_the_published_schema_is_current():
    assert json.loads((ROOT / "docs" / "config.schema.json").read_text()) == config_schema()


def test_the_schema_takes_what_we_take_and_refuses_what_we_refuse(config):
    schema = config_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    for path in sorted((ROOT / "configs").rglob("*.yml")):
        content = yaml.safe_load(path.read_text())
        assert validator.is_valid(content), path
        read_config(path)
    for text in (SCALES, "vary: {seed: [1, 2], style_layers: [relu1_1, [relu1_1, relu2_1]]}", "seed: 1e-3"):
        assert validator.is_valid(yaml.safe_load(text))
        read_config(config(text))
    for text in ("sead: 1", "seed: x", "stages: {a: {seed: 1}}\nseed: 2", "vary: {seed: 1}", "init: none"):
        assert not validator.is_valid(yaml.safe_load(text))


@pytest.mark.parametrize(
    "text, said",
    [
        ("num_iterations: .nan", "-num_iterations nan: must be a finite number"),
        ("num_iterations: .inf", "-num_iterations inf: must be a finite number"),
        ("save_iter: .inf", None),
        ("num_iterations: 1e+13", "makes more than 100,000 intermediate images; -save_iter 0 makes none"),
        ("{program: slow_neural_style, num_iterations: .inf}", "-num_iterations: must be a finite number"),
        ("{program: slow_neural_style, save_every: .inf}", "-save_every: must be a finite number"),
        (
            "{program: slow_neural_style, num_iterations: 1e+13}",
            "intermediate images; -save_every 0 makes none",
        ),
        (
            f"vary: {{seed: {list(range(101))}, content_weight: {list(range(100))}}}",
            "run.yml: 'vary:' makes 10,100 runs, more than 10,000; vary fewer flags",
        ),
        (
            "vary: {content_image: [a/x.png, b/x.jpg]}",
            "'vary:' gives two runs the name 'run_content_image-x', so one would overwrite the other",
        ),
    ],
)
def test_numbers_and_names_with_which_nothing_can_run(config, text, said):
    if said is None:
        stages_of(config(text))
        return
    with pytest.raises(SettingsError) as raised:
        stages_of(config(text))
    assert said in str(raised.value)
