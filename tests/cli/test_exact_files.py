"""The original's very files from the command line: the exact fast path, and PNG files without our text."""

import json

import pytest
from click.testing import CliRunner

from cli.__main__ import main as nstyle_main
from cli.fast_neural_style import main
from cli.neural_style import run_settings
from cli.parity.reference_runs import bundled_run
from cli.terminal.lua_flags import CommandLine
from core.pictures import png_file
from core.pictures.png_file import compresses_as_zlib
from core.records import records
from core.records.records import read_record
from tests.conftest import GOLDEN, ROOT
from tests.support.transform_models import BATCH, write_network

FAST = GOLDEN / "fast_neural_style"
JPEG_JOB, PNG_JOB = FAST / "exact" / "bn_f_C_jpg", FAST / "exact" / "resnet_replicate_layers"
NETWORK = FAST / "exact" / "resnet_replicate.t7"
PHOTO = GOLDEN / "images" / "photo.jpg"
needs_zlib = pytest.mark.skipif(not compresses_as_zlib(), reason="this Python has another zlib")


def exact(*words):
    return main([*map(str, words), "-arithmetic", "torch7"])


def nstyle(*words):
    return CliRunner().invoke(nstyle_main, list(map(str, words)))


def png_job(target, *words):
    size = ("-image_size", "45")
    return exact(
        "-model",
        NETWORK,
        "-input_image",
        GOLDEN / "images" / "painting2.jpg",
        "-output_image",
        target,
        *size,
        *words,
    )


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_jpeg_of_the_original(here):
    words = ("-model", FAST / "bn_f_C.t7", "-input_image", GOLDEN / "images" / "painting.png")
    assert exact(*words, "-image_size", "133", "-median_filter", "5", "-output_image", "out.jpg") == 0
    assert (here / "out.jpg").read_bytes() == (JPEG_JOB / "out.jpg").read_bytes()
    assert read_record(here / "out.jpg")["runtime"] == "torch7 arithmetic on the CPU"


@needs_zlib
def test_a_png_of_the_original_and_its_record(here):
    original = (PNG_JOB / "out.png").read_bytes()
    assert png_job("out.png", "-png_text", "0") == 0
    assert (here / "out.png").read_bytes() == original
    assert json.loads((here / "out.png.json").read_text())["environment"]["products"]
    assert (
        nstyle("reproduce", "out.png", "--inputs", GOLDEN / "images", "--inputs", NETWORK.parent).exit_code
        == 0
    )
    assert png_job("told.png") == 0
    assert b"zTXt" in (here / "told.png").read_bytes()
    done = nstyle("reproduce", "told.png", "--strip", "bare.png")
    assert done.output == f"bare.png: {len(original)} bytes, without the record\n"
    assert (here / "bare.png").read_bytes() == original
    refused = nstyle("reproduce", "out.png", "--strip", "out.png")
    assert refused.exit_code == 1
    assert "out.png: is the picture itself; choose another name" in refused.output


@needs_zlib
def test_a_png_of_neural_style(here):
    run = bundled_run("lbfgs_random")
    settings = run.settings(here).replace(png_text=0.0, gpu="-1")
    assert run_settings(settings, CommandLine()) == 0
    for original in run.images():
        assert (here / original.name).read_bytes() == original.read_bytes()


def test_another_zlib_is_told(here, monkeypatch, capsys):
    monkeypatch.setattr(records, "compresses_as_zlib", lambda: False)
    assert png_job("out.png", "-png_text", "0") == 0
    assert capsys.readouterr().err.count(png_file.OTHER_ZLIB) == 1
    assert png_job("out.png") == 0
    assert png_file.OTHER_ZLIB not in capsys.readouterr().err


def test_folders_with_several_at_once_and_timing(here, capsys):
    (here / "in").mkdir()
    for name in ("photo.jpg", "painting2.jpg", "rgba.png"):
        (here / "in" / name).write_bytes((GOLDEN / "images" / name).read_bytes())
    words = ("-model", FAST / "in_zero_ascii.t7", "-image_size", "60", "-input_dir", "in", "-sorted", "1")
    assert exact(*words, "-output_dir", "one", "-threads", "1", "-timing", "1") == 0
    assert capsys.readouterr().out.count(") took ") == 3
    assert exact(*words, "-output_dir", "two", "-jobs", "3") == 0
    for path in (here / "in").iterdir():
        assert (here / "one" / path.name).read_bytes() == (here / "two" / path.name).read_bytes()


def test_the_bundled_onnx_file_and_our_checkpoints(here):
    write_network(here / "net.safetensors")
    assert nstyle("convert", "net.safetensors", "net.onnx").exit_code == 0
    for name in ("net.safetensors", "net.onnx"):
        words = ("-input_image", PHOTO, "-image_size", "64", "-output_image", f"{name}.png", "-png_text", "0")
        assert exact("-model", name, *words) == 0
    assert (here / "net.safetensors.png").read_bytes() == (here / "net.onnx.png").read_bytes()
    bundled = ROOT / "vgg_models" / "evening.onnx"
    assert exact("-model", bundled, "-input_image", PHOTO, "-image_size", "64", "-output_image", "b.png") == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("-gpu", "0"), "-gpu with -arithmetic torch7: it computes on the CPU"),
        (("-require_gpu", "1"), "-gpu with -arithmetic torch7"),
        (("-runtime", "torch"), "-runtime torch with -arithmetic torch7: it is a runtime of its own"),
        (("-tile", "64"), "-tile with -arithmetic torch7: it works in blocks by itself"),
        (("-layout", "nhwc"), "-layout nhwc with -arithmetic torch7"),
        (("-png_text", "2"), "-png_text 2: must be 0 or 1"),
        (("-model", "batch.onnx"), r"batch normalisation became part"),
    ],
)
def test_what_cannot_act_is_refused(here, capsys, words, message):
    write_network(here / "batch.safetensors", BATCH)
    assert nstyle("convert", "batch.safetensors", "batch.onnx").exit_code == 0
    capsys.readouterr()
    assert exact("-model", "batch.safetensors", "-input_image", PHOTO, "-output_image", "o.png", *words) == 1
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
    assert not (here / "o.png").exists()


def test_the_exact_run_judges_a_conversion(here):
    done = nstyle("convert", FAST / "in_zero_ascii.t7", "net.onnx", "--exact")
    assert done.exit_code == 0, done.output
    sentence = done.output.splitlines()[-1]
    assert sentence.startswith("largest difference to the exact run: ")
    assert " of 45,828 saved samples differ, by at most " in sentence
