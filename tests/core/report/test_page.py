"""nstyle report: the HTML of the page."""

import json
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.report_factory import Page, copied, decoded, make_results, report, run


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_results(tmp_path_factory.mktemp("made"))


@pytest.fixture
def here(made, tmp_path, monkeypatch):
    return copied(made, tmp_path / "here", monkeypatch)


def test_the_page(here):
    shown = report("results", "-o", "page", "--reference", "ref")
    assert (shown.exit_code, shown.output) == (0, "page/index.html: 4 runs\n")
    assert [path.name for path in Path("page").iterdir()] == ["index.html"]
    page = Page("page/index.html")
    articles = page.all("article")
    assert [article["id"] for article in articles] == ["run-1", "run-2", "run-3", "run-4"]
    titles = [page.by_id[f"run-{number}-title"] for number in range(1, 5)]
    assert titles == ["blend.jpg", "fast.ppm", "more/size.png", "out.png"]
    assert page.all("h1") and page.by_id["sheet"].split() == titles
    links = [link["href"] for link in page.all("a")]
    assert links[:4] == ["#run-1", "#run-2", "#run-3", "#run-4"]
    ids = [found["id"] for _, found in page.tags if "id" in found]
    assert len(ids) == len(set(ids))
    assert {link[1:] for link in links} <= set(ids)
    for _, found in page.tags:
        assert set(found.get("aria-labelledby", "").split()) <= set(ids)
        assert set(found.get("aria-describedby", "").split()) <= set(ids)


def test_nothing_is_loaded_from_anywhere(here):
    report("results", "-o", "page", "--reference", "ref")
    page = Page("page/index.html")
    for tag, found in page.tags:
        for name in ("src", "href", "action", "data", "poster", "srcset"):
            assert found.get(name, "#").startswith(("#", "data:image/")), (tag, found)
        assert "style" not in found, tag  # the policy would not apply it
        assert not [name for name in found if name.startswith("on")]
    assert not re.search(r"https?://|@import|@font-face", page.source)
    assert "url(" not in re.sub(r'="url\(#[\w.-]+\)"', "", page.source)
    (policy,) = page.all("meta", http_equiv="Content-Security-Policy")
    assert policy["content"].startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert "unsafe" not in policy["content"]
    assert str(here) not in page.source


def test_every_picture_is_there_and_has_a_text(here):
    report("results", "-o", "page", "--reference", "ref")
    images = Page("page/index.html").all("img")
    for image in images:
        decoded(image["src"])
        assert "alt" in image
    results = [image for image in images if image.get("id", "").endswith("-result")]
    assert decoded(results[3]["src"])[0] == (here / "results/out.png").read_bytes()
    assert decoded(results[0]["src"])[0] == (here / "results/blend.jpg").read_bytes()
    with Image.open(here / "results/fast.ppm") as ppm:
        assert np.array_equal(np.asarray(decoded(results[1]["src"])[1]), np.asarray(ppm))
    alts = [image["alt"] for image in images]
    assert alts.count("Content: photo.jpg") == 4
    assert alts.count("Style: painting.png") == 2
    assert alts.count("Style 1 of 2, 75 %: painting.png") == 1
    assert alts.count("Style 2 of 2, 25 %: photo.jpg") == 1


def test_intermediate_pictures(here):
    report("results", "-o", "page")
    page = Page("page/index.html")
    frames = [image for image in page.all("img") if "data-evaluation" in image]
    assert [frame["data-evaluation"] for frame in frames] == ["1", "2", "3"]
    assert ["hidden" in frame for frame in frames] == [True, True, False]
    (slider,) = page.all("input", type="range")
    assert (slider["min"], slider["max"], slider["value"]) == ("0", "2", "2")


def test_against_the_reference(here):
    report("results", "-o", "page", "--reference", "ref")
    page = Page("page/index.html")
    assert len(page.all("section", aria_label="Comparison with the reference")) == 2
    assert [found["data-under"] for found in page.all("div") if "data-under" in found] == ["run-4-result"]
    assert len(page.all("img", alt="Heat map of the differences, brightest where they are largest")) == 1
    assert re.search(r"PSNR\d+\.\d\d dB\s+SSIM0\.\d{6}\s+Largest difference\d+ of 255", page.text)
    assert "the result has 48x36 pixels, the reference 30x20; give two pictures of the same size" in page.text


def test_an_equal_reference(here):
    shutil.copy("results/out.png", "ref/out.png")
    report("results", "-o", "page", "--reference", "ref")
    page = Page("page/index.html")
    assert re.search(r"PSNRequal\s+SSIM1\.000000", page.text)
    assert "Map of the difference" not in page.source


def test_losses_of_every_layer(here):
    report("results", "-o", "page")
    page = Page("page/index.html")
    assert len(page.all("svg", **{"class": "plot", "role": "img"})) == 3
    record = json.loads(Path("results/out.png.json").read_text())
    layers = record["settings"]["content_layers"] + record["settings"]["style_layers"]
    assert page.source.count('class="key ') == 3 * (len(layers) + 1)
    for layer in layers:
        assert re.search(rf"(content|style) {layer}", page.by_id["run-4"])
    assert f"{record['losses']['total']:,.0f}" in page.by_id["run-4"]


def test_settings_command_and_provenance(here):
    report("results", "-o", "page")
    page = Page("page/index.html")
    assert page.by_id["run-4-yaml"].startswith("style_image:\n- in/painting.png\n")
    assert page.by_id["run-4-lua"].startswith(
        "th neural_style.lua \\\n  -style_image in/painting.png \\\n  -content_image in/photo.jpg \\\n"
    )
    assert "  -gpu -1 \\\n" in page.by_id["run-4-lua"]
    assert page.by_id["run-2-lua"].startswith("th fast_neural_style.lua \\\n  -model net.safetensors")
    copied = {button["data-copy"] for button in page.all("button")}
    assert copied == {f"run-{number}-{what}" for number in range(1, 5) for what in ("yaml", "lua")}
    record = json.loads(Path("results/out.png.json").read_text())
    for value in (
        "the recorded file, byte for byte",
        "torch7 on cpu",
        record["pixels_sha256"],
        record["inputs"]["model_file"][0]["sha256"],
        record["environment"]["products"],
        repr(record["losses"]["total"]),
    ):
        assert value in page.by_id["run-4"]
    assert "ONNX Runtime" in page.by_id["run-2"]
    assert "Losses" not in page.by_id["run-2"]


def test_flags_that_the_original_does_not_have(here):
    run("results/out.png", "-threads", "1")
    report("results", "-o", "page")
    assert "no such flags: -threads." in Page("page/index.html").by_id["run-4"]


def test_a_name_with_a_comma_has_no_command(here):
    path = Path("results/out.png.json")
    record = json.loads(path.read_text())
    record["settings"]["style_image"] = ["a,b.jpg"]
    path.write_text(json.dumps(record))
    report("results", "-o", "page")
    page = Page("page/index.html")
    assert "The original program has no command for this run: style_image: cannot be written" in page.text
    assert "run-3-lua" in page.by_id
    assert "run-4-lua" not in page.by_id


def test_without_jinja2(here, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    shown = report("results", "-o", "page")
    assert shown.exit_code == 1
    assert shown.output == (
        "nstyle report: the page needs jinja2: pip install 'neural-style-exact[report]'\n"
    )
    assert not Path("page").exists()


def test_the_same_results_give_the_same_page(here):
    report("results", "-o", "a", "--reference", "ref")
    report("results", "-o", "b", "--reference", "ref")
    assert Path("a/index.html").read_bytes() == Path("b/index.html").read_bytes()
