"""The parts of a report: pictures, plots, colours, the template alone."""

import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.errors import ImageError
from core.report.page import render
from core.report.pictures import as_it_is, scaled
from core.report.plots import curves_of, plain, plot
from core.report.views import RunView
from tests.support.report_factory import decoded


def test_render_takes_views_alone(tmp_path):
    Image.new("RGB", (4, 3), "red").save(tmp_path / "a.png")
    picture = as_it_is(tmp_path / "a.png")
    view = RunView(
        name="run-x",
        title="a <b>",
        headline="",
        changed=False,
        thumbnail=picture,
        result=picture,
        inputs=(),
        frames=(),
        reference=None,
        curves=(),
        plot="",
        yaml="",
        command="",
        command_note="",
        facts=(),
    )
    page = render([view, replace(view, name="run-y")], "T & T", ["one <i>"])
    assert page.count("<article") == 2
    for text in ("a &lt;b&gt;", "T &amp; T", "one &lt;i&gt;"):
        assert text in page


def picture_file(path, size, **options):
    values = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(values).save(path, **options)
    return path


def test_pictures_are_scaled_and_encoded_where_that_is_smaller(tmp_path):
    large = scaled(picture_file(tmp_path / "large.png", (600, 300)))
    assert decoded(large.source)[1].size == (512, 256)
    assert large.source.startswith("data:image/jpeg")
    assert (large.width, large.height, large.name) == (600, 300, "large.png")
    flat = tmp_path / "flat.png"
    Image.new("RGB", (64, 64), "red").save(flat)
    assert decoded(scaled(flat).source)[0] == flat.read_bytes()
    assert as_it_is(picture_file(tmp_path / "a.ppm", (5, 4))).source.startswith("data:image/png")


def test_what_a_camera_notes_stays_out(tmp_path):
    exif = Image.Exif()
    exif[0x010E] = "at home"
    path = picture_file(tmp_path / "photo.jpg", (600, 600), exif=exif, quality=1)
    assert b"at home" in path.read_bytes()
    assert b"at home" not in decoded(scaled(path).source)[0]


def test_16_bits_and_damage(tmp_path):
    shades = np.random.default_rng(0).integers(30000, 50000, (64, 64)).astype(np.uint16)
    Image.fromarray(shades).save(tmp_path / "deep.png")
    shades = np.asarray(decoded(scaled(tmp_path / "deep.png").source)[1].convert("RGB"))
    assert abs(int(shades.mean()) - 40000 * 255 // 65535) <= 1
    data = picture_file(tmp_path / "a.png", (60, 60)).read_bytes()
    (tmp_path / "a.png").write_bytes(data[:500])
    with pytest.raises(ImageError, match=r"a\.png: damaged picture"):
        scaled(tmp_path / "a.png")


@pytest.mark.parametrize(
    "totals",
    [[5.0], [5.0, 5.0], [math.inf, 3.0, math.nan], [math.nan], [0.0, 0.0], [-5.0, 3.0], [1e-300, 1e308]],
)
def test_plots_of_odd_losses(totals):
    drawn = plot(curves_of(["c"], [], [[0.0]] * len(totals), totals), "run-1")
    assert "series-0" in drawn
    assert "series-8" in drawn
    assert "style=" not in drawn
    assert "xmlns" not in drawn


def test_ids_in_plots_begin_with_the_run():
    curves = curves_of([], ["a"], [[1.0], [2.0]], [2.0, 3.0])
    drawn = plot(curves, "run-7")
    ids, used = re.findall(r' id="([^"]+)"', drawn), re.findall(r'(?:url\(|href=")#([^")]+)', drawn)
    assert ids and used and set(used) <= set(ids)
    assert all(name.startswith("run-7-") for name in ids)


def test_rows_that_are_not_of_these_layers_leave_the_total():
    assert [curve.kind for curve in curves_of(["c"], ["s"], [[1.0]], [2.0])] == ["total"]
    assert [curve.kind for curve in curves_of(["c"], ["s"], [], [2.0])] == ["total"]
    assert curves_of(["c"], ["s"], [], []) == ()


def test_ticks():
    assert [plain(value) for value in (2, 0.05, 5000, 1e4, 2e7, 5e-6)] == [
        *("2", "0.05", "5000", "10⁴", "2·10⁷", "5·10⁻⁶")
    ]


def contrast(a, b):
    def luminance(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    dark, light = sorted((luminance(a), luminance(b)))
    return (light + 0.05) / (dark + 0.05)


def test_colours_are_readable_in_light_and_dark():
    """WCAG: 4.5 for text, 3 for lines."""
    style = (Path(render.__code__.co_filename).parent / "templates" / "page.css").read_text()
    for scheme in re.findall(r":root \{(.*?)\}", style, re.DOTALL):
        colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", scheme))
        for name in ("ink", "quiet", "accent"):
            assert contrast(colours[name], colours["paper"]) >= 4.5, name
        assert contrast(colours["warn"], colours["warn-paper"]) >= 4.5
        for number in range(8):
            assert contrast(colours[f"s{number}"], colours["paper"]) >= 3, number
