"""Reading .t7 files written by Torch7: every kind of value, in every encoding."""

import math

import numpy as np
import pytest

from core.errors import T7Error
from core.t7 import Function, Table, TorchObject, load_t7


@pytest.fixture
def sample(shared):
    folder = shared / "golden" / "fast_neural_style" / "t7_format"
    return lambda name: load_t7(folder / f"{name}.t7").value


BOTH = ("{}", "{}_ascii")


@pytest.mark.parametrize("form", BOTH)
@pytest.mark.parametrize(
    ("name", "value"),
    [("nil", None), ("num", 1.5), ("str", b"abc"), ("estr", b""), ("true", True), ("false", False)],
)
def test_simple_values(sample, form, name, value):
    found = sample(form.format(name))
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("form", BOTH)
def test_special_numbers(sample, form):
    values = sample(form.format("special")).sequence()
    assert values[:2] == [math.inf, -math.inf]
    assert math.isnan(values[2])
    assert math.copysign(1, values[3]) == -1
    assert values[3:] == [0.0, 1e-320, 2.0**53]


@pytest.mark.parametrize("form", BOTH)
def test_table_with_shared_parts_and_a_cycle(sample, form):
    table = sample(form.format("table"))
    names = table.names()
    assert (names["pi"], names["neg"]) == (3.25, -7)
    assert names["str"] == b"hello\0wor\nld"
    assert (names["t"], names["f"]) == (True, False)
    assert names["empty"].entries == []
    assert table.sequence() == [b"one", 2]
    assert {key: value for key, value in table.entries if key == 2.5} == {2.5: b"frac"}
    assert [value for key, value in table.entries if key is True] == [b"boolkey"]
    assert names["cycle"] is table
    assert names["shared"] is names["nested"].get("a")
    assert names["shared"].get("b").get("c") == 1


@pytest.mark.parametrize("form", BOTH)
def test_tensors_of_every_type(sample, form):
    names = sample(form.format("tensors")).names()
    expected = {
        "b": ("u1", [0, 1, 2, 250, 255, 10, 32]),
        "c": ("i1", [-128, -1, 0, 127]),
        "s": ("i2", [-32768, 5, 32767]),
        "i": ("i4", [-(2**31), 7, 2**31 - 1]),
        "l": ("i8", [-5, 2**40, 3]),
        "h": ("f2", [0.5, 1.25, -3]),
        "stor": ("i8", [4, 5, 6]),
    }
    for name, (kind, values) in expected.items():
        assert names[name].dtype == np.dtype(kind)
        assert names[name].tolist() == values
    assert names["f"].shape == (2, 3, 4)
    assert names["f"].dtype == np.float32
    assert (names["d"].shape, names["d"].dtype) == ((3,), np.float64)
    assert names["empty"].size == names["zst"].size == 0


@pytest.mark.parametrize("form", BOTH)
def test_views_are_views(sample, form):
    names = sample(form.format("tensors")).names()
    f = names["f"]
    assert np.array_equal(names["view"], f.transpose(2, 1, 0)[1:3])
    assert np.array_equal(names["sel"], f[1])
    assert names["exp"].tolist() == [[1, 2], [1, 2], [1, 2]] or names["exp"].shape == (2, 3)
    assert 0 in names["exp"].strides
    for name in ("view", "sel", "fst"):
        assert np.shares_memory(names[name], f)
    with pytest.raises(ValueError, match="read-only"):
        f[0] = 1


def test_binary_and_ascii_hold_equal_values(sample):
    binary, text = sample("tensors").names(), sample("tensors_ascii").names()
    assert binary.keys() == text.keys()
    for name, values in binary.items():
        assert np.array_equal(values, text[name])


@pytest.mark.parametrize("form", BOTH)
def test_functions_are_skipped(sample, form):
    names = sample(form.format("func")).names()
    assert isinstance(names["g"], Function)
    assert names["g2"] is names["g"]
    assert isinstance(names["h"], Function)


@pytest.mark.parametrize("form", BOTH)
def test_objects_of_other_classes(sample, form):
    first, second = sample(form.format("class")).sequence()
    assert first is second
    assert isinstance(first, TorchObject)
    assert first.class_name == "my.Cls"
    fields = first.fields.names()
    assert fields["x"] == 5
    assert fields["t"].tolist() == [1, 2]
    assert fields["me"] is first


@pytest.mark.parametrize(
    ("name", "encoding"),
    [("long4", "binary, 4-byte longs"), ("long8", "binary"), ("big", "binary, big endian")],
)
def test_other_machines(shared, name, encoding):
    file = load_t7(shared / "golden" / "fast_neural_style" / "t7_format" / f"{name}.t7")
    assert file.encoding == encoding
    assert file.trailing == 0
    names = file.value.names()
    assert names["l"].tolist() == [-5, 2**30, 3]
    assert names["f"].tolist() == [[3, 3], [3, 3]]
    assert names.get("n", 1.5) == 1.5


def test_without_back_references(sample):
    value = sample("unref")
    assert isinstance(value, Table)
    assert len(value.entries) > 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is an empty file"),
        (b"<html><head><title>301 Moved Permanently</title>", "is a web page, not a model"),
        (b"<!DOCTYPE HTML PUBLIC>", "is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "is a Git LFS pointer"),
        (b"PK\x03\x04" + bytes(60), "is a zip archive, probably a PyTorch .pth"),
        (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", "is a Python pickle, probably an old PyTorch file"),
        (b"\x1f\x8b\x08" + bytes(60), "is a compressed archive"),
        (b"not a model at all\n", "is a text file that begins with"),
        (bytes(range(100, 200)), "is not a Torch7 .t7 file"),
    ],
)
def test_other_files_are_named(tmp_path, content, message):
    path = tmp_path / "candy.t7"
    path.write_bytes(content)
    with pytest.raises(T7Error) as error:
        load_t7(path)
    assert str(error.value).startswith(f"{path}: {message}")
    assert "\n" not in str(error.value)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(T7Error, match=r"absent\.t7: no such file; check the path"):
        load_t7(tmp_path / "absent.t7")
    with pytest.raises(T7Error, match="cannot be read: Is a directory"):
        load_t7(tmp_path)
