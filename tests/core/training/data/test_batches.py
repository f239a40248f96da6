"""The batches of a training: order, epochs, seeking, threads, and damaged files."""

import threading
import time
import warnings
from dataclasses import dataclass

import h5py
import numpy as np
import pytest
from PIL import Image

from core.errors import DatasetError, SettingsError
from core.training.data.batches import Batch
from core.training.data.open_batches import open_batches
from core.training.data.pieces import low_resolution
from core.training.data.readahead import ReadAhead, in_order
from tests.support.picture_folders import pixels, write_pictures


@dataclass
class Flags:
    h5_file: str = ""
    train_dir: str = ""
    val_dir: str = ""
    train_size: float = 32
    task: str = "style"
    upsample_factor: float = 4
    batch_size: float = 2
    max_train: float = -1
    num_val_batches: float = 2
    workers: float = 2


def squared(values, side=32):
    """A picture as the original's script prepares it: cropped to multiples of 16, Pillow's bilinear."""
    height, width = (size - size % 16 for size in values.shape[:2])
    picture = Image.fromarray(values[:height, :width]).resize((side, side), Image.Resampling.BILINEAR)
    return np.asarray(picture).transpose(2, 0, 1)


@pytest.fixture
def style_file(tmp_path):
    """Five training pictures whose bytes all are their number, three for validation, numbered from 100."""
    path = tmp_path / "style.h5"
    with h5py.File(path, "w") as file:
        file["train2014/images"] = np.full((5, 3, 8, 8), np.arange(5).reshape(5, 1, 1, 1), np.uint8)
        file["val2014/images"] = np.full((3, 3, 8, 8), 100 + np.arange(3).reshape(3, 1, 1, 1), np.uint8)
    return path


@pytest.fixture
def opened():
    """open_batches, closed at the end."""
    kept = []

    def open_(**flags):
        kept.append(open_batches(Flags(**flags)))
        return kept[-1]

    yield open_
    for batches in kept:
        batches.close()


def numbers(batch: Batch) -> list[int]:
    assert batch.x is batch.y and batch.x.dtype == np.uint8 and batch.x.shape[1:] == (3, 8, 8)
    return batch.x[:, 0, 0, 0].tolist()


def test_order_of_passes(style_file, opened):
    batches = opened(h5_file=str(style_file))
    assert batches.training_size == 5
    assert [numbers(batches.training()) for _ in range(5)] == [[0, 1], [2, 3], [4], [0, 1], [2, 3]]
    assert [numbers(batches.validation()) for _ in range(3)] == [[100, 101], [102], [100, 101]]
    batches.rewind_validation()
    assert numbers(batches.validation()) == [100, 101]
    assert numbers(batches.training()) == [4]  # validation moved nothing


@pytest.mark.parametrize("workers", [1, 5])
def test_seek_is_exact(style_file, opened, workers):
    batches = opened(h5_file=str(style_file), workers=workers, batch_size=3)
    straight = [numbers(batches.training()) for _ in range(9)]
    for iteration in (4, 0, 7, 3):
        batches.validation()
        batches.seek(iteration)
        assert [numbers(batches.training()) for _ in range(2)] == straight[iteration : iteration + 2]
        assert numbers(batches.validation()) == [100, 101, 102]


@pytest.mark.parametrize(("limit", "expected"), [(3, [[0, 1], [2], [0, 1]]), (99, [[0, 1], [2, 3], [4]])])
def test_max_train(style_file, opened, limit, expected):
    batches = opened(h5_file=str(style_file), max_train=limit)
    assert [numbers(batches.training()) for _ in range(3)] == expected
    assert batches.training_size == 5  # the original counts epochs by it


def test_batch_larger_than_the_set(style_file, opened):
    batches = opened(h5_file=str(style_file), batch_size=32)
    assert [numbers(batches.training()) for _ in range(2)] == [[0, 1, 2, 3, 4]] * 2


@pytest.fixture
def upsample_file(tmp_path):
    path, random = tmp_path / "sr.h5", np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        for split, count in (("train", 3), ("val", 2)):
            file[f"{split}/y"] = random.integers(0, 256, (count, 3, 32, 32), np.uint8)
            file[f"{split}/x_4"] = random.integers(0, 256, (count, 3, 8, 8), np.uint8)
    return path


def test_upsample(upsample_file, opened):
    batches = opened(h5_file=str(upsample_file), task="upsample")
    with h5py.File(upsample_file) as file:
        for first, end in ((0, 2), (2, 3), (0, 2)):
            x, y = batches.training()
            np.testing.assert_array_equal(x, file["train/x_4"][first:end])
            np.testing.assert_array_equal(y, file["train/y"][first:end])
        np.testing.assert_array_equal(batches.validation().y, file["val/y"][:2])


def write(path, **datasets):
    with h5py.File(path, "w") as file:
        for name, values in datasets.items():
            file[name.replace("__", "/")] = values


PICTURES = np.zeros((2, 3, 8, 8), np.uint8)


@pytest.mark.parametrize(
    ("datasets", "flags", "sentence"),
    [
        (
            {"train2014__images": PICTURES},
            {},
            "has no dataset /val2014/images; it contains /train2014/images",
        ),
        ({}, {}, "has no dataset /train2014/images; it contains nothing"),
        ({"train2014__images": PICTURES.astype(np.float32)}, {}, "/train2014/images is float32; it must be"),
        ({"train2014__images": PICTURES[0]}, {}, r"/train2014/images has shape \(3, 8, 8\)"),
        ({"train2014__images": PICTURES[:0]}, {}, r"/train2014/images has shape \(0, 3, 8, 8\)"),
        ({"train2014__images": PICTURES[:, :1]}, {}, r"/train2014/images has shape \(2, 1, 8, 8\)"),
        ({"train__x_4": PICTURES}, {"task": "upsample"}, "has no dataset /train/y; it contains /train/x_4"),
        (
            {"train__x_4": PICTURES, "train__y": PICTURES[:1]},
            {"task": "upsample"},
            "/train/x_4 has 2 pictures but /train/y has 1",
        ),
        (
            {"train__x_4": PICTURES, "train__y": PICTURES},
            {"task": "upsample"},
            "/train/y has 8x8 pixels and /train/x_4 8x8, which does not match -upsample_factor 4",
        ),
    ],
)
def test_wrong_files(tmp_path, datasets, flags, sentence):
    write(tmp_path / "a.h5", **datasets)
    with pytest.raises(DatasetError, match=sentence) as caught:
        open_batches(Flags(h5_file=str(tmp_path / "a.h5"), **flags))
    assert str(tmp_path / "a.h5") in str(caught.value) and "\n" not in str(caught.value)


def test_no_file_and_no_hdf5(tmp_path):
    with pytest.raises(DatasetError, match=r"none\.h5: cannot be opened: No such file"):
        open_batches(Flags(h5_file=str(tmp_path / "none.h5")))
    (tmp_path / "text.h5").write_text("no")
    with pytest.raises(DatasetError, match=r"text\.h5: cannot be opened as HDF5: damaged"):
        open_batches(Flags(h5_file=str(tmp_path / "text.h5")))
    with pytest.raises(DatasetError, match="cannot be opened: Is a directory"):
        open_batches(Flags(h5_file=str(tmp_path)))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("pictures")]


def test_validation_may_be_left_out(tmp_path, opened):
    write(tmp_path / "a.h5", train2014__images=PICTURES)
    batches = opened(h5_file=str(tmp_path / "a.h5"), num_val_batches=0)
    assert numbers(batches.training()) == [0, 0]
    batches.rewind_validation()
    with pytest.raises(DatasetError, match="-num_val_batches 0"):
        batches.validation()


def test_damage_found_while_reading(tmp_path):
    """A compressed file with a damaged chunk: the error is raised when the batch is requested."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        random = np.random.default_rng(0).integers(0, 256, (4, 3, 64, 64), np.uint8)
        made = file.create_dataset("train2014/images", data=random, chunks=(1, 3, 64, 64), compression="gzip")
        chunk = made.id.get_chunk_info(3)
    with (tmp_path / "a.h5").open("r+b") as raw:
        raw.seek(chunk.byte_offset)
        raw.write(bytes(1000))
    batches = open_batches(Flags(h5_file=str(tmp_path / "a.h5"), num_val_batches=0))
    batches.training()
    with pytest.raises(DatasetError, match=r"/train2014/images: pictures 3 to 4 cannot be read"):
        batches.training()
    batches.close()


def test_folders_give_the_datasets_pixels(tmp_path, opened):
    train, val = write_pictures(tmp_path / "train", 3), write_pictures(tmp_path / "val", 1, seed=50)
    (train / "notes.txt").write_text("no picture")
    batches = opened(train_dir=str(train), val_dir=str(val))
    for numbers_ in ((0, 1), (2,), (0, 1)):
        np.testing.assert_array_equal(batches.training().x, [squared(pixels(i)) for i in numbers_])
    np.testing.assert_array_equal(batches.validation().y, [squared(pixels(50))])


def test_folders_for_super_resolution(tmp_path, opened):
    train = write_pictures(tmp_path / "train", 2, height=70, width=66)
    batches = opened(train_dir=str(train), task="upsample", num_val_batches=0, batch_size=5)
    x, y = batches.training()
    whole = pixels(0, 70, 66).transpose(2, 0, 1)
    corners = [(0, 0), (0, 32), (32, 0), (32, 32)]
    np.testing.assert_array_equal(y[:4], [whole[:, t : t + 32, left : left + 32] for t, left in corners])
    np.testing.assert_array_equal(y[4], pixels(1, 70, 66).transpose(2, 0, 1)[:, :32, :32])
    np.testing.assert_array_equal(x, [low_resolution(patch, 4) for patch in y])
    assert batches.training_size == 8 and x.shape == (5, 3, 8, 8)


@pytest.mark.parametrize("workers", [1, 4])
def test_damaged_pictures_are_left_out_the_same_way(tmp_path, opened, workers):
    train = write_pictures(tmp_path / "train", 5)
    (train / "01.png").write_bytes(b"")  # seen in the first bytes: place 1 becomes 02
    whole = (train / "03.png").read_bytes()
    (train / "03.png").write_bytes(whole[: len(whole) // 2])  # seen in decoding: 04 stands for it
    with pytest.warns(UserWarning) as said:
        batches = opened(train_dir=str(train), num_val_batches=0, workers=workers)
        batches.seek(1)
        read = [batches.training().x for _ in range(4)]
    expected = [[squared(pixels(4))] * 2, [squared(pixels(0)), squared(pixels(2))]] * 2
    for found, wanted in zip(read, expected, strict=True):
        np.testing.assert_array_equal(found, wanted)
    sentences = sorted(str(warning.message) for warning in said)
    assert len(sentences) == 2
    assert (
        sentences[0] == f"{train}/01.png: the file is empty; convert it to PNG or JPEG first; it is left out"
    )
    assert sentences[1].startswith(f"{train}/03.png: damaged or incomplete PNG")


def test_folder_errors(tmp_path):
    train = write_pictures(tmp_path / "train", 1)
    (tmp_path / "empty").mkdir()
    with pytest.raises(SettingsError, match="-train_dir needs -val_dir, or -num_val_batches 0"):
        open_batches(Flags(train_dir=str(train)))
    cases = [
        ("none", "cannot be read: No such file"),
        ("empty", "contains no picture; names must end in .jpg"),
    ]
    for name, sentence in cases:
        with pytest.raises(DatasetError, match=sentence):
            open_batches(Flags(train_dir=str(train), val_dir=str(tmp_path / name)))
    with pytest.raises(
        SettingsError, match="-train_size 30: must be a multiple of the whole number -upsample_factor 4"
    ):
        open_batches(Flags(train_dir=str(train), num_val_batches=0, task="upsample", train_size=30))
    with pytest.raises(SettingsError, match="-train_size 0: must be a whole number"):
        open_batches(Flags(train_dir=str(train), num_val_batches=0, train_size=0))
    (train / "00.png").write_bytes(b"\x89PNG")
    with pytest.raises(DatasetError, match="contains no usable picture"):
        open_batches(Flags(train_dir=str(train), num_val_batches=0))


class Slow:
    """A source with slow reads that counts how many run at once."""

    def __init__(self, seconds):
        self.seconds, self.reads = seconds, []

    def __len__(self):
        return 10

    def read(self, first, end):
        self.reads.append(first)
        time.sleep(self.seconds)
        return Batch(np.full((end - first, 3, 2, 2), first, np.uint8), np.zeros(0, np.uint8))


def test_reading_ahead_keeps_training_from_waiting():
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(4) as pool:
        ahead = ReadAhead(Slow(0.05), 10, 2, pool, 8)
        ahead.next()
        first_wait = ahead.seconds_waited
        for _ in range(8):
            time.sleep(0.04)  # training; four threads need 0.0125 s a batch
            ahead.next()
        ahead.close()
    assert first_wait > 0.04
    assert ahead.seconds_waited - first_wait < 0.2  # 0.4 without reading ahead


def test_the_queue_is_bounded_and_closing_ends_it():
    from concurrent.futures import ThreadPoolExecutor

    source = Slow(0)
    with ThreadPoolExecutor(2) as pool:
        ahead = ReadAhead(source, 10, 1, pool, 3)
        ahead.next()
        deadline = time.monotonic() + 10
        while len(source.reads) < 3 and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(0.05)
        assert sorted(source.reads) == [0, 1, 2]
        ahead.close()
    assert len(source.reads) == 3


def test_errors_come_in_order():
    from concurrent.futures import ThreadPoolExecutor

    def work(number):
        if number == 2:
            raise DatasetError("two")
        return number

    with ThreadPoolExecutor(4) as pool:
        results = in_order(pool, work, range(5), 4)
        assert [next(results), next(results)] == [0, 1]
        with pytest.raises(DatasetError, match="two"):
            next(results)


def test_closing_ends_the_threads(style_file):
    batches = open_batches(Flags(h5_file=str(style_file)))
    batches.training()
    batches.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("pictures")]
    with warnings.catch_warnings(), h5py.File(style_file, "a") as file:  # nobody holds it any more
        assert len(file["train2014/images"]) == 5
