"""What ``make demo`` runs, at a small size: with the VGG-19 in eight bits, and without."""

from pathlib import Path

import pytest
from PIL import Image

from cli.neural_style import main
from core.errors import RegistryError
from core.models.registry import find_model_file
from core.records.records import read_record
from core.settings.neural_style import Settings
from core.settings.yaml_files import read_yaml
from tests.conftest import ROOT


def run(config, folder):
    target = folder / "demo.png"
    flags = ["-image_size", "48", "-num_iterations", "3", "-output_image", str(target)]
    assert (
        main(["-config", str(ROOT / "configs" / config), *flags, "-plot_losses", str(folder / "plot.png")])
        == 0
    )
    assert (folder / "plot.png").stat().st_size > 10_000
    return target, read_record(target)


def test_with_the_vgg19_in_eight_bits(tmp_path):
    try:
        find_model_file("vgg19_8bit")
    except RegistryError as error:
        pytest.skip(str(error))
    picture, record = run("demo.yml", tmp_path)
    with Image.open(picture) as opened:
        assert opened.size == (48, 31)
    assert Path(record["inputs"]["model_file"][0]["file"]).name == "vgg19_8bit.caffemodel"
    first, *_, last = map(float, record["trace"])
    assert last < first


def test_without_it(tmp_path):
    picture, record = run("demo_small.yml", tmp_path)
    with Image.open(picture) as opened:
        assert opened.size == (48, 32)
    assert Path(record["inputs"]["model_file"][0]["file"]).name == "vgg19_small.caffemodel"


@pytest.mark.parametrize("config", ["demo.yml", "demo_small.yml"])
def test_both_make_the_same_file_large_enough_to_look_at(config):
    settings = read_yaml(ROOT / "configs" / config, Settings())
    assert Path(settings.output_image) == ROOT / "out" / "demo.png"
    assert settings.image_size == 384
