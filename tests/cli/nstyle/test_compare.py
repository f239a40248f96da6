"""nstyle compare: the measured differences and the heat map."""

import math

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from cli.__main__ import main
from core.errors import ImageError
from core.pictures.compare import compare_files, psnr


@pytest.fixture
def pictures(tmp_path):
    """A picture, and a copy with one pixel changed by 10 levels and one by 20."""
    values = np.random.default_rng(0).integers(30, 200, (20, 30, 3), np.uint8)
    Image.fromarray(values).save(tmp_path / "a.png")
    values[3, 4, 1] += 10
    values[10, 20] += 20
    Image.fromarray(values).save(tmp_path / "b.png")
    return tmp_path


def test_figures(pictures):
    found = compare_files(pictures / "a.png", pictures / "b.png")
    error = (10**2 + 3 * 20**2) / (20 * 30 * 3)
    assert found.psnr == pytest.approx(10 * math.log10(255**2 / error), abs=1e-9)
    assert found.largest == pytest.approx(20)
    assert found.mean == pytest.approx((10 + 60) / 1800)
    assert found.differing == pytest.approx(2 / 600)
    assert 0.9 < found.ssim < 1
    assert np.flatnonzero(found.difference > 1).tolist() == [3 * 30 + 4, 10 * 30 + 20]


def test_equal_pictures(pictures):
    found = compare_files(pictures / "a.png", pictures / "a.png")
    assert (found.psnr, found.largest, found.differing) == (math.inf, 0, 0)
    assert found.ssim == pytest.approx(1, abs=1e-12)


def test_psnr_of_bytes_does_not_wrap():
    assert psnr(np.zeros((2, 2), np.uint8), np.full((2, 2), 255, np.uint8)) == 0


def test_command_and_heat_map(pictures):
    words = [str(pictures / "a.png"), str(pictures / "b.png"), "--heat-map", str(pictures / "map.png")]
    shown = CliRunner().invoke(main, ["compare", *words])
    assert shown.exit_code == 0
    lines = dict(line.split(None, 1) for line in shown.output.splitlines())
    assert lines["size"] == "30x20"
    assert lines["differing"] == "2 of 600 pixels (0.333%)"
    assert lines["largest"] == "20 of 255 levels"
    with Image.open(pictures / "map.png") as heat:
        colours = np.asarray(heat)
    assert colours.shape == (20, 30, 3)
    assert colours[0, 0].tolist() == [0, 0, 3]
    assert colours[10, 20].sum() > colours[3, 4].sum() > 100


@pytest.mark.parametrize(
    ("size", "message"),
    [((31, 20), "has 30x20 pixels"), ((5, 5), "has 30x20 pixels")],
)
def test_different_sizes(pictures, size, message):
    Image.new("RGB", size).save(pictures / "c.png")
    shown = CliRunner().invoke(main, ["compare", str(pictures / "a.png"), str(pictures / "c.png")])
    assert shown.exit_code == 1
    assert message in shown.output
    assert "give two pictures of the same size" in shown.output


def test_too_small_and_unwritable(pictures):
    Image.new("RGB", (5, 9)).save(pictures / "c.png")
    with pytest.raises(ImageError, match="SSIM needs at least 7x7 pixels"):
        compare_files(pictures / "c.png", pictures / "c.png")
    for target, message in (
        ("map.jpg", "its name must end in .png"),
        ("absent/map.png", "cannot be written"),
    ):
        words = [str(pictures / "a.png"), str(pictures / "b.png"), "--heat-map", str(pictures / target)]
        shown = CliRunner().invoke(main, ["compare", *words])
        assert shown.exit_code == 1
        assert message in shown.output
    shown = CliRunner().invoke(main, ["compare", str(pictures / "a.png"), str(pictures / "absent.png")])
    assert "absent.png: cannot be read: No such file" in shown.output
