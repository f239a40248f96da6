"""The registry of models: identifying, verifying and finding files."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from core.errors import RegistryError
from core.models.registry import (
    MODELS_DIR,
    ModelEntry,
    describe_wrong_file,
    file_digests,
    identify,
    load_registry,
    recognise,
    verify,
)

CONTENT = b"\n\x04tiny" + bytes(range(128, 256)) * 20


def tiny(**changes: Any) -> ModelEntry:
    layers = {"content_layers": ("tiny",), "style_layers": ("tiny",)}
    return replace(load_registry()["vgg19"], name="tiny", file="tiny.caffemodel", **(layers | changes))


def published(**changes: Any) -> ModelEntry:
    digests = {"bytes": len(CONTENT), "md5": hashlib.md5(CONTENT).hexdigest(), "sha256": None}
    return tiny(**(digests | changes))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.caffemodel"
    path.write_bytes(CONTENT)
    return path


def test_registry_holds_the_models_of_the_original() -> None:
    entries = load_registry()
    assert list(entries) == ["vgg19", "vgg16", "vgg19_normalised", "nin", "vgg19_small", "vgg19_8bit"]
    vgg19 = entries["vgg19"]
    assert vgg19.file == "VGG_ILSVRC_19_layers.caffemodel"
    assert (vgg19.bytes, vgg19.md5) == (574671192, "b5c644beabd7cf06bdd9065cfd674c97")
    assert vgg19.urls[0].startswith("http://www.robots.ox.ac.uk/")
    assert vgg19.content_layers == ("relu4_2",)
    assert vgg19.style_layers == ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
    assert not entries["nin"].has_checksum


def test_bundled_model_is_the_registered_one() -> None:
    entry = load_registry()["vgg19_small"]
    found = verify(entry, MODELS_DIR / entry.file)
    assert found.status == "ok" and found.passed
    assert found.message.endswith("is vgg19_small, 1,285,019 bytes, md5 and sha256 as published")
    assert identify(MODELS_DIR / entry.file) == entry == recognise(MODELS_DIR / entry.file)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("md5", "b5c6", "md5 must be 32 lower-case hexadecimal digits or null, not 'b5c6'"),
        ("sha256", 12, "sha256 must be 64 lower-case"),
        ("bytes", 0, "bytes must be a positive whole number or null, not 0"),
        ("bytes", True, "bytes must be a positive whole number or null, not True"),
        ("bytes", "12", "bytes must be"),
        ("file", "../x.caffemodel", "file must be a file name without folders"),
        ("file", "", "file must be"),
        ("proto", "a/b", "proto must be a file name without folders"),
        ("urls", "http://a", "urls must be a list of http or https addresses"),
        ("urls", ["ftp://a"], "urls must be a list"),
        ("page", "example.org", "page must be an http or https address"),
        ("style_layers", [], "style_layers must be a list of layer names"),
        ("content_layers", [1], "content_layers must be a list of layer names"),
        ("what", "two\nlines", "what must be one line of text"),
        ("licence", None, "licence must be one line of text"),
        ("mirror", "x", "unknown key 'mirror'; the keys are file, what, licence"),
    ],
)
def test_mistakes_in_a_registry_are_named(tmp_path: Path, key: str, value: object, expected: str) -> None:
    content = yaml.safe_load((MODELS_DIR / "registry.yaml").read_text())
    content["models"]["vgg16"][key] = value
    path = tmp_path / "registry.yaml"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(RegistryError) as raised:
        load_registry(path)
    assert str(raised.value).startswith(f"{path}: vgg16: {expected}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("models: {a: {file: x}}", "a: key 'what' is missing; write null where a value is not known"),
        ("models: {a: 1}", "a: must be a mapping, not 1"),
        ("models: {}", "has no entries"),
        ("- 1", "has no entries"),
        ("a: [", "not valid YAML: "),
        ("a: !!python/object/apply:os.getcwd []", "not valid YAML: "),
        (None, "cannot be read: No such file or directory"),
    ],
)
def test_other_registry_files_are_refused_in_one_line(
    tmp_path: Path, text: str | None, expected: str
) -> None:
    path = tmp_path / "registry.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(RegistryError) as raised:
        load_registry(path)
    assert str(raised.value).startswith(f"{path}: {expected}")
    assert "\n" not in str(raised.value)


def test_file_digests_reads_once_and_tells_progress(tmp_path: Path) -> None:
    content = bytes(range(256)) * 10_000
    (tmp_path / "x").write_bytes(content)
    portions: list[int] = []
    digests = file_digests(tmp_path / "x", portions.append)
    assert (digests.md5, digests.bytes) == (hashlib.md5(content).hexdigest(), len(content))
    assert digests.sha256 == hashlib.sha256(content).hexdigest()
    assert sum(portions) == len(content) and len(portions) == 3


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, "ok"),
        ({"md5": None, "sha256": hashlib.sha256(CONTENT).hexdigest(), "bytes": None}, "ok"),
        ({"md5": None}, "ok"),
        ({"md5": "0" * 32}, "wrong md5"),
        ({"sha256": "0" * 64}, "wrong sha256"),
        ({"bytes": len(CONTENT) + 1}, "truncated"),
        ({"bytes": len(CONTENT) - 1}, "wrong size"),
        ({"bytes": None, "md5": None}, "unchecked"),
        ({"bytes": None, "md5": None, "style_layers": ("absent",)}, "wrong layers"),
    ],
)
def test_verify(file: Path, changes: dict[str, Any], status: str) -> None:
    found = verify(published(**changes), file)
    assert found.status == status
    assert found.passed == (status in ("ok", "unchecked"))
    assert found.message.startswith(f"{file}: ") and "\n" not in found.message
    assert sorted(path.name for path in file.parent.iterdir()) == ["tiny.caffemodel"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "is an empty file"),
        (b"  <!DOCTYPE html><html>", "is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "is a Git LFS pointer"),
        (b"\x1f\x8b\x08\0", "is a compressed archive"),
        (b"PK\x03\x04", "is a zip archive"),
        (CONTENT[:100], "is truncated to 3.9 % of tiny: 100 bytes instead of 2,566"),
        (CONTENT + b"x", "is not tiny: 2,567 bytes instead of 2,566"),
        (CONTENT, None),
        (None, "no such file"),
    ],
)
def test_describe_wrong_file(tmp_path: Path, content: bytes | None, expected: str | None) -> None:
    path = tmp_path / "x"
    if content is not None:
        path.write_bytes(content)
    described = describe_wrong_file(path, published())
    assert (described is None) if expected is None else (described or "").startswith(f"{path}: {expected}")


def test_sha256_is_recorded_on_the_first_match_and_compared_later(file: Path) -> None:
    record = file.parent / "verified.json"
    entry = published(md5=None)
    assert not verify(replace(entry, bytes=1), file, record=record).passed and not record.exists()
    assert verify(entry, file, record=record).status == "ok"
    digests = file_digests(file)
    expected = {"bytes": len(CONTENT), "md5": digests.md5, "sha256": digests.sha256}
    assert json.loads(record.read_text()) == {"tiny.caffemodel": expected}
    assert verify(entry, file, record=record).status == "ok"
    file.write_bytes(CONTENT[:-1] + b"?")
    found = verify(entry, file, record=record)
    assert found.status == "wrong sha256"
    assert found.message.endswith(f"the sha256 of the first verified file (see {record})")
    assert verify(entry, file).status == "ok"  # by its size, all that was published
    assert sorted(path.name for path in file.parent.iterdir()) == ["tiny.caffemodel", "verified.json"]


def test_published_sha256_is_not_recorded_again(file: Path) -> None:
    record = file.parent / "verified.json"
    assert verify(published(sha256=file_digests(file).sha256), file, record=record).passed
    assert not record.exists()


@pytest.mark.parametrize("text", ["{", "[]", "\xff"])
def test_damaged_record_is_named(file: Path, text: str) -> None:
    record = file.parent / "verified.json"
    record.write_bytes(text.encode("latin-1"))
    with pytest.raises(RegistryError, match=r"verified\.json: not .*; delete it, it is made again"):
        verify(published(), file, record=record)


def test_identify_needs_a_checksum(file: Path) -> None:
    assert identify(file, {"tiny": published()}) == published()
    assert identify(file, {"tiny": published(md5="0" * 32)}) is None
    assert identify(file, {"tiny": published(md5=None)}) is None
    assert identify(file, {"tiny": published()}, file_digests(file)) == published()
