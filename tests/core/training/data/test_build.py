"""nstyle dataset: the contents of the file, files left out, and continuing after kill -9."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from scipy.ndimage import gaussian_filter

from cli.__main__ import main
from core.settings.training import TrainSettings
from core.training.data import build_part as dataset_part
from core.training.data.build import Begun, DatasetPlan, Skipped, Stored, build_dataset
from core.training.data.open_batches import open_batches
from core.training.data.picture_files import load_rgb
from core.training.data.pieces import Squares, low_resolution
from tests.conftest import ROOT
from tests.core.training.data.test_batches import squared
from tests.support.picture_folders import pixels, write_pictures


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def build(*words, status=0):
    outcome = CliRunner().invoke(main, ["dataset", "build", *map(str, words)])
    assert outcome.exit_code == status, outcome.output
    return outcome


def read(name, path="out.h5"):
    with h5py.File(path) as file:
        assert file[name].dtype == np.uint8 and file[name].chunks is None
        return file[name][:]


def test_layout_and_pixels_of_the_original(here):
    write_pictures(here / "train", 3), write_pictures(here / "val", 2, seed=9, height=17, width=70)
    outcome = build("--train", "train", "--val", "val", "-o", "out.h5", "--size", 24)
    np.testing.assert_array_equal(read("/train2014/images"), [squared(pixels(i), 24) for i in range(3)])
    expected = [squared(pixels(9 + i, 17, 70), 24) for i in range(2)]
    np.testing.assert_array_equal(read("/val2014/images"), expected)
    assert outcome.stdout.splitlines() == [
        "out.h5",
        "  /train2014/images  3 x 3 x 24 x 24",
        "  /val2014/images  2 x 3 x 24 x 24",
    ]
    assert outcome.stderr == ""
    assert sorted(path.name for path in here.iterdir()) == ["out.h5", "train", "val"]


def test_every_kind_of_picture(here):
    (here / "train").mkdir()
    values, save = pixels(0, 32, 32), here / "train"
    colours = Image.fromarray(values)
    alpha = Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32), np.uint8))
    gray = colours.convert("L")
    palette = colours.quantize(8)
    colours.save(save / "a.jpg", quality=95)
    colours.convert("CMYK").save(save / "b.jpeg", quality=95)
    gray.save(save / "c.PNG")
    Image.merge("RGBA", [*colours.split(), alpha]).save(save / "d.png")
    Image.merge("LA", [gray, alpha]).save(save / "e.png")
    palette.save(save / "f.png")
    palette.save(save / "g.png", transparency=bytes(range(8)))
    Image.fromarray(np.asarray(gray).astype(np.uint16) * 257).save(save / "h.png")
    gray.convert("1").save(save / "i.png")
    build("--train", "train", "-o", "out.h5", "--size", 32)
    stored = read("/train2014/images").transpose(0, 2, 3, 1)
    for number, wanted in (
        (2, gray),
        (4, gray),
        (5, palette),
        (6, palette),
        (7, gray),
        (8, gray.convert("1")),
    ):
        np.testing.assert_array_equal(stored[number], np.asarray(wanted.convert("RGB")), str(number))
    np.testing.assert_array_equal(stored[3], values)
    np.testing.assert_array_equal(stored[0], np.asarray(Image.open(save / "a.jpg")))
    assert np.abs(stored[1].astype(int) - values).mean() < 8


def bad_files(folder: Path) -> None:
    """Unusable files beside 00..05: one truncated, one empty, one too small, one text file."""
    whole = (folder / "02.png").read_bytes()
    (folder / "02.png").write_bytes(whole[: len(whole) // 2])
    (folder / "01a.jpg").write_bytes(b"")
    Image.fromarray(pixels(0, 15, 40)).save(folder / "01b.png")
    (folder / "99.jpg").write_text("<html>")
    (folder / "readme.txt").write_text("is no picture by its name and not looked at")


def test_bad_files_are_said_and_left_out(here):
    bad_files(write_pictures(here / "train", 6))
    outcome = build("--train", "train", "-o", "out.h5", "--size", 32)
    good = (0, 1, 3, 4, 5)
    np.testing.assert_array_equal(read("/train2014/images"), [squared(pixels(i)) for i in good])
    said = [line.removeprefix("nstyle dataset build: ") for line in outcome.stderr.splitlines()]
    assert said[0].startswith("train/01a.jpg: the file is empty")
    assert said[1] == "train/01b.png: 40x15 pixels are too few; left out"
    assert said[2].startswith("train/99.jpg: not a JPEG, PNG, PPM or PGM picture")
    assert said[3].startswith("train/02.png: damaged or incomplete PNG")
    assert len(said) == 4 and "4 files left out" in outcome.stdout


@pytest.mark.parametrize(
    ("limit", "good"), [(2, (0, 1)), (3, (0, 1, 3)), (5, (0, 1, 3, 4, 5)), (9, (0, 1, 3, 4, 5))]
)
def test_limit_counts_good_pictures(here, limit, good):
    bad_files(write_pictures(here / "train", 6))
    build("--train", "train", "-o", "out.h5", "--size", 32, "--max-images", limit)
    np.testing.assert_array_equal(read("/train2014/images"), [squared(pixels(i)) for i in good])


def test_patches_for_super_resolution(here):
    write_pictures(here / "train", 2, height=70, width=66)
    Image.fromarray(pixels(5, 31, 90)).save(here / "train" / "05.png")  # no patch fits
    words = ("--task", "upsample", "--train", "train", "-o", "out.h5", "--factors", "8,2", "--patch", 32)
    outcome = build(*words)
    assert outcome.stdout.splitlines()[1:] == [
        "  /train/y  8 x 3 x 32 x 32",
        "  /train/x_2  8 x 3 x 16 x 16",
        "  /train/x_8  8 x 3 x 4 x 4",
        "  1 files left out",
    ]
    y = read("/train/y")
    np.testing.assert_array_equal(y[7], pixels(1, 70, 66)[32:64, 32:64].transpose(2, 0, 1))
    for factor in (2, 8):
        np.testing.assert_array_equal(read(f"/train/x_{factor}"), [low_resolution(p, factor) for p in y])
    build(*words, "--stride", 17, "--max-patches", 5)
    corners = [(0, 0), (0, 17), (0, 34), (17, 0), (17, 17)]
    expected = [pixels(0, 70, 66)[t : t + 32, left : left + 32].transpose(2, 0, 1) for t, left in corners]
    np.testing.assert_array_equal(read("/train/y"), expected)
    assert read("/train/x_8").shape == (5, 3, 4, 4)


def test_low_resolution_is_blur_then_bicubic():
    y = pixels(3, 32, 48).transpose(2, 0, 1).copy()
    plane = gaussian_filter(y[1].astype(np.float32), 1.0)
    wanted = np.asarray(Image.fromarray(plane).resize((12, 8), Image.Resampling.BICUBIC))
    np.testing.assert_array_equal(low_resolution(y, 4)[1], np.rint(wanted.clip(0, 255)).astype(np.uint8))
    flat = np.full((3, 32, 32), 77, np.uint8)
    np.testing.assert_array_equal(low_resolution(flat, 8), np.full((3, 4, 4), 77))


def test_number_of_threads_does_not_show(here):
    bad_files(write_pictures(here / "train", 6))
    files = []
    for workers in (1, 5):
        time.sleep(1.1 * len(files))  # no date is in the file
        build("--train", "train", "-o", "out.h5", "--size", 16, "--workers", workers)
        files.append(Path("out.h5").read_bytes())
    assert files[0] == files[1]


def test_stopped_and_gone_on(here, monkeypatch):
    """Closing the generator interrupts the build; stored pictures are not decoded again."""
    monkeypatch.setattr(dataset_part, "SAVED_EVERY", 1)
    bad_files(write_pictures(here / "train", 6))
    plan, folders = DatasetPlan(Squares(32)), {"train": Path("train")}
    straight = list(build_dataset(Path("straight.h5"), folders, plan, 2))
    loaded = []
    monkeypatch.setattr(
        "core.training.data.build.load_rgb", lambda path: loaded.append(path.name) or load_rgb(path)
    )
    for events_taken in (6, 6, 5):  # three Skipped, Begun, two pictures or one
        events = build_dataset(Path("out.h5"), folders, plan, 1)
        taken = [next(events) for _ in range(events_taken)]
        events.close()
        assert len(loaded) <= events_taken
        assert Path("out.h5.part.json").exists() and not Path("out.h5").exists()
        loaded.clear()
    assert [type(event) for event in taken] == [Skipped] * 3 + [Begun, Stored]
    rest = list(build_dataset(Path("out.h5"), folders, plan, 2))
    assert loaded == ["05.png"]
    assert rest[-1] == straight[-1]
    assert Path("out.h5").read_bytes() == Path("straight.h5").read_bytes()
    assert not list(here.glob("*.part*"))


def test_another_plan_begins_anew(here, monkeypatch):
    monkeypatch.setattr(dataset_part, "SAVED_EVERY", 1)
    folder = write_pictures(here / "train", 4)
    for seed in (0, 70):
        write_pictures(folder, 1, seed)
        events = build_dataset(Path("out.h5"), {"train": Path("train")}, DatasetPlan(Squares(24)), 1)
        assert next(events) == Begun(4, 0)
        assert [next(events), next(events)] == [Stored(1), Stored(1)]
        events.close()
    assert json.loads(Path("out.h5.part.json").read_text())["state"]["train"]["stored"] == 2
    Path("out.h5.part").write_bytes(b"cut off")
    build("--train", "train", "-o", "out.h5", "--size", 24)
    expected = [squared(pixels(i), 24) for i in (70, 1, 2, 3)]
    np.testing.assert_array_equal(read("/train2014/images"), expected)


SLOWLY = """
import sys, time
from core.training.data import build as dataset_build
from core.training.data import build_part as dataset_part
dataset_part.SAVED_EVERY = 1
load = dataset_build.load_rgb
dataset_build.load_rgb = lambda path: time.sleep(0.02) or load(path)
from cli.__main__ import main
main(sys.argv[1:])
"""


def test_kill_and_go_on(here):
    write_pictures(here / "train", 40), write_pictures(here / "val", 3, seed=60)
    bad_files(here / "val")
    words = [
        "dataset",
        "build",
        "--train",
        "train",
        "--val",
        "val",
        "-o",
        "out.h5",
        "--size",
        "32",
        "--workers",
        "2",
    ]
    journal, ends = here / "out.h5.part.json", []
    for stored in (5, 20):
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(
            [sys.executable, "-c", SLOWLY, *words], env=environment, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and _stored(journal) < stored:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        ends.append(process.wait())
        assert not Path("out.h5").exists()
    assert ends == [-9, -9] and 20 <= _stored(journal) < 40
    outcome = build(*words[2:])
    assert "continuing after" in outcome.stderr
    np.testing.assert_array_equal(read("/train2014/images"), [squared(pixels(i)) for i in range(40)])
    np.testing.assert_array_equal(read("/val2014/images"), [squared(pixels(60 + i)) for i in (0, 1)])


def _stored(journal):
    return json.loads(journal.read_text())["state"]["train"]["stored"] if journal.exists() else 0


@pytest.mark.parametrize("task", ["style", "upsample"])
def test_folders_and_the_file_of_them_train_alike(here, task):
    folder = write_pictures(here / "train", 3, height=70, width=66)
    (folder / "00a.jpg").write_text("no picture")
    size = ("--size", 32) if task == "style" else ("--patch", 32, "--factors", "4")
    build("--train", "train", "-o", "out.h5", "--task", task, *size)
    flags = TrainSettings(task=task, h5_file="out.h5", train_size=32.0, num_val_batches=0.0, batch_size=5.0)
    with pytest.warns(UserWarning, match=r"00a\.jpg: not a JPEG"):
        from_folder = open_batches(flags.replace(train_dir="train"))
    with closing(open_batches(flags)) as stored, closing(from_folder) as decoded:
        assert stored.training_size == decoded.training_size == (3 if task == "style" else 12)
        for _ in range(4):
            for ours, theirs in zip(stored.training(), decoded.training(), strict=True):
                np.testing.assert_array_equal(ours, theirs)


def test_the_originals_library_can_read_it(here):
    """torch-hdf5 is built on HDF5 1.8: superblock 0, little-endian bytes, no filters."""
    write_pictures(here / "train", 2)
    build("--train", "train", "-o", "out.h5", "--size", 16)
    content = Path("out.h5").read_bytes()
    assert content[:9] == b"\x89HDF\r\n\x1a\n\x00"
    with h5py.File("out.h5") as file:
        made = file["train2014/images"].id
        assert made.get_type().equal(h5py.h5t.STD_U8LE)
        assert made.get_create_plist().get_nfilters() == 0
        pixels_ = read("/train2014/images").tobytes()
        assert content[made.get_offset() :][: len(pixels_)] == pixels_


def test_show(here):
    write_pictures(here / "train", 2)
    build("--train", "train", "-o", "out.h5", "--size", 16)
    with h5py.File("out.h5", "a") as file:
        file.create_dataset("a/packed", data=np.arange(10.0), chunks=(3,), compression="gzip")
        file["number"] = 7
    outcome = CliRunner().invoke(main, ["dataset", "show", "out.h5"])
    digests = [
        hashlib.sha256(values.tobytes()).hexdigest()
        for values in (np.arange(10.0), np.array(7), np.array([squared(pixels(i), 16) for i in range(2)]))
    ]
    lines = [line.split() for line in outcome.stdout.splitlines()]
    assert lines == [
        ["/a/packed", "10", "float64", "chunked", "sha256", digests[0]],
        ["/number", "int64", "contiguous", "sha256", digests[1]],
        [
            "/train2014/images",
            "2",
            "x",
            "3",
            "x",
            "16",
            "x",
            "16",
            "uint8",
            "contiguous",
            "sha256",
            digests[2],
        ],
    ]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["--train", "none"],
            "none: cannot be read: No such file or directory; name a folder of pictures",
        ),
        (["--train", "train", "--patch", "64"], "--patch is for --task upsample, not for --task style"),
        (["--train", "train", "--task", "upsample", "--size", "64"], "--size is for --task style"),
        (
            ["--train", "train", "--task", "upsample", "--factors", "3"],
            "--factors 3: must be some of 2, 4, 8",
        ),
        (
            ["--train", "train", "--task", "upsample", "--factors", "4,8", "--patch", "36"],
            "--patch 36: must be a multiple of every factor; it is not a multiple of 8",
        ),
        (
            ["--train", "bad"],
            "bad: contains no usable picture; the first problem: bad/a.png: the file is empty",
        ),
        (["--train", "cut"], "cut: contains no picture that can be decoded"),
        (["--train", "train", "-o", "train"], "-o train: is a folder; name a file"),
        (
            ["--train", "train", "-o", "no/out.h5"],
            "-o no/out.h5: cannot be written; check that the folder no exists",
        ),
    ],
)
def test_errors(here, words, sentence):
    whole = (write_pictures(here / "train", 1) / "00.png").read_bytes()
    for folder, content in (("bad", b""), ("cut", whole[:-30])):
        (here / folder).mkdir()
        (here / folder / "a.png").write_bytes(content)
    outcome = build("-o", "out.h5", *words, status=1)
    assert outcome.stderr.splitlines()[-1].startswith(f"nstyle dataset build: {sentence}")
    assert outcome.stdout == "" and not Path("out.h5").exists()


def test_full_disk(here):
    """A full device gives a one-line error that says what to do."""
    write_pictures(here / "train", 2)
    Path("out.h5.part.json").mkdir()
    outcome = build("--train", "train", "-o", "out.h5", status=1)
    assert (
        outcome.stderr.endswith("run the command again to continue\n")
        and len(outcome.stderr.splitlines()) == 1
    )


def test_without_h5py(here, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    outcome = CliRunner().invoke(main, ["dataset", "show", "out.h5"])
    assert outcome.exit_code == 1
    assert outcome.stderr == ("nstyle dataset show: out.h5: HDF5 files need h5py: pip install h5py\n")
