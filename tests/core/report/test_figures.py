"""Figures: what stands where, and which weights are named below."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.errors import ImageError
from core.pictures.images import save_image
from core.report.figures import contact_sheet, figure_of, save_figure
from core.stages.config import read_config


@pytest.fixture
def config(tmp_path, monkeypatch):
    """Four results, each of one grey, with the least that a record holds."""
    monkeypatch.chdir(tmp_path)
    Path("grid.yml").write_text("{output_image: out.png, vary: {style_weight: [1, 2], style_scale: [1, 2]}}")
    found = read_config("grid.yml")
    for number, stage in enumerate(found.stages):
        save_image(stage.settings.output_image, np.full((3, 20, 30), number / 4))
        record(stage, "vgg_models/vgg19_8bit.caffemodel")
    return found


def record(stage, weights):
    content = {"format": 1, "program": "neural_style", "version": "1", "settings": {}, "environment": {}}
    inputs = {"model_file": [{"file": weights, "sha256": "0"}]}
    Path(f"{stage.settings.output_image}.json").write_text(json.dumps({**content, "inputs": inputs}))


def greys(path):
    """The grey levels of the four results that the figure at ``path`` shows, with their mean places."""
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    found = {}
    for number in range(4):
        level = int(number / 4 * 255)
        rows, columns = np.nonzero((abs(pixels - level) <= 1).all(axis=2))
        found[number] = (rows.mean() / len(pixels), columns.mean() / pixels.shape[1])
    return found


def test_a_sheet_has_every_result_at_its_place(config):
    captions = [f"{number}: flags" for number in range(4)]
    sheet = contact_sheet(config.stages, captions, 2)
    assert sheet.captions == (("0: flags", "1: flags"), ("2: flags", "3: flags"))
    long = contact_sheet(
        config.stages, ["4: -style_weight 100 -style_scale 1 -content_layers relu4_2"] * 4, 2
    )
    assert long.captions[0][0] == "4: -style_weight 100 -style_scale 1\n-content_layers relu4_2"
    assert (sheet.rows, sheet.columns) == (("", ""), ("", ""))
    save_figure(Path("sheet.png"), sheet)
    for number, (row, column) in greys("sheet.png").items():
        assert (row > 0.5, column > 0.5) == (number >= 2, number % 2 == 1)


def test_the_weights_are_named_below(config):
    save_figure(Path("a.png"), figure_of(config, config.stages))
    save_figure(Path("again.png"), figure_of(config, config.stages))
    assert Path("a.png").read_bytes() == Path("again.png").read_bytes()
    record(config.stages[3], "elsewhere/VGG_ILSVRC_19_layers.caffemodel")
    save_figure(Path("b.png"), figure_of(config, config.stages))
    assert Path("a.png").read_bytes() != Path("b.png").read_bytes()
    Path(f"{config.stages[3].settings.output_image}.json").unlink()
    with pytest.raises(ImageError, match=r"style_scale-2\.png: contains no record"):
        save_figure(Path("c.png"), figure_of(config, config.stages))
    assert not Path("c.png").exists()
