"""The gallery's rules: which configs make runs, and that it runs none twice."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.__main__ import main
from core.report.figures import figure_of
from core.stages.config import read_config
from tests.conftest import GOLDEN, ROOT

PICTURES = {
    "golden_gate.jpg": "photo.jpg",
    "starry_night_crop.png": "painting.png",
    "frida_kahlo.jpg": "photo.jpg",
}
CONFIGS = ("golden_gate_starry", "golden_gate_kahlo", "golden_gate_escher", "pitt_picasso_nin_opencl")


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """A clone with some gallery configs, and our own pictures under the names of the original's."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "Makefile", "Makefile")
    for folder in ("configs/gallery", "vgg_models", "inputs", "bin", ".venv"):
        Path(folder).mkdir(parents=True)
    for name in CONFIGS:
        shutil.copy(ROOT / "configs" / "gallery" / f"{name}.yml", "configs/gallery")
    shutil.copy(ROOT / "vgg_models" / "vgg19_small.caffemodel", "vgg_models")
    for name, source in PICTURES.items():
        shutil.copy(GOLDEN / "images" / source, f"inputs/{name}")
    for name in ("pyproject.toml", "requirements.lock", "requirements-builds.lock"):
        Path(name).touch()
    Path(".venv/ready").touch()
    for name, module in {"python": "", "nstyle": "-m cli"}.items():
        script = Path("bin", name)
        no_package = '[ "$1 $2" = "models add" ] && exit 1'
        script.write_text(f'#!/bin/sh\n{no_package}\nPYTHONPATH={ROOT} exec {sys.executable} {module} "$@"\n')
        script.chmod(0o755)
    return tmp_path


def make(*arguments, status=0):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    result = subprocess.run(
        ["make", "BIN=bin", *arguments], capture_output=True, text=True, env=environment, check=False
    )
    assert result.returncode == status, result.stdout + result.stderr
    return result.stdout + result.stderr


def made(text):
    """The configs that were run."""
    return sorted(
        line.split()[2].removeprefix("configs/gallery/").removesuffix(".yml")
        for line in text.splitlines()
        if line.startswith("bin/nstyle run")
    )


def times():
    return {path.name: path.stat().st_mtime_ns for path in Path("results/quick").glob("*.png")}


def test_a_picture_is_made_once_and_again_only_for_a_reason(clone):
    first = make("-j2", "gallery-quick")
    assert made(first) == ["golden_gate_kahlo", "golden_gate_starry"]
    assert "2 pictures in results/quick, made with vgg_models/vgg19_small.caffemodel" in first
    assert "another network is needed: golden_gate_escher pitt_picasso_nin_opencl" in first
    before = times()
    assert made(make("gallery-quick")) == []
    assert times() == before

    content = Path("results/quick/golden_gate_kahlo.png").read_bytes()
    Path("configs/gallery/golden_gate_kahlo.yml").touch()
    assert made(make("gallery-quick")) == ["golden_gate_kahlo"]
    assert Path("results/quick/golden_gate_kahlo.png").read_bytes() == content
    assert made(make("gallery-quick")) == []
    assert times()["golden_gate_starry.png"] == before["golden_gate_starry.png"]

    shutil.copy(GOLDEN / "images" / "painting2.jpg", "inputs/frida_kahlo.jpg")
    Path("inputs/frida_kahlo.jpg").touch()
    assert made(make("gallery-quick")) == ["golden_gate_kahlo"]
    assert Path("results/quick/golden_gate_kahlo.png").read_bytes() != content


def test_pictures_of_another_folder_are_other_pictures(clone):
    make("results/quick/golden_gate_kahlo.png")
    content = Path("results/quick/golden_gate_kahlo.png").read_bytes()
    shutil.copytree("inputs", "others", copy_function=shutil.copy2)
    shutil.copy(GOLDEN / "images" / "painting2.jpg", "others/frida_kahlo.jpg")
    for path in Path("others").iterdir():
        os.utime(path, (1e9, 1e9))  # older than the result
    again = make("results/quick/golden_gate_kahlo.png", "INPUTS=others")
    assert made(again) == ["golden_gate_kahlo"]
    assert Path("results/quick/golden_gate_kahlo.png").read_bytes() != content
    assert made(make("results/quick/golden_gate_kahlo.png", "INPUTS=others")) == []


def test_a_folder_of_pictures_may_have_blanks_in_its_name(clone):
    Path("inputs").rename("my pictures é")
    text = make("results/quick/golden_gate_kahlo.png", "INPUTS=my pictures é")
    assert made(text) == ["golden_gate_kahlo"]
    assert made(make("results/quick/golden_gate_kahlo.png", "INPUTS=my pictures é")) == []
    assert "report/index.html: 1 run" in make("report", "INPUTS=my pictures é")


@pytest.mark.parametrize(
    "there, flags",
    [
        ((), "configs/demo_small.yml "),
        (
            ("vgg19_8bit",),
            "configs/demo.yml -model_file vgg_models/vgg19_8bit.caffemodel",
        ),
        (
            ("vgg19_8bit", "VGG_ILSVRC_19_layers"),
            "configs/demo.yml -model_file vgg_models/VGG_ILSVRC_19_layers.caffemodel",
        ),
    ],
)
def test_the_demo_takes_the_best_weights_that_are_here(clone, there, flags):
    for name in there:
        Path("vgg_models", f"{name}.caffemodel").touch()
    planned = make("-n", "demo")
    assert f"bin/neural_style -config {flags}" in planned
    assert ("nstyle models add vgg19_8bit" in planned) == (not there)


def test_figures_and_the_quick_gallery_take_the_8bit_copy(clone):
    Path("vgg_models/vgg19_8bit.caffemodel").touch()
    shutil.copytree(ROOT / "configs" / "figures", "configs/figures")
    quick = make("-n", "gallery-quick")
    assert "--at-most image_size=192 --at-most num_iterations=80 --set init=image" in quick
    assert "--set model_file=vgg_models/vgg19_8bit.caffemodel" in quick
    figures = make("-n", "figures")
    assert figures.count("--set model_file=vgg_models/vgg19_8bit.caffemodel") == 3


def test_without_a_package_for_the_8bit_copy_the_small_network_is_named(clone):
    said = make("vgg_models/vgg19_8bit.caffemodel")
    assert "So the small network is used: vgg_models/vgg19_small.caffemodel" in said


def test_a_report_needs_no_folder_of_inputs(clone):
    make("results/quick/golden_gate_kahlo.png", "INPUTS=inputs")
    Path("inputs").rename("away")
    assert "report/index.html: 1 run" in make("report")


def test_a_figure_is_of_pictures(clone):
    Path("train.yml").write_text("{program: train_fast_neural_style, style_image: a.png}")
    Path("folder.yml").write_text("{program: fast_neural_style, input_dir: a, output_dir: b}")
    for name in ("train.yml", "folder.yml"):
        shown = CliRunner().invoke(main, ["figure", name, "-o", "x.png"])
        assert shown.exit_code == 1
        assert shown.output == f"nstyle figure: {name}: a figure needs runs that make one picture each\n"


def test_the_whole_gallery_asks_for_weights_and_pictures_first(clone):
    planned = make("-n", "results/golden_gate_escher.png")
    commands = [line for line in planned.splitlines() if line.startswith("bin/")]
    assert sorted(commands[:2]) == [
        "bin/nstyle inputs fetch escher_sphere",
        "bin/nstyle models fetch vgg19",
    ]
    assert commands[2].startswith("bin/nstyle run configs/gallery/golden_gate_escher.yml")
    missing = make("-n", "results/golden_gate_escher.png", "INPUTS=elsewhere", status=2)
    assert "No rule to make target 'elsewhere/escher_sphere.jpg'" in missing
    assert len(make("-n", "gallery").split("nstyle run ")) == 1 + len(CONFIGS)


def test_the_figures_are_laid_out_as_in_the_papers():
    figures = {path.stem: read_config(path) for path in sorted((ROOT / "configs" / "figures").glob("*.yml"))}
    assert list(figures) == ["initialisations", "layers", "tradeoff"]
    row = figure_of(figures["tradeoff"], figures["tradeoff"].stages)
    assert (row.rows, row.columns) == (("",), ("content_weight 1", "20", "200", "2000"))
    grid = figure_of(figures["layers"], figures["layers"].stages)
    assert grid.rows[0] == "style_layers relu1_1"
    assert grid.rows[4] == "relu1_1 to relu5_1"
    assert grid.columns == ("content_layers relu2_2", "relu4_2")
    for row, label in zip(grid.cells, grid.rows, strict=True):
        assert {stage.settings.style_layers[-1] for stage in row} == {label[-7:]}
        assert [stage.settings.content_layers for stage in row] == [("relu2_2",), ("relu4_2",)]
    assert figure_of(figures["initialisations"], figures["initialisations"].stages).columns[:2] == (
        *("content image", "style image"),
    )
