"""nstyle show and nstyle reproduce: the record of a picture, and making the picture again."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from cli.__main__ import main as nstyle_main
from cli.neural_style import main
from core.errors import ImageError
from core.models.checksums import file_digests
from core.pictures import images
from core.records.records import pixels_digest, read_record
from tests.cli.test_neural_style import MODEL, PAINTING, PHOTO, words
from tests.conftest import ROOT

MODELS = Path(MODEL).parent


def nstyle(*arguments):
    return CliRunner().invoke(nstyle_main, list(map(str, arguments)))


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with copies of the inputs, as working directory, and one run in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    shutil.copy(PHOTO, "in/photo.jpg")
    shutil.copy(PAINTING, "in/painting.jpg")
    run("out.png")
    return tmp_path


def run(target, *more):
    arguments = words("-init", "image", *more, content="in/photo.jpg", style="in/painting.jpg")
    assert main([*arguments, "-output_image", target]) == 0


def text_of(path):
    with Image.open(path) as picture:
        return json.loads(picture.text["neural_style"])


def test_the_record_holds_everything(here):
    record = read_record(here / "out.png")
    assert record["settings"]["content_image"] == "in/photo.jpg"
    assert record["settings"]["model_file"] == Path(MODEL).name
    assert record["settings"]["image_size"] == 48
    assert record["inputs"]["style_image"] == [
        {"file": "in/painting.jpg", "sha256": hashlib.sha256(Path(PAINTING).read_bytes()).hexdigest()}
    ]
    assert record["inputs"]["model_file"][0]["sha256"] == hashlib.sha256(Path(MODEL).read_bytes()).hexdigest()
    assert (record["arithmetic"], record["devices"], record["evaluation"]) == ("torch7", ["cpu"], 3)
    assert len(record["trace"]) == 3
    assert float(record["trace"][-1]) == record["losses"]["total"]
    assert record["trace_sha256"] == hashlib.sha256("\n".join(record["trace"]).encode()).hexdigest()
    assert record["sha256"] == hashlib.sha256((here / "out.png").read_bytes()).hexdigest()
    with Image.open("out.png") as picture:
        assert record["pixels_sha256"] == pixels_digest(np.asarray(picture))
    known = {"python", "platform", "products", "torch", "numpy", "scipy", "pillow"}
    assert record["environment"].keys() >= known
    assert str(ROOT) not in (here / "out.png.json").read_text()


def test_a_png_carries_what_shaped_it_and_repeats_byte_for_byte(here):
    first = (here / "out.png").read_bytes()
    record = text_of("out.png")
    assert record["settings"]["seed"] == 42
    for name in ("seconds", "threads", "trace", "sha256"):
        assert name not in record
    assert "output_image" not in record["settings"]
    run("other.png", "-threads", "1", "-print_iter", "1")
    assert (here / "other.png").read_bytes() == first


def test_jpeg_files_stay_as_the_original_s(here):
    run("out.jpg")
    with Image.open("out.jpg") as picture:
        assert picture.info.keys() <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    assert read_record(here / "out.jpg")["evaluation"] == 3


def test_show(here):
    shown = nstyle("show", "out.png").output
    assert shown.startswith(
        "out.png: the recorded file, byte for byte\n\nneural_style -style_image in/painting.jpg"
    )
    assert "-content_image in/photo.jpg -image_size 48 -gpu -1 -num_iterations 3 -init image" in shown
    assert "arithmetic       torch7 on cpu" in shown
    (here / "out.png.json").unlink()
    assert nstyle("show", "out.png").output.startswith("out.png: the recorded pixels\n")
    record = (here / "out.png").read_bytes()
    run("out.png", "-seed", "7", "-content_weight", "50")
    changed = json.loads((here / "out.png.json").read_text())
    (here / "out.png").write_bytes(record)
    (here / "out.png.json").write_text(json.dumps(changed))
    assert nstyle("show", "out.png").output.startswith("out.png: CHANGED since it was recorded\n")


def test_show_without_a_whole_picture(here):
    (here / "out.png").write_bytes(b"no picture")
    shown = nstyle("show", "out.png").output
    assert shown.startswith("out.png: CHANGED since it was recorded (not a JPEG, PNG, PPM or PGM picture;")
    (here / "out.png").unlink()
    shown = nstyle("show", "out.png")
    assert shown.exit_code == 0
    assert shown.output.startswith("out.png: missing; this is its record\n\nneural_style -style_image")
    (here / "out.png").mkdir()
    shown = nstyle("show", "out.png").output
    assert shown.startswith("out.png: CHANGED since it was recorded (cannot be read: Is a directory)\n")


def test_a_record_cannot_steer_the_terminal(here):
    record = json.loads((here / "out.png.json").read_text())
    record["arithmetic"] = "\x1b[31mred\nout.png: identical"
    (here / "out.png.json").write_text(json.dumps(record))
    shown = nstyle("show", "out.png").output
    assert "\narithmetic       \\x1b[31mred\\nout.png: identical on cpu\n" in shown


def test_the_picture_may_be_gone_before_its_record_is_written(here, monkeypatch):
    """Another process may empty the folder; the record is made from the bytes that were written."""
    written = []

    def save(path, *arguments):
        written.append(images.save_image(path, *arguments))
        Path(path).unlink()
        return written[-1]

    monkeypatch.setattr("core.records.records.save_image", save)
    run("out.png")
    assert json.loads((here / "out.png.json").read_text())["sha256"] == written[-1]
    assert not (here / "out.png").exists()


@pytest.mark.parametrize("name", ["out.png", "out_2.png"])
def test_reproduce(here, name):
    run("out.png", "-save_iter", "2")
    shown = nstyle("reproduce", name, "--inputs", MODELS)
    assert shown.exit_code == 0, shown.output
    count = 2 if name == "out_2.png" else 3
    assert shown.output == f"identical: every pixel, and the losses of all {count} evaluations\n"


def test_reproduce_from_the_png_alone_with_renamed_inputs(here, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "renamed.jpg").write_bytes((here / "in" / "photo.jpg").read_bytes())
    (elsewhere / "painting.jpg").write_bytes((here / "in" / "painting.jpg").read_bytes())
    (here / "out.png.json").unlink()
    shutil.rmtree("in")
    missing = nstyle("reproduce", "out.png", "--inputs", MODELS)
    assert missing.exit_code == 1
    assert "in/photo.jpg (sha256" in missing.output
    assert "give its folder with --inputs" in missing.output
    shown = nstyle("reproduce", "out.png", "--inputs", elsewhere, "--inputs", MODELS)
    assert shown.output == "identical: every pixel, and the losses of all 3 evaluations\n"


def test_a_stranger_that_cannot_be_read_is_passed_over(here, monkeypatch):
    (here / "in" / "photo.jpg").rename(here / "in" / "zz.jpg")
    (here / "in" / "closed.jpg").write_bytes(b"")

    def digests(path):
        if Path(path).name == "closed.jpg":
            raise PermissionError(13, "Permission denied", str(path))
        return file_digests(path)

    monkeypatch.setattr("core.records.reproduce.file_digests", digests)
    shown = nstyle("reproduce", "out.png", "--inputs", "in", "--inputs", MODELS)
    assert shown.output == "identical: every pixel, and the losses of all 3 evaluations\n"


def test_where_the_losses_part(here):
    record = json.loads((here / "out.png.json").read_text())
    record["trace"][1] = "123.0"
    record["trace_sha256"] = record["pixels_sha256"] = "0" * 64
    record["environment"]["numpy"] = "1.0"
    (here / "out.png.json").write_text(json.dumps(record))
    shown = nstyle("reproduce", "out.png", "--inputs", MODELS)
    assert shown.exit_code == 1
    assert "not identical\nthe losses first differ at evaluation 2: recorded 123.0, here " in shown.output
    assert "made with numpy 1.0; this machine has " in shown.output


def test_noise_without_a_seed_is_not_repeatable(here):
    arguments = words("-seed", "-1", content="in/photo.jpg", style="in/painting.jpg")
    assert main([*arguments, "-output_image", "noise.png"]) == 0
    shown = nstyle("reproduce", "noise.png", "--inputs", MODELS)
    assert shown.exit_code == 1
    assert "cannot be repeated: made without -seed, so every run starts from other noise" in shown.output


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "damaged record: not valid JSON"),
        ("[1]", "its record is damaged, or written by a newer version"),
        ('{"format": 99}', "its record is damaged, or written by a newer version"),
        ('{"format": 1}', "record is damaged"),
        ('{"format": 1, "settings": {"seed": "x"}, "inputs": {}}', "record is damaged"),
        ('{"format": 1, "settings": {"sed": 1}, "inputs": {}}', "damaged|does not know"),
        ('{"format": 1, "settings": {"seed": 1}, "inputs": {"content_image": [3]}}', "record is damaged"),
    ],
)
@pytest.mark.parametrize("command", ["show", "reproduce"])
def test_damaged_records(here, command, content, message):
    import re

    (here / "out.png.json").write_text(content)
    shown = nstyle(command, "out.png")
    assert shown.exit_code == 1
    assert shown.output.startswith(f"nstyle {command}: out.png")
    assert re.search(message, shown.output)
    assert shown.output.count("\n") == 1


def test_pictures_without_a_record(here):
    Image.new("RGB", (8, 8)).save("plain.png")
    with pytest.raises(ImageError, match=r"contains no record, and there is no file plain\.png\.json"):
        read_record(Path("plain.png"))
    with pytest.raises(ImageError, match=r"absent\.png: no such file; check the path"):
        read_record(Path("absent.png"))
    Path("text.png").write_text("no picture")
    with pytest.raises(ImageError, match=r"text\.png: cannot be read as a picture"):
        read_record(Path("text.png"))


def test_an_input_that_goes_away_does_not_cost_the_picture(here, monkeypatch):
    from core.records import records

    def gone(path):
        raise OSError("gone")

    monkeypatch.setattr(records, "file_digests", lambda path: gone(path))
    Path("new.jpg").write_bytes(b"never read before")
    assert records.digest("new.jpg") == "unknown"
    assert records.digest("not there.jpg") == "unknown"


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (["environment"], [[1]], "out.png: its record is damaged: 'environment' is missing or not a dict"),
        (["settings", "style_image"], [None], "the record is damaged: -style_image is None"),
        (["settings", "style_layers"], "relu1_1", "the record is damaged: -style_layers is 'relu1_1'"),
        (["settings", "threads"], 10**400, "the record is damaged: -threads is None"),
        (["settings", "seed"], [], "the record is damaged: -seed is []"),
        (["settings", "init_image"], "a\0b", "the record is damaged: -init_image is 'a\\x00b'"),
        (["settings", "init_image"], "\ud800", "the record is damaged: -init_image is '\\ud800'"),
    ],
)
def test_a_record_of_another_shape_is_one_line(here, place, value, message):
    record = json.loads((here / "out.png.json").read_text())
    inner = record if len(place) == 1 else record[place[0]]
    inner[place[-1]] = value
    (here / "out.png.json").write_text(json.dumps(record))
    shown = nstyle("reproduce", "out.png", "--inputs", MODELS)
    assert shown.exit_code == 1
    assert message in shown.output
    assert shown.output.count("\n") == 1


def test_records_that_json_does_not_read(here):
    whole = (here / "out.png.json").read_text()
    (here / "out.png.json").write_text(whole.replace('"evaluation": 3', f'"evaluation": {"3" * 5000}'))
    for command in ("show", "reproduce"):
        shown = nstyle(command, "out.png")
        assert shown.exit_code == 1
        assert "out.png.json: damaged record: not valid JSON\n" in shown.output
    (here / "out.png.json").unlink()
    text = PngInfo()
    text.add_text("neural_style", "no JSON")
    Image.open("out.png").save("out.png", pnginfo=text)
    assert nstyle("show", "out.png").output == "nstyle show: out.png: damaged record: not valid JSON\n"
    for folder in (".", ""):
        shown = nstyle("reproduce", folder)
        assert shown.output == "nstyle reproduce: .: is a folder; give a picture\n"
        assert nstyle("show", folder).output == "nstyle show: .: is a folder; give a picture\n"


def test_losses_beyond_numbers_are_a_damaged_record(here):
    record = json.loads((here / "out.png.json").read_text())
    record["losses"]["content"] = [10**400]
    (here / "out.png.json").write_text(json.dumps(record))
    assert nstyle("show", "out.png").output == "nstyle show: out.png: its record is damaged\n"
