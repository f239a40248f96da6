"""Damaged and hostile caffemodels: any bytes give a network or a one-line error."""

from __future__ import annotations

import tracemalloc
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caffe_loader import CaffemodelError, chain, open_caffemodel, to_module
from tests.conftest import ROOT, SHARED
from tests.support import caffemodel_factory as factory

MODELS = sorted((SHARED / "golden" / "neural_style" / "models").glob("*.caffemodel"))
BUNDLED = ROOT / "vgg_models" / "vgg19_small.caffemodel"
SPELLINGS = factory.net(
    factory.layer(
        "V2",
        "c",
        "Convolution",
        factory.blob(factory.weights(2, 3, 1, 1), packed=False),
        factory.blob(factory.weights(2), double=True),
        convolution_param={"kernel_h": 1, "kernel_w": 1, "group": 1},
    ),
    factory.convolution("V2", "d", 4, 1, group=2),
)
BASES = [
    *(factory.small_net("V1"), factory.small_net("V2"), SPELLINGS),
    *(path.read_bytes() for path in [BUNDLED, *MODELS]),
]
QUICK = settings(max_examples=200, deadline=None, derandomize=True, database=None)


@dataclass(frozen=True)
class Base:
    """A valid file, and the offsets of its bytes that are not weights, which are the ones to damage."""

    content: bytes = field(repr=False)
    structure: list[int] = field(repr=False)


def analysed(content: bytes, folder: Path) -> Base:
    path = folder / "base.caffemodel"
    path.write_bytes(content)
    offsets: list[int] = []
    end = 0
    with open_caffemodel(path) as model:
        blobs = [blob for layer in model.layers for blob in layer.blobs]
        for blob in sorted(blobs, key=lambda blob: blob.offset):
            offsets += range(end, blob.offset)
            end = blob.offset + blob.nbytes
    return Base(content, [*offsets, *range(end, len(content))])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile")


@pytest.fixture(scope="module")
def bases(folder: Path) -> list[Base]:
    return [analysed(content, folder) for content in BASES]


def outcome(path: Path, content: bytes) -> str:
    """Use everything in a file of these bytes; "fine", or the error's message without the path."""
    path.write_bytes(content)
    try:
        with open_caffemodel(path) as model:
            for layer in model.layers:
                for blob in layer.blobs:
                    assert blob.array().shape == blob.shape
            chain(model)
            to_module(model)
    except CaffemodelError as error:
        message = str(error)
        assert message.isprintable()
        assert message.startswith(f"{path}: ")
        return message.removeprefix(f"{path}: ")
    return "fine"


PLACES = st.integers(0, (1 << 40) - 1)
EDITS = st.lists(
    st.tuples(
        st.sampled_from(["flip", "cut", "splice", "length", "drop", "insert"]),
        PLACES,  # among the structure
        PLACES,  # a bit, a size or another place
        st.binary(min_size=1, max_size=12),
    ),
    min_size=1,
    max_size=4,
)


def edited(base: Base, edits: list[tuple[str, int, int, bytes]]) -> bytes:
    content, structure = base.content, base.structure
    for kind, where, other, extra in edits:
        at = min(structure[where % len(structure)], len(content))
        size = other % 40 + 1
        if kind == "flip" and at < len(content):
            flipped = content[at] ^ 1 << other % 8
            content = content[:at] + bytes([flipped]) + content[at + 1 :]
        elif kind == "cut":
            content = content[:at]
        elif kind == "splice":
            start = structure[other % len(structure)]
            content = content[:at] + content[start : start + 1000] + content[at:]
        elif kind == "length":
            content = content[:at] + factory.varint(2 ** (other % 64)) + content[at + 1 :]
        elif kind == "drop":
            content = content[:at] + content[at + size :]
        else:
            content = content[:at] + extra + content[at:]
    return content


@QUICK
@given(base=st.integers(0, len(BASES) - 1), edits=EDITS)
def test_mutated_files(
    bases: list[Base],
    folder: Path,
    base: int,
    edits: list[tuple[str, int, int, bytes]],
) -> None:
    outcome(folder / "mutated.caffemodel", edited(bases[base], edits))


@settings(QUICK, max_examples=600)
@given(base=st.integers(0, len(BASES) - 1), flips=st.lists(st.tuples(PLACES, PLACES), min_size=1, max_size=2))
def test_flipped_bits(bases: list[Base], folder: Path, base: int, flips: list[tuple[int, int]]) -> None:
    """Flipped bits leave most lengths valid, so that the reader gets further into the file."""
    edits = [("flip", where, bit, b"") for where, bit in flips]
    outcome(folder / "flipped.caffemodel", edited(bases[base], edits))


@QUICK
@given(content=st.binary(max_size=300), version=st.sampled_from(["V1", "V2", "any"]))
def test_arbitrary_bytes(folder: Path, content: bytes, version: str) -> None:
    """Noise as a file, and noise inside a layer."""
    if version != "any":
        content = factory.content(factory.LAYER_FIELD[version], content)
    outcome(folder / "noise.caffemodel", content)


@QUICK
@given(position=PLACES, base=st.integers(0, len(BASES) - 1))
def test_memory_stays_within_the_file(bases: list[Base], folder: Path, position: int, base: int) -> None:
    """A length or size that is too large allocates at most the file's size, plus the index."""
    content, structure = bases[base].content, bases[base].structure
    at = structure[position % len(structure)]
    content = content[:at] + factory.varint(1 << 40) + content[at + 1 :]
    path = folder / "blown.caffemodel"
    path.write_bytes(content)
    resident = psutil.Process().memory_info().rss
    tracemalloc.start()
    try:
        with open_caffemodel(path) as model:
            arrays = [blob.array() for layer in model.layers for blob in layer.blobs]
            chain(model)
            del arrays
    except CaffemodelError:
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < len(content) + (1 << 20)
    assert psutil.Process().memory_info().rss - resident < len(content) + (16 << 20)


@pytest.mark.parametrize(
    "unit",
    [
        b"\x12\x00",  # empty V1 layers
        b"\xa2\x06\x00",  # empty V2 layers
        b"\x20\x01",  # input dimensions
        b"\x42\x00",  # input shapes
        b"\x0a\x00",  # names
        b"\xf8\x3f\x01",  # a field nobody knows
    ],
)
def test_a_million_small_fields(tmp_path: Path, unit: bytes) -> None:
    content = unit * (1 << 20)
    path = tmp_path / "many.caffemodel"
    path.write_bytes(content)
    tracemalloc.start()
    with pytest.raises(CaffemodelError):
        open_caffemodel(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < len(content) + (8 << 20)


@pytest.mark.parametrize(
    "unit",
    [
        b"\x3a\x00",  # empty blobs
        b"\x3a\x02\x2a\x00",  # blobs with empty data
        b"\xd2\x06\x02\x18\x01",  # parameters of one value each
        b"\xd2\x06\x00",
        b"\x0a\x00",
    ],
)
def test_a_layer_of_many_small_fields(tmp_path: Path, unit: bytes) -> None:
    content = factory.content(100, unit * 200_000)
    path = tmp_path / "many.caffemodel"
    path.write_bytes(content)
    tracemalloc.start()
    with pytest.raises(CaffemodelError, match="too many layers and parameters"):
        open_caffemodel(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < len(content) + (8 << 20)


def test_deep_nesting(tmp_path: Path) -> None:
    """Messages within messages, 20000 deep, where the schema has none: the inner ones are not followed."""
    nested = b""
    for _ in range(20_000):
        nested = factory.content(7, nested)
    path = tmp_path / "deep.caffemodel"
    assert outcome(path, factory.content(100, factory.content(106, nested))) == "fine"
    assert "does not fit 0 stored values" in outcome(path, factory.content(100, nested))
    groups = b"\x0b" * 100_000
    assert "wire type 3" in outcome(path, factory.content(100, groups))
    assert "cannot be parsed" in outcome(path, factory.content(100, factory.content(106, groups)))
