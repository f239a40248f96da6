"""Make the results of a few small runs, and parse the page about them."""

import base64
import io
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from cli.__main__ import main as nstyle_main
from cli.fast_neural_style import main as fast_main
from cli.neural_style import main as slow_main
from tests.cli.test_neural_style import PAINTING, PHOTO, words
from tests.support.transform_models import write_network


def run(target, *more, content="in/photo.jpg", style="in/painting.png"):
    arguments = words("-init", "image", *more, content=content, style=style)
    assert slow_main([*arguments, "-output_image", str(target)]) == 0


def make_results(folder):
    """results/ with four runs, ref/ with references, in/ with the inputs; returns the folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        _make_results()
    return folder


def _make_results():
    for name in ("in", "results", "results/more", "ref"):
        Path(name).mkdir()
    shutil.copy(PHOTO, "in/photo.jpg")
    shutil.copy(PAINTING, "in/painting.png")
    write_network(Path("net.safetensors"))
    run("results/out.png", "-save_iter", "1")
    with Image.open("results/out.png") as picture:
        picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save("ref/out.png")
    run("results/blend.jpg", "-style_blend_weights", "3,1", style="in/painting.png,in/photo.jpg")
    run("results/more/size.png")
    Image.new("RGB", (30, 20)).save("ref/size.png")
    fast = ["-model", "net.safetensors", "-image_size", "40", "-input_image", "in/photo.jpg"]
    assert fast_main([*fast, "-output_image", "results/fast.ppm"]) == 0


def copied(made, folder, monkeypatch):
    """A copy of the results, as working directory."""
    shutil.copytree(made, folder)
    monkeypatch.chdir(folder)
    return folder


def report(*arguments):
    return CliRunner().invoke(nstyle_main, ["report", *map(str, arguments)])


class Page(HTMLParser):
    """The parsed page: start tags with attributes, the text of every element with an id, all text."""

    VOID = ("meta", "img", "input", "link", "br")

    def __init__(self, path):
        super().__init__()
        self.source = Path(path).read_text(encoding="utf-8")
        self.tags, self.open, self.text, self.by_id = [], [], "", {}
        self.feed(self.source)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append((tag, dict(attrs).get("id")))

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        if self.open and self.open[-1][0] in ("style", "script"):
            return
        self.text += data
        for _, name in self.open:
            if name:
                self.by_id[name] = self.by_id.get(name, "") + data

    def all(self, tag, **wanted):
        names = {name.replace("_", "-"): value for name, value in wanted.items()}
        return [found for kind, found in self.tags if kind == tag and names.items() <= found.items()]


def decoded(source):
    kind, data = re.fullmatch(r"data:(image/(?:png|jpeg));base64,([A-Za-z0-9+/=]+)", source).groups()
    data = base64.b64decode(data)
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.get_format_mimetype() == kind
        picture.load()
        return data, picture
