"""Which weights a run takes, and that the original's convolutions alone give the original's files."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from cli.__main__ import main as nstyle_main
from cli.neural_style import main
from core.models import registry
from core.records.records import read_record
from tests.cli.test_neural_style import PAINTING, PHOTO
from tests.support import vgg_files as files
from tests.support.caffemodel_factory import inner_product
from tests.support.vgg_registry import ORIGINAL, make_registry

FILE = "VGG_ILSVRC_19_layers.caffemodel"


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """vgg_models/ with the copy in eight bits; ``published.caffemodel`` beside it is the registry's vgg19."""
    folder = tmp_path / "vgg_models"
    folder.mkdir()
    make_registry(folder, vgg19=["http://127.0.0.1:9/vgg19"])
    published = files.write_caffe(tmp_path / "published.caffemodel", ORIGINAL)
    published.write_bytes(published.read_bytes() + inner_product("V1", "fc6", 4, 20))
    content = yaml.safe_load((folder / "registry.yaml").read_text())
    content["models"]["vgg19"] |= {
        "bytes": published.stat().st_size,
        "md5": None,
        "sha256": hashlib.sha256(published.read_bytes()).hexdigest(),
    }
    (folder / "registry.yaml").write_text(yaml.safe_dump(content))
    monkeypatch.setattr(registry, "MODELS_DIR", folder)
    monkeypatch.chdir(tmp_path)
    return folder


def nstyle(*arguments: object) -> Result:
    return CliRunner().invoke(nstyle_main, list(map(str, arguments)))


def run(*more: str) -> int:
    words = ["-content_image", PHOTO, "-style_image", PAINTING, "-gpu", "-1", "-image_size", "48"]
    return main([*words, "-seed", "42", "-num_iterations", "2", *more])


def test_without_the_original_the_copy_is_taken_and_told(
    models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run() == 0
    out, err = capsys.readouterr()
    assert (
        "models/VGG_ILSVRC_19_layers.caffemodel not found; models/vgg19_8bit.caffemodel is used, the same "
        "network in 8 bits per weight. It gives the same look, but not the original's picture (28 dB). "
        "To get the original network: make models\n"
    ) in err
    assert out.startswith("Successfully loaded models/vgg19_8bit.caffemodel\n")
    record = read_record(Path("out.png"))
    assert record["settings"]["model_file"] == "models/vgg19_8bit.caffemodel"
    digest = hashlib.sha256((models / "vgg19_8bit.caffemodel").read_bytes()).hexdigest()
    assert record["inputs"]["model_file"] == [{"file": "models/vgg19_8bit.caffemodel", "sha256": digest}]


def test_a_named_model_that_is_missing_is_an_error(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("run.yml").write_text(f"model_file: models/{FILE}\n")
    for words in (("-model_file", f"models/{FILE}"), ("-model_file", "vgg19"), ("-config", "run.yml")):
        assert run(*words) == 1
        err = capsys.readouterr().err
        assert "no such model file" in err and "get it with: nstyle models fetch vgg19" in err
        assert "Traceback" not in err and not Path("out.png").exists()


def test_without_the_copy_everything_is_as_before(
    models: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (models / "vgg19_8bit.caffemodel").unlink()
    monkeypatch.setattr("core.models.stand_in.installed_file", lambda: None)
    assert run() == 1
    assert "get it with: nstyle models fetch vgg19" in capsys.readouterr().err


def test_names_of_the_registry(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("-model_file", "vgg19_8bit") == 0
    out, err = capsys.readouterr()
    assert out.startswith("Successfully loaded vgg19_8bit\n") and "not found" not in err
    assert read_record(Path("out.png"))["inputs"]["model_file"][0]["file"] == "vgg19_8bit.caffemodel"
    done = nstyle("reproduce", "out.png", "--inputs", Path(PHOTO).parent, "--inputs", models)
    assert done.exit_code == 0 and done.stdout.startswith("identical: every pixel")


def test_the_convolutions_alone_give_the_originals_files(
    models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy("published.caffemodel", models / FILE)
    assert run() == 0
    of_the_published = Path("out.png").read_bytes()
    (models / FILE).unlink()

    keras = files.write_keras(Path("x.h5").absolute(), ORIGINAL)
    added = nstyle("models", "add", keras)
    assert added.exit_code == 0
    assert added.stdout.startswith(
        f"vgg19: {models / FILE} (its convolutions; equal bit for bit up to conv3_4 and in"
    )
    assert (models / FILE).stat().st_size < Path("published.caffemodel").stat().st_size
    capsys.readouterr()
    assert run("-trace_file", "t.csv") == 0
    assert "prototxt" not in capsys.readouterr().err
    assert Path("out.png").read_bytes() == of_the_published

    searched = ("--inputs", Path(PHOTO).parent, "--inputs", models)
    assert nstyle("reproduce", "out.png", *searched).stdout.startswith("identical: every pixel")
    (models / FILE).unlink()
    assert nstyle("reproduce", "out.png", *searched, "--inputs", ".").stdout.startswith(
        "identical: every pixel"
    )


def test_stages_take_the_copy_and_begin_anew_with_the_original(models: Path) -> None:
    lines = f"content_image: {PHOTO}\nstyle_image: {PAINTING}\noutput_image: a.png\nimage_size: 48\n"
    Path("run.yml").write_text(f'{lines}num_iterations: 2\nseed: 42\ngpu: "-1"\n')
    first = nstyle("run", "run.yml")
    assert first.exit_code == 0
    assert nstyle("run", "run.yml", "--dry-run").stdout == "run: up to date\n"
    shutil.copy("published.caffemodel", models / FILE)
    why = nstyle("run", "run.yml", "--dry-run", "--why").stdout
    assert f"-model_file: the content of models/{FILE} has changed" in why


def test_list_and_verify_say_what_is_here(models: Path) -> None:
    lines = nstyle("models", "list").stdout
    assert "vgg19             not fetched (vgg19_8bit is used instead), " in lines
    assert nstyle("models", "add", files.write_keras(Path("x.h5").absolute(), ORIGINAL)).exit_code == 0
    lines = nstyle("models", "list").stdout
    assert (
        "vgg19             present (its convolutions; equal bit for bit up to conv3_4 and in all biases, "
        in lines
    )
    verified = nstyle("models", "verify", "vgg19")
    assert verified.exit_code == 0
    assert verified.stdout.startswith(
        f"vgg19: ok: {models / FILE}: serves as vgg19: its convolutions; equal bit"
    )
    assert nstyle("models", "add", "x.h5", "--as", "mine").stdout == (
        f"{models / 'mine.caffemodel'}: weights unchanged; use it with: -model_file mine.caffemodel\n"
    )
    assert nstyle("models", "add", "vgg19_8bit").stdout == f"vgg19_8bit: {models / 'vgg19_8bit.caffemodel'}\n"
