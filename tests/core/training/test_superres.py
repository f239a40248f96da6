"""Super-resolution: histogram matching, luma, PSNR and SSIM compared with bicubic, the presets."""

import csv
import math
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from skimage.exposure import match_histograms as reference_histograms
from skimage.metrics import structural_similarity

from cli.__main__ import main
from cli.fast_neural_style import main as fast_neural_style
from core.errors import TransformError
from core.settings.fast_neural_style import TransformSettings
from core.stages.config import read_config
from core.training.data.pieces import low_resolution
from core.training.superres import Evaluation, luma
from core.transform.histogram import match_histograms
from core.transform.networks.architecture import Architecture, build
from core.transform.networks.geometry import output_side
from core.transform.open_model import open_model
from core.transform.pixels import FORMATS, NetworkFormat
from tests.conftest import ROOT
from tests.support.picture_folders import pixels, write_pictures
from tests.support.transform_models import SMALL, write_network

PRESETS = sorted((ROOT / "configs" / "fast").glob("train_*.yml"))
ENLARGING = Architecture("c3s1-4,u4,u4,c3s1-3", normalisation="batch", padding_type="zero")


def test_histograms_as_scikit_image():
    random = np.random.default_rng(0)
    picture = random.normal(0.5, 0.4, (3, 24, 20))
    reference = np.round(random.random((3, 6, 5)) ** 2 * 255) / 255
    matched = match_histograms(picture, reference)
    np.testing.assert_allclose(matched, reference_histograms(picture, reference, channel_axis=0), atol=1e-12)


def test_histograms_of_a_picture_with_itself_and_of_one_value():
    picture = np.round(np.random.default_rng(1).random((3, 9, 9)) * 15) / 15
    np.testing.assert_array_equal(match_histograms(picture, picture), picture)
    flat = np.full((3, 4, 4), 0.25)
    np.testing.assert_array_equal(match_histograms(picture, flat), np.full((3, 9, 9), 0.25))


def test_histograms_bring_brightness_and_contrast_back():
    values = pixels(0, 64, 64).transpose(2, 0, 1) / 255
    small = values[:, ::4, ::4]
    matched = match_histograms(values * 0.5 + 0.4, small)
    assert np.abs(matched - values).mean() < 0.01
    np.testing.assert_allclose(matched.mean(axis=(1, 2)), small.mean(axis=(1, 2)), atol=0.01)


def test_luma():
    colours = np.array([[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255]], np.uint8)
    found = luma(colours.T.reshape(3, 1, 5))
    np.testing.assert_allclose(found[0], [16, 235, 81.481, 144.553, 40.966], atol=1e-9)


class Enlarger:
    """A network with vgg preprocessing that repeats pixels and changes the contrast."""

    description = "repeats"

    def __init__(self, factor=4, contrast=1.0, size=None):
        vgg = FORMATS["vgg"]
        self.format = NetworkFormat(vgg, vgg, size=size)
        self.factor, self.contrast = factor, contrast

    def run(self, batch):
        return np.repeat(np.repeat(batch, self.factor, 2), self.factor, 3) * np.float32(self.contrast)


def test_fast_neural_style_matches_as_the_evaluation(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_network("sr.safetensors", ENLARGING)
    low = pixels(3, 20, 24)
    Image.fromarray(low).save("low.png")
    files = ["-model", "sr.safetensors", "-input_image", "low.png"]
    words = [*files, "-image_size", "0", "-median_filter", "0", "-output_image"]
    assert fast_neural_style([*words, "plain.png"]) == 0
    assert fast_neural_style([*words, "matched.png", "-match_histogram", "1"]) == 0
    runner = open_model(TransformSettings(model="sr.safetensors")).runner
    expected = Evaluation(runner, 4, 0).enlarged(low.transpose(2, 0, 1)).astype(int)
    matched, plain = (
        np.asarray(Image.open(f"{name}.png")).transpose(2, 0, 1) for name in ("matched", "plain")
    )
    assert set(np.unique(expected - matched)) <= {0, 1}  # the program truncates, the evaluation rounds
    np.testing.assert_allclose(matched.mean((1, 2)), low.mean((0, 1)), atol=2)
    assert np.abs(plain.mean((1, 2)) - low.mean((0, 1))).max() > 10
    shown = CliRunner().invoke(main, ["reproduce", "matched.png"])
    assert shown.output == "identical: every pixel\n"


@pytest.fixture
def picture(tmp_path):
    """A picture of 41 x 50 pixels; the largest multiple of 4 inside is 40 x 48."""
    return write_pictures(tmp_path / "set", 1, height=41, width=50) / "00.png"


@pytest.mark.parametrize("border", [0, 4])
def test_measures(picture, border):
    original = pixels(0, 41, 50)[:40, :48].transpose(2, 0, 1)
    low = low_resolution(original, 4)
    repeated = low.repeat(4, 1).repeat(4, 2)
    filtered = np.stack(
        [
            np.asarray(Image.fromarray(plane.astype(np.float32)).resize((48, 40), Image.Resampling.BICUBIC))
            for plane in low
        ]
    )
    found = Evaluation(Enlarger(), 4, border, histogram=False).measure(picture)
    inner = (slice(border, 40 - border), slice(border, 48 - border))
    for quality, made in ((found.network, repeated), (found.bicubic, np.rint(filtered.clip(0, 255)))):
        a, b = (luma(values)[inner] for values in (original, made))
        assert quality.psnr == pytest.approx(10 * math.log10(255**2 / np.mean((a - b) ** 2)), abs=1e-9)
        expected = structural_similarity(
            a, b, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
        assert quality.ssim == pytest.approx(expected, abs=1e-12)
    assert found.bicubic.psnr > found.network.psnr


def test_histogram_matching_repairs_a_wrong_contrast(tmp_path):
    path = write_pictures(tmp_path, 1, height=164, width=200) / "00.png"
    right = Evaluation(Enlarger(), 4, 4, False).measure(path)
    plain, matched = (
        Evaluation(Enlarger(contrast=0.7), 4, 4, histogram).measure(path) for histogram in (False, True)
    )
    assert plain.network.psnr < right.network.psnr - 10
    assert matched.network == pytest.approx(right.network, abs=1e-9)
    assert matched.bicubic == plain.bicubic == right.bicubic


@pytest.mark.parametrize(
    ("runner", "sentence"),
    [
        (Enlarger(1), "enlarges 12x10 pixels to 12x10, not by the factor 4"),
        (Enlarger(8), "enlarges 12x10 pixels to 96x80, not by the factor 4"),
        (Enlarger(4, size=(72, 72)), "takes 72x72 pixels only, not 12x10"),
    ],
)
def test_networks_that_do_not_enlarge_so(picture, runner, sentence):
    with pytest.raises(TransformError, match=sentence) as caught:
        Evaluation(runner, 4, 0).measure(picture)
    assert str(picture) in str(caught.value)


def evaluate(*words, status=0):
    outcome = CliRunner().invoke(main, ["evaluate-sr", *map(str, words)])
    assert outcome.exit_code == status, outcome.output
    return outcome


def test_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = write_pictures(tmp_path / "set", 2, height=64, width=48)
    (folder / "bad.jpg").write_bytes(b"")
    Image.fromarray(pixels(0, 15, 60)).save(folder / "small.png")
    write_network(tmp_path / "sr.safetensors", ENLARGING)
    outcome = evaluate("sr.safetensors", "set", "--factor", 4, "--csv", "out.csv")
    lines = [re.split("  +", line) for line in outcome.stdout.splitlines()]
    assert lines[0] == ["", "PSNR network", "bicubic", "SSIM network", "bicubic"]
    assert [line[0] for line in lines[1:]] == ["00.png", "01.png", "mean"]
    rows = list(csv.DictReader(Path("out.csv").read_text().splitlines()))
    for line, row in zip(lines[1:], rows, strict=True):
        assert line[1:3] == [f"{float(row[key]):.2f} dB" for key in ("psnr_network", "psnr_bicubic")]
        assert line[3:] == [f"{float(row[key]):.4f}" for key in ("ssim_network", "ssim_bicubic")]
    for key in list(rows[0])[1:]:
        values = [float(row[key]) for row in rows]
        assert values[2] == pytest.approx((values[0] + values[1]) / 2)
    said = outcome.stderr.splitlines()
    assert said[0].startswith("nstyle evaluate-sr: set/bad.jpg: the file is empty")
    assert said[1] == "nstyle evaluate-sr: set/small.png: 60x12 pixels are too few to measure; left out"


def test_a_network_of_the_original(shared, tmp_path, monkeypatch):
    """The .t7 of the reference data and its ONNX conversion give the same figures."""
    monkeypatch.chdir(tmp_path)
    write_pictures(tmp_path / "set", 1, height=65, width=70)
    model = shared / "golden" / "fast_neural_style" / "bn_sr_x4.t7"
    converted = CliRunner().invoke(main, ["convert", str(model), "sr.onnx"])
    assert converted.exit_code == 0, converted.output
    found = [evaluate(name, "set", "--factor", 4, "--no-histogram").stdout for name in (model, "sr.onnx")]
    assert found[0] == found[1] and found[0].count(" dB") == 4


def test_command_errors(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_pictures(tmp_path / "set", 1, height=64, width=64)
    write_network(tmp_path / "style.safetensors", SMALL)
    outcome = evaluate("style.safetensors", "set", "--factor", 4, status=1)
    assert outcome.stderr.endswith(
        "set/00.png: the network enlarges 16x16 pixels to 16x16, not by the factor 4\n"
    )
    outcome = evaluate("style.safetensors", "none", "--factor", 4, status=1)
    assert "none: cannot be read: No such file or directory" in outcome.stderr
    outcome = evaluate("style.safetensors", "set", "--factor", 4, "--border", 30, status=1)
    assert outcome.stderr.splitlines()[-1].endswith("set: contains no picture that can be measured")
    monkeypatch.setitem(sys.modules, "skimage.metrics", None)
    outcome = evaluate("style.safetensors", "set", "--factor", 4, status=1)
    assert "SSIM needs scikit-image" in outcome.stderr


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_presets_parse_and_explain_every_parameter(path):
    config = read_config(path)
    assert config.program == "train_fast_neural_style"
    (stage,) = config.stages
    stage.settings.validate()
    assert stage.settings.checkpoint_name.endswith(f"results/{path.stem}")
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    assert all(len(line) <= 110 and "  # " in line for line in lines[1:])
    assert lines[0] == "program: train_fast_neural_style"


@pytest.mark.parametrize(("name", "factor"), [("sr_x4", 4), ("sr_x8", 8), ("sr_pixel_x4", 4)])
def test_super_resolution_presets_enlarge_patches_of_288(name, factor):
    settings = read_config(ROOT / "configs" / "fast" / f"train_{name}.yml").stages[0].settings
    network = build(Architecture(settings.arch, "batch", settings.padding_type))
    assert output_side(network, 288 // factor) == 288 and settings.upsample_factor == factor
    assert settings.style_layers == settings.style_weights == ()
