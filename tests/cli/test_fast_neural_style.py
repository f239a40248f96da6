"""The command fast_neural_style: its files, log and errors."""

import hashlib
import json
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from cli.fast_neural_style import GRAMMAR, main
from core.pictures.images import image_size
from core.settings.fast_neural_style import TransformSettings
from core.settings.yaml_files import read_yaml
from tests.conftest import ROOT
from tests.support.film_factory import make_film
from tests.support.transform_models import BATCH, write_network

PHOTO = ROOT / "configs" / "images" / "content_coffee.jpg"


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder with a network, as working directory."""
    monkeypatch.chdir(tmp_path)
    write_network(tmp_path / "net.safetensors")
    return tmp_path


def photo(path, width=40, height=30, seed=0, mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (height, width, 3) if mode == "RGB" else (height, width)
    values = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    Image.fromarray(values).save(path)
    return path


def run(*words):
    return main(["-model", "net.safetensors", "-image_size", "0", *map(str, words)])


def pixels(path):
    with Image.open(path) as picture:
        return np.asarray(picture)


def pictures_in(folder):
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".json")


def test_flags_and_defaults_of_the_original():
    original = {name: item.default for name, item in GRAMMAR.flags.items() if not item.metadata["ours"]}
    assert original == {
        "model": "models/instance_norm/candy.t7",
        "image_size": 768,
        "median_filter": 3,
        "timing": 0,
        "input_image": "images/content/chicago.jpg",
        "output_image": "out.png",
        "input_dir": "",
        "output_dir": "",
        "gpu": -1,
        "backend": "cuda",
        "use_cudnn": 1,
        "cudnn_benchmark": 0,
    }


def test_one_picture(here, capsys):
    photo(here / "in.png", 41, 30)
    assert run("-input_image", "in.png", "-output_image", "new/folder/out.png") == 0
    assert capsys.readouterr().out == "Writing output image to new/folder/out.png\n"
    # rounded up to the stride of 2, then one pixel less on every side for the median filter
    assert pixels("new/folder/out.png").shape == (28, 40, 3)


def test_image_size_and_median_filter(here):
    assert main(["-model", "net.safetensors", "-input_image", str(PHOTO), "-median_filter", "5"]) == 0
    height, width = image_size(PHOTO)
    height = height * 768 // width
    assert pixels("out.png").shape == (height + height % 2 - 4, 768 - 4, 3)


def test_timing_line(here, capsys):
    photo(here / "in.png", 41, 30)
    assert run("-input_image", "in.png", "-timing", "1") == 0
    first, second, _ = capsys.readouterr().out.split("\n")
    assert re.fullmatch(r"Image in\.png \(30 x 41\) took \d+\.\d{6}", first)
    assert second == "Writing output image to out.png"


def test_both_runtimes_and_tiles_make_the_same_picture(here):
    photo(here / "in.png", 150, 130)
    for name, words in {"onnx": (), "torch": ("-runtime", "torch"), "tiles": ("-tile", "64")}.items():
        assert run("-input_image", "in.png", "-output_image", f"{name}.ppm", *words) == 0
    whole = pixels("onnx.ppm").astype(int)
    for name in ("torch", "tiles"):
        off = np.abs(pixels(f"{name}.ppm") - whole)
        assert off.max() <= 1
        assert np.mean(off > 0) <= 0.001


def test_tiles_of_a_network_with_batch_norm_change_no_byte(here):
    write_network(here / "batch.safetensors", BATCH)
    photo(here / "in.png", 150, 130)
    words = ["-model", "batch.safetensors", "-image_size", "0", "-input_image", "in.png"]
    assert main([*words, "-output_image", "whole.ppm"]) == 0
    assert main([*words, "-output_image", "tiles.ppm", "-tile", "64"]) == 0
    assert np.mean(pixels("whole.ppm") != pixels("tiles.ppm")) <= 0.0001


def folder_of_pictures(here):
    for number, name in enumerate(("b.jpg", "a.PNG", "c.ppm", "d.jpeg")):
        photo(here / "photos" / name, seed=number)
    photo(here / "photos" / "deep" / "e.png")
    photo(here / "photos" / ".hidden.png")
    (here / "photos" / "notes.txt").write_text("no picture")


def test_a_folder(here, capsys):
    folder_of_pictures(here)
    assert run("-input_dir", "photos", "-output_dir", "styled/here", "-sorted", "1") == 0
    assert pictures_in(here / "styled/here") == [
        "a.PNG",
        "b.jpg",
        "c.ppm",
        "d.jpeg",
    ]
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        f"Writing output image to {here}/styled/here/{name}" for name in ("a.PNG", "b.jpg", "c.ppm", "d.jpeg")
    ]
    assert (here / "styled/here/a.PNG").read_bytes().startswith(b"\x89PNG")
    assert (here / "styled/here/d.jpeg").read_bytes().startswith(b"\xff\xd8\xff")


def test_a_folder_wins_over_a_picture(here):
    folder_of_pictures(here)
    assert run("-input_dir", "photos", "-output_dir", "styled", "-input_image", "absent.png") == 0
    assert not (here / "out.png").exists()


def test_recursion_keeps_folders_and_leaves_out_the_results(here):
    folder_of_pictures(here)
    words = ("-input_dir", "photos", "-output_dir", "photos/styled", "-recursive", "1")
    assert run(*words) == 0
    assert run(*words) == 0
    assert (here / "photos/styled/deep/e.png").is_file()
    assert not (here / "photos/styled/styled").exists()


def test_jobs_make_the_same_files(here):
    folder_of_pictures(here)
    assert run("-input_dir", "photos", "-output_dir", "one") == 0
    assert run("-input_dir", "photos", "-output_dir", "three", "-jobs", "3") == 0
    for name in ("a.PNG", "b.jpg", "c.ppm", "d.jpeg"):
        assert (here / "one" / name).read_bytes() == (here / "three" / name).read_bytes()


def test_existing_results_are_skipped_on_request(here, capsys):
    folder_of_pictures(here)
    (here / "styled").mkdir()
    (here / "styled/b.jpg").write_bytes(b"mine")
    assert run("-input_dir", "photos", "-output_dir", "styled", "-skip_existing", "1") == 0
    assert (here / "styled/b.jpg").read_bytes() == b"mine"
    assert (here / "styled/c.ppm").is_file()
    assert "fast_neural_style: 1 pictures exist already and are skipped" in capsys.readouterr().err


def test_one_bad_file_does_not_stop_the_rest(here, capsys):
    folder_of_pictures(here)
    (here / "photos/b.jpg").write_bytes(b"\xff\xd8\xff\xe0 cut off")
    photo(here / "photos/f.pgm", mode="L")
    photo(here / "photos/g.png", 4, 60)
    assert run("-input_dir", "photos", "-output_dir", "styled") == 1
    assert pictures_in(here / "styled") == ["a.PNG", "c.ppm", "d.jpeg"]
    told = capsys.readouterr().err
    assert "photos/b.jpg: damaged picture" in told
    assert "f.pgm: a PGM file has no colours" in told
    assert "g.png: 4x60 pixels are too few for this network: it needs at least 5" in told
    assert told.splitlines()[-1] == "fast_neural_style: 3 of 6 pictures failed; see the messages above"
    assert all(line.startswith("fast_neural_style: ") for line in told.splitlines())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("-input_image", ""), "-input_image and -input_dir are both empty"),
        (("-input_dir", "photos"), "-input_dir needs -output_dir"),
        (("-input_dir", "photos", "-output_dir", "./photos"), "the photographs would be overwritten"),
        (("-input_dir", "absent", "-output_dir", "styled"), "absent: cannot be read"),
        (("-input_dir", "empty", "-output_dir", "styled"), "empty: contains no pictures"),
        (("-input_image", "absent.png"), "absent.png: cannot be read: No such file"),
        (("-input_image", "in.png", "-output_image", "out.webp"), "unknown image type 'webp'"),
        (("-input_image", "in.png", "-output_image", "out.Png"), "unknown image type 'Png'"),
        (("-input_image", "in.png", "-output_image", "x/out.pgm"), "a PGM file has no colours"),
        (("-input_image", "in.png", "-output_image", "in.png/out.png"), "cannot be created"),
        (("-input_image", "in.png", "-model", "absent.t7"), "absent.t7: no such file; check the path"),
        (("-input_image", "in.png", "-model", "absent.onnx"), "absent.onnx: no such file; check the path"),
        (("-input_image", "in.png", "-model", "in.png"), "unknown kind of network '.png'"),
        (("-input_image", "in.png", "-model", "page.onnx"), "page.onnx: is a web page, not a model"),
        (("-input_image", "in.png", "-model", "page.t7"), "page.t7: is a web page, not a model"),
        (("-input_image", "in.png", "-model", "cut.onnx"), "cut.onnx: damaged or not an ONNX model"),
        (("-input_image", "in.png", "-gpu", "0", "-backend", "opencl"), "-backend opencl: ONNX Runtime"),
        (("-input_image", "in.png", "-backend", "rocm"), "-backend rocm: must be one of cuda, opencl"),
        (("-input_image", "in.png", "-runtime", "torch", "-tile", "64"), "-tile: not available"),
        (("-input_image", "in.png", "-tile", "8"), "-tile 8: must be at least 64, or 0"),
        (("-input_image", "in.png", "-jobs", "1.5"), "-jobs 1.5: must be a whole number"),
        (("-input_image", "in.png", "-image_size", "nan"), "-image_size nan: must be a number"),
        (("-input_image", "in.png", "-median_filter", "99"), "-median_filter 99: the result has only 40x30"),
        (("-input_image", "in.png", "-model_size", "7"), "-model_size 7: must be WIDTHxHEIGHT"),
        (("-input_image", "in.png", "-require_gpu", "1"), "-require_gpu 1 needs -gpu 0"),
        (("-input_image", "in.png", "-require_gpu", "1", "-runtime", "torch"), "-require_gpu 1 needs -gpu 0"),
        (("-input_video", "in.mp4"), "-input_video and -output_video must be given together"),
        (("-temporal_alpha", "1"), "-temporal_alpha 1: must be from 0 to below 1"),
        (("-input_imag", "in.png"), "unknown flag -input_imag; did you mean -input_image?"),
        (("-timing",), "missing argument for option -timing"),
    ],
)
def test_errors_are_one_line_and_nothing_is_written(here, capsys, words, message):
    photo(here / "in.png")
    photo(here / "photos/a.png")
    (here / "empty").mkdir()
    (here / "page.onnx").write_text("<html><body>301 Moved Permanently</body></html>")
    (here / "page.t7").write_text("<html><body>301 Moved Permanently</body></html>")
    (here / "cut.onnx").write_bytes(b"\x08\x08\x12\x05cut off")
    before = sorted(here.rglob("*"))
    assert run(*words) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("fast_neural_style: ")
    assert message in told.err
    assert told.err.count("\n") == 1
    assert sorted(here.rglob("*")) == before


def test_a_gpu_that_is_not_there(here, capsys, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    photo(here / "in.png")
    if "CUDAExecutionProvider" not in __import__("onnxruntime").get_available_providers():
        assert run("-input_image", "in.png", "-gpu", "0", "-output_image", "gpu.png") == 0
        assert "NOT ON THE GPU" in capsys.readouterr().err
        assert run("-input_image", "in.png", "-output_image", "cpu.png") == 0
        assert np.array_equal(pixels("gpu.png"), pixels("cpu.png"))
        assert run("-input_image", "in.png", "-gpu", "0", "-require_gpu", "1") == 1
        assert "stopped because of -require_gpu 1" in capsys.readouterr().err
    assert run("-input_image", "in.png", "-gpu", "0", "-runtime", "torch") == 0
    assert "NOT ON THE GPU. -gpu 0: PyTorch finds no GPU" in capsys.readouterr().err


def test_flags_without_effect_are_told(here, capsys):
    photo(here / "in.png")
    assert run("-input_image", "in.png", "-jobs", "2", "-temporal_alpha", "0.5", "-tf32", "1") == 0
    told = capsys.readouterr().err
    assert "-jobs has no effect without -input_dir" in told
    assert "-temporal_alpha has no effect without -input_video" in told
    assert "-tf32 1 has no effect without -gpu 0" in told


def test_verbose_tells_runtime_and_format(here, capsys):
    photo(here / "in.png")
    assert run("-input_image", "in.png", "-verbose", "1") == 0
    told = capsys.readouterr().err
    assert re.search(r"runs on ONNX Runtime \d+\.\d+\.\d+, CPU", told)
    assert "values: vgg, as net.safetensors was trained" in told


def test_a_run_is_repeated_from_its_saved_config(here):
    photo(here / "in.png")
    assert (
        run(
            "-input_image",
            "in.png",
            "-output_image",
            "a.ppm",
            "-median_filter",
            "2",
            "-save_config",
            "run.yml",
        )
        == 0
    )
    saved = read_yaml("run.yml", TransformSettings())
    assert (saved.median_filter, saved.image_size, saved.input_image) == (2, 0, "in.png")
    assert main(["-config", "run.yml", "-output_image", "b.ppm"]) == 0
    assert (here / "a.ppm").read_bytes() == (here / "b.ppm").read_bytes()


def test_a_film_and_a_sequence(here, capsys):
    make_film(here / "in.mp4")
    assert run("-input_video", "in.mp4", "-output_video", "frames/%03d.png") == 1  # the folder is not there
    (here / "frames").mkdir()
    assert run("-input_video", "in.mp4", "-output_video", "frames/%03d.png") == 0
    first = sorted((here / "frames").iterdir())[0].name
    count = len(list((here / "frames").iterdir()))
    assert capsys.readouterr().out == f"Writing output video to frames/%03d.png ({count} frames)\n"
    assert run("-input_video", "in.mp4", "-output_video", "out.mp4") == 0
    assert f"({count} frames)" in capsys.readouterr().out
    assert first == "001.png"


def test_help_is_quick_and_complete():
    code = "import sys; from cli.fast_neural_style import main; main(['-help']); print(sorted(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    text, modules = shown.stdout.rsplit("\n", 2)[0], shown.stdout.splitlines()[-1]
    assert text.startswith("Usage: fast_neural_style [options]\n  -model                Th")
    for heavy in ("'torch'", "'numpy'", "'onnx'", "'onnxruntime'", "'scipy'"):
        assert heavy not in modules


def test_without_a_model_the_bundled_network_is_used(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    photo = str(ROOT / "configs" / "images" / "content_cat.jpg")
    assert main(["-input_image", photo, "-image_size", "96", "-output_image", "out.png"]) == 0
    said = "models/instance_norm/candy.t7 not found; using the bundled network evening.onnx"
    assert said in capsys.readouterr().err
    record = json.loads((tmp_path / "out.png.json").read_text())
    bundled = hashlib.sha256((ROOT / "vgg_models" / "evening.onnx").read_bytes()).hexdigest()
    assert record["inputs"]["model"] == [{"file": "evening.onnx", "sha256": bundled}]
    with Image.open("out.png") as picture:
        pixels = np.asarray(picture, float).reshape(-1, 3)
    brightness = pixels.sum(1)
    red, _, blue = pixels[brightness < np.median(brightness)].mean(0)
    assert blue > 1.3 * red  # the painting's shadows are blue, the photo's are brown
