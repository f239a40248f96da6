"""README.md: its Python examples run unchanged, and its links have targets."""

import os
import re
import subprocess
import sys

import pytest

from core.pictures.images import load_image
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text()
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def run(code, folder):
    """Run code as a script beside links to the clone's data folders."""
    for name in ("configs", "vgg_models"):
        (folder / name).symlink_to(ROOT / name)
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )


def test_it_is_short():
    assert len(README.splitlines()) < 150
    assert len(EXAMPLES) == 3


def test_one_picture(tmp_path):
    printed = run(EXAMPLES[0], tmp_path).stdout.split("\n")
    losses = [float(line.split()[1]) for line in printed if line]
    assert len(losses) == 20
    assert losses[-1] < losses[0] / 3
    assert load_image(tmp_path / "picture.png").shape == (3, 85, 128)


def test_one_forward_pass(tmp_path):
    run(EXAMPLES[1], tmp_path)
    assert load_image(tmp_path / "fast.png").shape == (3, 170, 254)


def test_a_loss_network_in_a_training_loop(tmp_path):
    code = EXAMPLES[2].replace("    optimizer.step()", "    optimizer.step()\n    print(float(loss))")
    losses = [
        float(line) for line in run("import torch; torch.manual_seed(1)\n" + code, tmp_path).stdout.split()
    ]
    assert len(losses) == 5
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("target", re.findall(r"\]\(([^)#]+)[^)]*\)", README))
def test_links_lead_to_files(target):
    assert target.startswith("https://") or (ROOT / target).exists()
