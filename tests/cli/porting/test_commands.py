"""nstyle port: old scripts give configs with the same settings, or errors with a line number."""

import os
import shlex
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cli.__main__ import main
from cli.nstyle.to_lua import lua_words
from core.errors import SettingsError
from core.settings.fast_neural_style import CHOICES as FAST_CHOICES
from core.settings.flags import flags_of
from core.settings.neural_style import CHOICES, Settings
from core.settings.programs import PROGRAMS
from core.settings.slow_neural_style import SLOW_CHOICES
from core.settings.training import TRAIN_CHOICES
from core.settings.yaml_files import read_yaml
from core.stages.config import read_config
from core.stages.graph import dependencies
from tests.cli.nstyle.test_to_lua import values_of
from tests.conftest import ROOT

PORTS = ROOT / "tests" / "cli" / "porting" / "ports"
KNOWN = {
    "neural_style": CHOICES,
    "fast_neural_style": FAST_CHOICES,
    "slow_neural_style": SLOW_CHOICES,
    "train_fast_neural_style": TRAIN_CHOICES,
}
START = "th neural_style.lua -gpu -1 "


def run(*arguments):
    return CliRunner().invoke(main, ["port", *map(str, arguments)])


def port(tmp_path, text, *more, name="run.sh"):
    """The result of the command, and the configs by name."""
    (tmp_path / name).write_text(text)
    outcome = run(tmp_path / name, "-o", tmp_path, *more)
    assert outcome.exception is None or isinstance(outcome.exception, SystemExit)
    return outcome, {path.stem: yaml.safe_load(path.read_text()) for path in sorted(tmp_path.glob("*.yml"))}


def ported(tmp_path, text, *more, name="run.sh"):
    outcome, configs = port(tmp_path, text, *more, name=name)
    assert outcome.exit_code == 0, outcome.stderr
    return configs


def messages(tmp_path, text, *more, name="run.sh"):
    outcome, configs = port(tmp_path, text, *more, name=name)
    assert (outcome.exit_code, configs) == (1, {})
    lines = outcome.stderr.replace(str(tmp_path), "").splitlines()
    return [line.removeprefix("nstyle port: /run.sh, ") for line in lines[:-1]] or lines


def strategy(program):
    """Random configs with flags of the original and values that it accepts."""
    items = [item for item in flags_of(PROGRAMS[program].settings).values() if not item.metadata["ours"]]
    values = {item.name: values_of(item) for item in items}
    values |= {name: st.sampled_from(known) for name, known in KNOWN[program].items() if name in values}
    return st.fixed_dictionaries({}, optional=values)


def is_valid(config):
    try:
        config.validate()
    except SettingsError:
        return False
    return True


def normal(config):
    """File names, normalised."""
    changes = {}
    for name, item in flags_of(type(config)).items():
        value = getattr(config, name)
        if item.metadata["path"] and value != item.default:
            names = value if isinstance(value, tuple) else (value,)
            names = tuple(os.path.normpath(part) if part else part for part in names)
            changes[name] = names if isinstance(value, tuple) else names[0]
    return config.replace(**changes)


@pytest.mark.parametrize("program", list(PROGRAMS))
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_command_becomes_its_config(program, data, tmp_path_factory):
    default = PROGRAMS[program].settings()
    changes = data.draw(strategy(program))
    config = default.replace(
        **{key: value for key, value in changes.items() if is_valid(default.replace(**{key: value}))}
    )
    words, _ = lua_words(config)
    assume(is_valid(config) and not any("\0" in word for word in words))
    folder = tmp_path_factory.mktemp("port")
    (folder / "run.sh").write_text(shlex.join(["th", PROGRAMS[program].lua, *words]) + "\n", newline="")
    before = Path.cwd()
    os.chdir(folder)
    try:
        outcome = run("run.sh")
        assert outcome.exit_code == 0, outcome.output
        assert normal(read_yaml("run.yml", default)) == normal(config)
    finally:
        os.chdir(before)


def test_starry_stanford(tmp_path):
    outcome = run(PORTS / "starry_stanford.sh", "--base", tmp_path / ".", "-o", tmp_path / "configs")
    assert outcome.exit_code == 0, outcome.stderr
    assert outcome.stdout == f"{tmp_path / 'configs' / 'starry_stanford.yml'}: 5 commands\n"
    assert outcome.stderr == ""
    image = {"init": "image", "init_image": "../out1.png"}
    assert yaml.safe_load((tmp_path / "configs" / "starry_stanford.yml").read_text()) == {
        "defaults": {
            "content_image": "../examples/inputs/hoovertowernight.jpg",
            "style_image": "../starry_night_gigapixel.jpg",
            "style_scale": 1,
            "style_weight": 500,
            "tv_weight": 0,
            "print_iter": 1,
            "backend": "cudnn",
        },
        "stages": {
            "out1": stage(256, 1000, 1, cudnn_autotune=True) | {"init": "random"},
            "out2": stage(512, 500, 2, cudnn_autotune=True) | image,
            "out3": stage(1024, 200, 3, cudnn_autotune=True) | image | {"init_image": "../out2.png"},
            "out4": stage(2048, 100, 4, gpu="0,1") | image | {"init_image": "../out3.png"},
            "out5": stage(3620, 50, 5, gpu="0,1,2,3", save_iter=25)
            | {"init": "image", "init_image": "../out4.png"}
            | {"lbfgs_num_correction": 5, "multigpu_strategy": [3, 6, 12]},
        },
    }


def test_ported_stages_are_runs_that_feed_each_other(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(PORTS / "starry_stanford.sh", "--base", ".", "-o", "configs").exit_code == 0
    config = read_config("configs/starry_stanford.yml")
    assert dependencies(config) == {"out1": ()} | {f"out{n}": (f"out{n - 1}",) for n in range(2, 6)}
    assert config.stages[4].settings == Settings(
        content_image="examples/inputs/hoovertowernight.jpg",
        style_image=("starry_night_gigapixel.jpg",),
        style_weight=500.0,
        tv_weight=0.0,
        print_iter=1.0,
        backend="cudnn",
        image_size=3620.0,
        num_iterations=50.0,
        output_image="out5.png",
        gpu="0,1,2,3",
        save_iter=25.0,
        init="image",
        init_image="out4.png",
        lbfgs_num_correction=5.0,
        multigpu_strategy=(3.0, 6.0, 12.0),
    )


def stage(size, iterations, number, **more):
    output = f"../out{number}.png"
    return {"image_size": size, "num_iterations": iterations, "output_image": output, **more}


def test_comments_and_remarks(tmp_path):
    text = (
        "#\nCUDA_VISIBLE_DEVICES=1 th neural_style.lua -gpu -1 -backend cudnn \\\n  -seed 1 | tee log\nls\n"
    )
    outcome, _ = port(tmp_path, text)
    remarks = [
        "'CUDA_VISIBLE_DEVICES=1' is left out; set it where the config is run",
        "the pipe with 'tee log' is left out",
        "-backend cudnn: treated as nn on the CPU, as in the original",
    ]
    told = outcome.stderr.replace(f"nstyle port: {tmp_path / 'run.sh'}, ", "").splitlines()
    assert told == ["line 4: 'ls' is not ported", *(f"line 2: {remark}" for remark in remarks)]
    assert (tmp_path / "run.yml").read_text().splitlines() == [
        "# ported from run.sh, line 2",
        "# th neural_style.lua -gpu -1 -backend cudnn -seed 1",
        *(f"# {remark}" for remark in remarks),
        "gpu: '-1'",
        "backend: cudnn",
        "seed: 1",
    ]


def test_loops(tmp_path):
    outcome = run(PORTS / "loops.sh", "--base", tmp_path, "-o", tmp_path)
    assert outcome.stdout.splitlines() == [
        f"{tmp_path}/loops_{name}.yml: 1 command"
        for name in ("candy_1e2", "candy_0.5", "waves_1e2", "waves_0.5")
    ]
    config = yaml.safe_load((tmp_path / "loops_waves_0.5.yml").read_text())
    assert (config["style_image"], config["style_weight"]) == ("styles/waves.jpg", 0.5)
    assert config["output_image"] == "results/waves_0.5.png"
    assert "line 16: 'montage' is not ported" in outcome.stderr


def test_an_output_that_is_written_twice(tmp_path):
    (tmp_path / "photos").mkdir()
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / "photos" / name).touch()
    outcome = run(PORTS / "pairs.sh", "--base", tmp_path, "-o", tmp_path)
    assert outcome.exit_code == 0, outcome.stderr
    assert "line 5: photos/a.png is written again by a later stage" in outcome.stderr
    assert yaml.safe_load((tmp_path / "pairs_b.yml").read_text()) == {
        "defaults": {"content_image": "photos/b.jpg"},
        "stages": {
            "b_stage1": {"image_size": 200, "output_image": "photos/b_stage1.png"},
            "b": {
                "init": "image",
                "init_image": "photos/b_stage1_500.png",
                "output_image": "photos/b.png",
            },
        },
    }


def test_markdown(tmp_path):
    outcome = run(PORTS / "readme.md", "--base", tmp_path, "-o", tmp_path)
    assert (outcome.exit_code, outcome.stderr) == (0, "")
    configs = [yaml.safe_load((tmp_path / f"readme_{number}.yml").read_text()) for number in (1, 2, 3)]
    assert configs == [
        {
            "style_image": "waves.jpg",
            "content_image": "lake.jpg",
            "gpu": "-1",
            "output_image": "lake_waves.png",
        },
        {
            "program": "fast_neural_style",
            "model": "waves.t7",
            "input_image": "lake.jpg",
            "output_image": "fast.png",
        },
        {"program": "slow_neural_style", "output_image": "slow.png"},
    ]
    assert (tmp_path / "readme_2.yml").read_text().startswith("# ported from readme.md, line 18\n")
    assert (tmp_path / "readme_3.yml").read_text().startswith("# ported from readme.md, line 23\n")


def test_prose(tmp_path):
    outcome = run(PORTS / "notes.txt", "--base", tmp_path, "-o", tmp_path)
    assert (outcome.exit_code, outcome.stderr) == (0, "")
    config = yaml.safe_load((tmp_path / "notes_1.yml").read_text())
    assert config == {"style_image": "night sky.jpg", "content_image": "anna.jpg", "output_image": "anna.png"}
    assert yaml.safe_load((tmp_path / "notes_2.yml").read_text())["image_size"] == 700


def test_definitions(tmp_path):
    text = (
        'SIZE=${2:-300}\nfor f in "$1"; do th neural_style.lua -content_image "$f" -image_size $SIZE; done\n'
    )
    configs = ported(tmp_path, text, "--define", "1=a b.jpg")
    assert configs == {"run": {"content_image": "a b.jpg", "image_size": 300}}
    configs = ported(tmp_path, text, "--define", "1=a.jpg", "--define", "2=99", "--force")
    assert configs == {"run": {"content_image": "a.jpg", "image_size": 99}}
