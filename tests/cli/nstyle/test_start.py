"""``nstyle start``: the previews, the sheet of them, and the commands for full size."""

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from cli.__main__ import main as nstyle_main
from cli.neural_style import main as neural_style
from cli.nstyle.start import duration
from core.stages import previews
from core.stages.config import read_config
from tests.cli.test_neural_style import MODEL, PAINTING, PHOTO

NAMES = [
    f"preview_style_scale-{scale}_style_weight-{weight}.png" for scale in ("0.5", "1") for weight in (1, 9)
]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(previews, "PREVIEW", {"image_size": 32.0, "num_iterations": 2.0})
    monkeypatch.setattr(previews, "VARIED", {"style_scale": (0.5, 1.0), "style_weight": (1.0, 9.0)})
    monkeypatch.setattr(previews, "ROW", 2)
    monkeypatch.setitem(previews.FULL, "num_iterations", 3.0)
    shutil.copy(PHOTO, "my photo.jpg")
    shutil.copy(PAINTING, "painting.png")
    return tmp_path


def start(*arguments, status=0):
    """stdout, and what was said on stderr without the name of the program."""
    words = ["start", "my photo.jpg", "painting.png", "-o", "out 1", "--model-file", MODEL, *arguments]
    result = CliRunner().invoke(nstyle_main, words)
    assert result.exit_code == status, result.output
    return result.stdout.splitlines(), [
        line.removeprefix("nstyle start: ") for line in result.stderr.splitlines()
    ]


def test_previews_are_made_once_and_each_has_its_command(here):
    said, told = start("--image-size", "48")
    assert told == [f"preview {number} of 4: running" for number in range(1, 5)]
    made = sorted(path.name for path in Path("out 1/previews").glob("*.png"))
    assert made == sorted(NAMES)
    assert len({Path("out 1/previews", name).read_bytes() for name in NAMES}) == 4
    with Image.open("out 1/previews.png") as sheet:
        assert sheet.width > 2 * 160

    assert said[0] == f"Weights: {Path(MODEL).name}"
    assert said[1] == "The previews: out 1/previews.png"
    assert re.fullmatch(r"Each at 48 pixels, which takes about \d+ (sec|min)\w+ on this machine:", said[2])
    commands = [shlex.split(line[2:]) for line in said[3:]]
    assert [words[0] for words in commands] == ["neural_style"] * 4
    assert commands[2][1:] == [
        *("-config", "out 1/full_size.yml", "-style_weight", "1", "-style_scale", "1"),
        *("-output_image", "out 1/3.png"),
    ]
    before = {
        path: path.stat().st_mtime_ns for path in Path("out 1/previews").iterdir() if path.suffix != ".log"
    }
    assert start("--image-size", "48") == (said, [line.replace("running", "up to date") for line in told])
    assert before == {path: path.stat().st_mtime_ns for path in before}

    assert neural_style(commands[2][1:]) == 0
    with Image.open("out 1/3.png") as picture:
        assert picture.size[0] == 48
    record = json.loads(Path("out 1/3.png.json").read_text())
    assert record["evaluation"] == 3
    assert (record["settings"]["style_weight"], record["settings"]["style_scale"]) == (1, 1)
    assert (record["settings"]["init"], record["arithmetic"]) == ("image", "native")


def test_layers_vary_in_the_slowest_way():
    assert list(previews.VARIED) == ["content_layers", "style_scale", "style_weight"]
    assert [len(values) for values in previews.VARIED.values()] == [2, 2, previews.ROW]


def test_only_what_changed_is_made_again(here):
    start()
    Path("out 1/previews", NAMES[3]).unlink()
    _, told = start("--image-size", "640")
    assert told == [
        f"preview {number} of 4: {'running' if number == 4 else 'up to date'}" for number in range(1, 5)
    ]
    shutil.copy(PHOTO, "painting.png")
    _, told = start()
    assert told == [f"preview {number} of 4: running" for number in range(1, 5)]


def test_the_time_grows_with_pixels_and_iterations(here):
    start()
    stages = read_config("out 1/previews.yml").stages
    for stage in stages:
        path = Path(stage.settings.output_image + ".json")
        path.write_text(json.dumps({**json.loads(path.read_text()), "seconds": 5.0, "seconds_to_first": 3.0}))
    full = stages[0].settings.replace(image_size=128.0, num_iterations=10.0)
    assert previews.full_size_seconds(stages, full) == 2.0 * 16 * 10  # 128x96 pixels are 16 times 32x24


@pytest.mark.parametrize(
    "seconds, words",
    [(0.2, "about 1 seconds"), (119, "about 119 seconds"), (130, "about 2 minutes"), (9000, "about 2 hours")],
)
def test_durations(seconds, words):
    assert duration(seconds) == words


@pytest.mark.parametrize(
    "spoil, sentence",
    [
        (lambda: Path("my photo.jpg").unlink(), "my photo.jpg: cannot be read: No such file or directory"),
        (
            lambda: Path("painting.png").write_text("no picture"),
            "painting.png: not a JPEG, PNG, PPM or PGM picture; convert it to PNG or JPEG first",
        ),
        (lambda: Path("out 1").write_text(""), "out 1: cannot be created: File exists"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(here, spoil, sentence):
    spoil()
    before = sorted(here.rglob("*"))
    assert start(status=1) == ([], [sentence])
    assert sorted(here.rglob("*")) == before


def test_a_picture_that_breaks_off_ends_it_in_one_line(here):
    Path("painting.png").write_bytes(Path("painting.png").read_bytes()[:3000])
    said, told = start(status=1)
    assert said == []
    assert told[0] == "preview 1 of 4: running"
    assert told[1] == f"{here}/painting.png: damaged or incomplete PNG: image file is truncated"
    assert len(told) == 2


def test_a_photo_that_a_viewer_would_turn_is_named(here):
    with Image.open("my photo.jpg") as photo:
        exif = photo.getexif()
        exif[0x112] = 6
        photo.save("my photo.jpg", exif=exif)
    _, told = start()
    assert told[0] == (
        "my photo.jpg: its EXIF orientation is ignored, as in the original: the picture may lie on its side; "
        "turn it first"
    )
    assert told[1] == "preview 1 of 4: running"
