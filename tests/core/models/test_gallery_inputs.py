"""The configs of the original's published pictures: each is complete, marked, and uses known input files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from core.models.checksums import file_digests
from core.models.gallery_inputs import INPUTS_DIR, MANIFEST, load_manifest
from core.settings.flags import flags_of
from core.settings.neural_style import Settings
from core.settings.yaml_files import read_yaml

GALLERY = MANIFEST.parent
CONFIGS = sorted(GALLERY.glob("*.yml"))
MARK = re.compile(r"\s*(\w+):.*\S\s+# (documented|inferred|unknown)  \S.*")
ALWAYS = {
    "content_image",
    "style_image",
    "image_size",
    "num_iterations",
    "content_weight",
    "style_weight",
    "tv_weight",
    "seed",
    "init",
    "optimizer",
    "output_image",
    "save_iter",
    "gpu",
}
each_config = pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)


def runs(config: Path) -> list[dict[str, Any]]:
    """The flags of every run of a config: of the single run, or of each stage with the defaults."""
    content = yaml.safe_load(config.read_text(encoding="utf-8"))
    if "stages" not in content:
        return [content]
    assert set(content) == {"defaults", "stages"}
    return [content["defaults"] | stage for stage in content["stages"].values()]


def settings_of(run: dict[str, Any], folder: Path) -> Settings:
    """The run as neural_style -config reads it from ``folder``."""
    path = folder / "config.yml"
    path.write_text(yaml.safe_dump(run), encoding="utf-8")
    return read_yaml(path, Settings())


def pictures(config: Path) -> Iterator[Path]:
    for run in runs(config):
        styles = run["style_image"]
        names = [run["content_image"], *(styles if isinstance(styles, list) else [styles])]
        yield from ((GALLERY / name).resolve() for name in names)


def test_there_are_36() -> None:
    assert len(CONFIGS) == 36


@each_config
def test_every_run_is_valid(config: Path, tmp_path: Path) -> None:
    for run in runs(config):
        assert set(run) <= set(flags_of(Settings))
        settings = settings_of(run, tmp_path)
        settings.validate()
        assert [sentence for sentence in settings.notices() if "-seed" not in sentence] == []


@each_config
def test_every_parameter_says_how_sure_it_is(config: Path) -> None:
    lines = config.read_text(encoding="utf-8").splitlines()
    rest = [line for line in lines if not MARK.fullmatch(line) and not line.startswith("# ")]
    stages = yaml.safe_load(config.read_text(encoding="utf-8")).get("stages", {})
    assert rest == (["defaults:", "stages:", *(f"  {name}:" for name in stages)] if stages else [])


@each_config
def test_what_matters_is_written_out(config: Path) -> None:
    every = runs(config)
    assert set(every[0]) >= ALWAYS
    for run, before in zip(every[1:], every, strict=False):
        assert set(run) >= ALWAYS - {"seed"}
        assert (run["init"], run["init_image"]) == ("image", before["output_image"])
    assert every[-1]["output_image"] == f"../../results/{config.stem}.png"
    assert [run["output_image"] for run in every[:-1]] == [
        f"../../results/{config.stem}_{number}.png" for number in range(1, len(every))
    ]


@each_config
def test_inputs_are_in_the_manifest(config: Path) -> None:
    known = {INPUTS_DIR / entry.file for entry in load_manifest().values()}
    assert set(pictures(config)) <= known


def test_the_table_agrees_with_the_configs() -> None:
    text = (GALLERY / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(.+)\.png` \| \[(.+)\]\(\2\.yml\) \|", text, re.MULTILINE)
    assert sorted(name for _, name in rows) == [config.stem for config in CONFIGS]
    for picture, name in rows:
        config = (GALLERY / f"{name}.yml").read_text(encoding="utf-8")
        assert f"# documented  examples/outputs/{picture}.png\n" in config


def test_checksums_are_those_of_the_reference_inputs(shared: Path) -> None:
    folder = shared / "golden" / "neural_style_vgg" / "inputs"
    present = [entry for entry in load_manifest().values() if (folder / entry.file).is_file()]
    if not present:
        pytest.skip(f"no pictures in {folder}")
    for entry in present:
        assert None not in (entry.bytes, entry.md5, entry.sha256)
        assert entry.matches(file_digests(folder / entry.file)), entry.name


def test_manifest_names_the_last_commit_of_the_original() -> None:
    urls = [url for entry in load_manifest().values() for url in entry.urls]
    original = [url for url in urls if "/jcjohnson/neural-style/" in url]
    assert len(original) == 14
    assert all("/07c4b8299f8fbdafec0c514fc820ff1d7ff62e46/" in url for url in original)
