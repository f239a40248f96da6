"""Damaged and malicious .t7 files: a value or a one-line error, in memory and time of the file's size."""

import tracemalloc

import numpy as np
import pytest

from core.errors import NeuralStyleError, T7Error
from core.t7 import Function, Table, TorchObject, load_t7
from core.transform.networks.load import load_network

READABLE = {"bad_nover", "bad_trail", "bad_type6", "bad_unkcls", "bad_cudalong"}
MUTATIONS = 10_000
SMALL = ("num", "str", "special", "table", "tensors", "func", "class", "unref", "long4", "long8", "big")


@pytest.fixture
def folder(shared):
    return shared / "golden" / "fast_neural_style" / "t7_format"


def outcome(path):
    """The value, or the error's text; whatever else is raised fails the test."""
    try:
        return load_t7(path).value
    except T7Error as error:
        text = str(error)
        assert text.startswith(f"{path}: ")
        assert "\n" not in text
        assert len(text) < len(str(path)) + 300
        return text


def test_all_malformed_files(folder):
    names = sorted(path.stem for path in (folder / "malformed").iterdir())
    assert len(names) == 30
    tracemalloc.start()
    results = {name: outcome(folder / "malformed" / f"{name}.t7") for name in names}
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20  # the largest of them has 100 kB
    assert {name for name, value in results.items() if not isinstance(value, str)} == READABLE


def test_right_values_where_the_file_has_one(folder):
    file = load_t7(folder / "malformed" / "bad_trail.t7")
    assert file.trailing > 0
    assert file.value == 1.0
    assert load_t7(folder / "malformed" / "bad_nover.t7").value.tolist() == [0, 1, 2, 3]
    assert load_t7(folder / "malformed" / "bad_cudalong.t7").value.tolist() == [7, 8]
    unknown = load_t7(folder / "malformed" / "bad_unkcls.t7").value
    assert isinstance(unknown, TorchObject)
    assert unknown.class_name == "foo.Bar"


def mutated(data, rng):
    """One change: a byte, a possible length, a piece removed or repeated, or the end cut off."""
    where = int(rng.integers(len(data)))
    kind = rng.integers(6)
    if kind == 0:
        return data[:where] + bytes([int(rng.integers(256))]) + data[where + 1 :]
    if kind == 1:
        word = rng.choice([0, 1, -1, 2**31 - 1, -(2**31), 255, 2**24])
        return data[:where] + int(word).to_bytes(4, "little", signed=True) + data[where + 4 :]
    if kind == 2:
        word = rng.choice([2**62, -(2**62), 2**40, 2**33, -1])
        return data[:where] + int(word).to_bytes(8, "little", signed=True) + data[where + 8 :]
    if kind == 3:
        return data[:where]
    if kind == 4:
        return data[:where] + data[where + int(rng.integers(1, 20)) :]
    return data[:where] + data[where : where + int(rng.integers(1, 40))] + data[where:]


def test_ten_thousand_mutations(folder, tmp_path):
    rng = np.random.default_rng(7)
    files = [path for name in SMALL for path in folder.glob(f"{name}*.t7")]
    originals = [path.read_bytes() for path in files]
    bound = 64 * max(map(len, originals)) + (4 << 20)
    path, failures = tmp_path / "mutated.t7", 0
    tracemalloc.start()
    for number in range(MUTATIONS):
        path.write_bytes(mutated(originals[number % len(originals)], rng) or b"\0")
        failures += isinstance(outcome(path), str)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < bound
    assert MUTATIONS // 10 < failures < MUTATIONS


def test_mutated_networks_load_or_fail_in_one_line(shared, tmp_path):
    original = (shared / "golden" / "fast_neural_style" / "in_zero_ascii.t7").read_bytes()
    rng, path, failed = np.random.default_rng(8), tmp_path / "net.t7", 0
    for _ in range(150):
        path.write_bytes(mutated(original, rng))
        try:
            load_network(path)
        except NeuralStyleError as error:
            failed += 1
            assert str(error).startswith(f"{path}: ")
            assert "\n" not in str(error)
    assert failed > 10


def test_deep_nesting_and_cycles_do_not_exhaust_the_stack(folder, tmp_path):
    value = outcome(folder / "malformed" / "bad_deep.t7")
    assert "nest" in value if isinstance(value, str) else isinstance(value, Table)
    # type 3: table, index 1, one entry: key 1.0, value: the table itself
    cycle = b"".join(
        [
            *((3).to_bytes(4, "little"), (1).to_bytes(4, "little"), (1).to_bytes(4, "little")),
            *((1).to_bytes(4, "little"), np.float64(1).tobytes()),
            *((3).to_bytes(4, "little"), (1).to_bytes(4, "little")),
        ]
    )
    (tmp_path / "cycle.t7").write_bytes(cycle)
    table = load_t7(tmp_path / "cycle.t7").value
    assert table.get(1) is table
    assert not isinstance(table, Function)


def test_depth_is_counted_through_back_references(tmp_path):
    def word(number):
        return number.to_bytes(4, "little")

    def table(index, *values):
        keys = range(1, len(values) + 1)
        entries = (
            word(1) + np.float64(key).tobytes() + value for key, value in zip(keys, values, strict=True)
        )
        return word(3) + word(index) + word(len(values)) + b"".join(entries)

    def chain(first, innermost):
        """A hundred nested tables; ``first`` is the index of the outermost one."""
        for index in reversed(range(first, first + 100)):
            innermost = table(index, innermost)
        return innermost

    back_to_first = word(3) + word(1000)
    (tmp_path / "flat.t7").write_bytes(table(1, chain(1000, word(0)), back_to_first, back_to_first))
    assert isinstance(outcome(tmp_path / "flat.t7"), Table)
    (tmp_path / "deep.t7").write_bytes(table(1, chain(1000, word(0)), chain(2000, back_to_first)))
    assert "nested more than 120 deep" in outcome(tmp_path / "deep.t7")
