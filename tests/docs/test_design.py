"""docs/design.md: the folders and functions that it names exist."""

import ast
import re

import pytest

from tests.conftest import ROOT

DESIGN = (ROOT / "docs" / "design.md").read_text()
PATHS = DESIGN.partition("## The four paths")[2].partition("\n## ")[0]
STEPS = re.findall(r"^\| [^|]+ \| `([\w/]+\.py)` \| `(\w+)` \|$", PATHS, re.MULTILINE)
FOLDERS = re.findall(r"`((?:core|cli|caffe_loader|tests)/(?:\w+/)?)`", DESIGN)


def test_the_four_paths_are_there():
    titles = re.findall(r"^### (.+)$", PATHS, re.MULTILINE)
    assert titles == ["One picture", "One forward pass", "Many runs", "One training"]
    assert len(STEPS) == 31


@pytest.mark.parametrize(("file", "name"), STEPS)
def test_every_step_names_a_function_of_its_file(file, name):
    body = ast.parse((ROOT / file).read_text()).body
    assert name in [item.name for item in body if isinstance(item, ast.FunctionDef | ast.ClassDef)]


@pytest.mark.parametrize("package", ["core", "cli"])
def test_the_map_names_every_room(package):
    rooms = {f"{path.parent.relative_to(ROOT)}/" for path in (ROOT / package).glob("*/__init__.py")}
    assert rooms <= set(FOLDERS)


def test_every_folder_of_the_map_exists():
    assert [folder for folder in FOLDERS if not (ROOT / folder).is_dir()] == []
