"""``nstyle run``: which stages run, which do not, and their results."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner
from PIL import Image

from cli.__main__ import main as nstyle_main
from cli.neural_style import main
from tests.cli.test_neural_style import MODEL, PAINTING, PHOTO
from tests.conftest import GOLDEN, ROOT
from tests.support.transform_models import write_network

CHAIN = """
defaults: {content_image: in/photo.jpg, style_image: in/painting.png, model_file: MODEL, gpu: "-1", seed: 3}
stages:
  small: {image_size: 40, num_iterations: 3, output_image: out/small.png}
  large:
    {image_size: 56, num_iterations: 2, init: image, init_image: out/small.png, output_image: out/large.png}
  alone: {image_size: 40, num_iterations: 2, init: image, save_iter: 1, output_image: out/alone.png}
""".replace("MODEL", MODEL)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    shutil.copy(PHOTO, "in/photo.jpg")
    shutil.copy(PAINTING, "in/painting.png")
    Path("chain.yml").write_text(CHAIN)
    return tmp_path


def nstyle(*arguments, status=0):
    """The output of ``nstyle run``: stdout, and the sentences about stages."""
    result = CliRunner().invoke(nstyle_main, ["run", *map(str, arguments)])
    assert result.exit_code == status, result.output
    prefix = "nstyle run: "
    told = [line.removeprefix(prefix) for line in result.stderr.splitlines() if line.startswith(prefix)]
    return result.stdout.splitlines(), told


def test_a_second_time_nothing_runs(here):
    log, told = nstyle("chain.yml")
    assert told == [
        *("small: running", "small: done", "large: running", "large: done", "alone: running", "alone: done")
    ]
    assert log.count("Running optimization with L-BFGS\t".strip()) == 3
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in Path("out").iterdir()}
    log, told = nstyle("chain.yml")
    assert (log, told) == ([], ["small: up to date", "large: up to date", "alone: up to date"])
    assert before == {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in Path("out").iterdir()}
    assert sorted(path.name for path in before) == [
        *("alone.png", "alone.png.json", "alone_1.png", "alone_1.png.json"),
        *("large.png", "large.png.json", "small.png", "small.png.json"),
    ]


def test_a_stage_is_the_command_with_its_flags(here):
    nstyle("chain.yml", "--stage", "large")
    assert not Path("out/alone.png").exists()
    flags = ["-content_image", "in/photo.jpg", "-style_image", "in/painting.png", "-model_file", MODEL]
    flags += ["-gpu", "-1", "-seed", "3", "-image_size", "56", "-num_iterations", "2", "-init", "image"]
    assert main([*flags, "-init_image", "out/small.png", "-output_image", "large.png"]) == 0
    assert Path("large.png").read_bytes() == Path("out/large.png").read_bytes()


@pytest.mark.parametrize(
    "change, told",
    [
        (lambda: edit("image_size: 56", "image_size: 57"), ["large", "-image_size was 56, is 57"]),
        (lambda: edit("num_iterations: 3", "num_iterations: 4"), ["small", "stopped at evaluation 3 of 4"]),
        (lambda: Path("out/alone.png").unlink(), ["alone", "there is no out/alone.png"]),
        (lambda: Path("out/alone_1.png").unlink(), ["alone", "there is no out/alone_1.png"]),
        (lambda: Path("out/alone.png.json").unlink(), ["alone", "out/alone.png has no record beside it"]),
        (lambda: Path("out/alone.png.json").write_text("{"), ["alone", "out/alone.png.json: damaged record"]),
        (
            lambda: Path("out/alone.png").write_bytes(b"x"),
            ["alone", "out/alone.png is no longer the file that was made"],
        ),
        (lambda: older("out/alone.png.json"), ["alone", "numeric version was 0, is 1"]),
    ],
)
def test_why_a_stage_runs_again(here, change, told):
    nstyle("chain.yml")
    change()
    stage, reason = told
    plan, _ = nstyle("chain.yml", "--dry-run", "--why")
    where = plan.index(f"{stage}: would run")
    assert plan[where + 1].strip().startswith(reason)
    _, said = nstyle("chain.yml", "--why")
    assert said[said.index(f"{stage}: running") + 1].strip().startswith(reason)
    assert nstyle("chain.yml", "--dry-run")[0] == [
        "small: up to date",
        "large: up to date",
        "alone: up to date",
    ]


def edit(old, new):
    text = Path("chain.yml").read_text()
    assert old in text
    Path("chain.yml").write_text(text.replace(old, new))


def older(path):
    record = json.loads(Path(path).read_text())
    record["numeric_version"] = 0
    Path(path).write_text(json.dumps(record))


def test_other_bytes_of_an_input_reach_all_that_depend_on_it(here):
    nstyle("chain.yml")
    shutil.copy(GOLDEN / "images" / "painting2.jpg", "in/painting.png")
    plan, _ = nstyle("chain.yml", "--dry-run", "--why")
    assert plan == [
        *("small: would run", "  -style_image: the content of in/painting.png has changed"),
        *("large: would run", "  small would run"),
        *("alone: would run", "  -style_image: the content of in/painting.png has changed"),
    ]
    _, told = nstyle("chain.yml", "--why")
    large = told[told.index("large: running") + 1 :]
    assert large[0] == "  -init_image: the content of out/small.png has changed"
    assert large[1] == "  -style_image: the content of in/painting.png has changed"


@pytest.mark.parametrize(
    "change", ["print_iter: 1", "threads: 1", "checkpoint_iter: 1", "arithmetic: torch7", "gpu: '-1'"]
)
def test_what_does_not_decide_the_result_makes_nothing_stale(here, change):
    nstyle("chain.yml", "--stage", "alone")
    edit("alone: {", f"alone: {{{change}, ")
    assert nstyle("chain.yml", "--stage", "alone")[1] == ["alone: up to date"]


def test_touching_and_moving_files_makes_nothing_stale(here):
    nstyle("chain.yml", "--stage", "alone")
    os.utime("in/photo.jpg")
    Path("in").rename("elsewhere")
    assert nstyle("chain.yml", "--stage", "alone", "--inputs", "elsewhere")[1] == ["alone: up to date"]


def test_several_at_once_give_the_same_files(here):
    nstyle("chain.yml")
    _, told = nstyle("chain.yml", "--jobs", "2", "--results", "both")
    assert sorted(told) == sorted(
        f"{name}: {what}" for name in ("small", "large", "alone") for what in ("running", "done")
    )
    assert told.index("small: done") < told.index("large: running")
    for name in ("small", "alone", "alone_1"):
        assert Path(f"both/{name}.png").read_bytes() == Path(f"out/{name}.png").read_bytes()
    with Image.open("both/large.png") as ours, Image.open("out/large.png") as expected:
        assert ours.tobytes() == expected.tobytes()  # their texts name both/small.png and out/small.png
    assert "Running optimization with L-BFGS" in Path("both/large.png.log").read_text()


def test_a_failed_stage_leaves_out_what_needs_it_and_nothing_else(here):
    edit("small: {", "small: {style_layers: [relu9_9], ")
    for more in ((), ("--jobs", "2")):
        shutil.rmtree("out", ignore_errors=True)
        _, told = nstyle("chain.yml", *more, status=1)
        assert sorted(told) == [
            *("alone: done", "alone: running", "large: skipped, small failed"),
            *("small: ended with status 1", "small: running"),
        ]


def test_a_grid_runs_every_combination(here):
    Path("grid.yml").write_text(
        f"content_image: in/photo.jpg\nstyle_image: in/painting.png\nmodel_file: {MODEL}\ngpu: '-1'\n"
        "init: image\nimage_size: 32\nnum_iterations: 1\noutput_image: g.png\n"
        "vary: {style_weight: [10, 100], content_layers: [relu2_1, relu4_2]}\n"
    )
    nstyle("grid.yml")
    assert sorted(path.name for path in here.glob("g_*.png")) == [
        f"g_style_weight-{weight}_content_layers-{layer}.png"
        for weight in ("100", "10")
        for layer in ("relu2_1", "relu4_2")
    ]
    record = json.loads(Path("g_style_weight-100_content_layers-relu2_1.png.json").read_text())
    assert record["settings"]["style_weight"] == 100
    assert record["settings"]["content_layers"] == ["relu2_1"]


def test_the_fast_path_is_cached_too(here):
    Path("fast.yml").write_text(
        "program: fast_neural_style\nmodel: net.safetensors\ninput_image: in/photo.jpg\nimage_size: 32\n"
        "output_image: fast.png\n"
    )
    write_network(Path("net.safetensors"))
    assert nstyle("fast.yml")[1] == ["fast: running", "fast: done"]
    assert nstyle("fast.yml")[1] == ["fast: up to date"]
    assert nstyle("fast.yml", "--set", "median_filter=0", "--why")[1] == [
        *("fast: running", "  -median_filter was 3, is 0", "fast: done")
    ]


@pytest.mark.parametrize(
    "arguments, said",
    [
        (("chain.yml", "--stage", "tiny"), "chain.yml: no stage 'tiny'"),
        (
            ("chain.yml", "--set", "style_wait=1"),
            "--set style_wait=1: unknown flag 'style_wait'; did you mean",
        ),
        (
            ("chain.yml", "--set", "image_size=-1"),
            "chain.yml, stage 'small': -image_size -1: must be greater",
        ),
        (("none.yml",), "none.yml: cannot be read: No such file or directory"),
        (
            ("chain.yml", "--executor", "ray", "--ray-address", "127.0.0.1:1"),
            "127.0.0.1:1: no cluster answers",
        ),
    ],
)
def test_mistakes_are_one_line(here, arguments, said):
    _, told = nstyle(*arguments, status=1)
    assert len(told) == 1
    assert said in told[0]


@pytest.mark.parametrize("more", [(), ("--jobs", "2")])
def test_results_that_cannot_be_written_are_no_traceback(here, more):
    result = CliRunner().invoke(nstyle_main, ["run", "chain.yml", "--results", "in/photo.jpg/x", *more])
    assert result.exit_code == 1
    assert "in/photo.jpg/x: cannot be created: Not a directory" in result.stderr
    assert "Traceback" not in result.output


def start(*arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "cli", "run", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def wait_for(path, process):
    while not Path(path).exists() and process.poll() is None:
        time.sleep(0.01)
    assert process.poll() is None


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_interrupted_it_goes_on_from_the_checkpoint(here, jobs):
    edit("num_iterations: 3", "num_iterations: 200")
    nstyle("chain.yml", "--results", "whole")
    process = start("chain.yml", "--checkpoint-iter", "2", "--jobs", jobs)
    wait_for("out/small.png.checkpoint", process)
    process.send_signal(signal.SIGTERM)
    output = process.communicate(timeout=60)[0]
    assert process.returncode == 143, output
    assert Path("out/small.png.checkpoint").exists()
    assert Path("out/small.png").exists()  # as it was when it was stopped
    result = subprocess.run(
        [sys.executable, "-m", "cli", "run", "chain.yml", "--why"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "of 200" in result.stderr
    assert "continuing after evaluation" in result.stderr
    for name in ("small", "large"):
        with Image.open(f"out/{name}.png") as ours, Image.open(f"whole/{name}.png") as expected:
            assert ours.tobytes() == expected.tobytes()
    assert not list(here.glob("out/*.checkpoint"))


def children_of(process):
    return [child.pid for child in psutil.Process(process.pid).children(recursive=True)]


def is_at_work(pid):
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_ctrl_c_for_the_parent_alone_reaches_the_stages(here):
    edit("num_iterations: 3", "num_iterations: 600")
    process = start("chain.yml", "--checkpoint-iter", "2", "--jobs", "2")
    wait_for("out/small.png.checkpoint", process)
    process.send_signal(signal.SIGINT)
    output = process.communicate(timeout=60)[0]
    assert process.returncode == 130, output
    assert "Traceback" not in output + Path("out/small.png.log").read_text()
    assert "interrupted (SIGINT)" in Path("out/small.png.log").read_text()
    assert Path("out/small.png.checkpoint").exists()


def test_ctrl_c_at_the_very_start_is_no_traceback(here):
    edit("num_iterations: 3", "num_iterations: 600")
    process = start("chain.yml", "--jobs", "2")
    while not children_of(process):
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    output = process.communicate(timeout=60)[0]
    assert process.returncode == 130, output
    assert "Traceback" not in output


def test_stages_end_with_a_parent_that_is_killed(here):
    edit("num_iterations: 3", "num_iterations: 600")
    process = start("chain.yml", "--checkpoint-iter", "2", "--jobs", "2")
    wait_for("out/small.png.checkpoint", process)
    children = children_of(process)
    process.kill()
    process.communicate(timeout=60)
    deadline = time.monotonic() + 30
    while any(map(is_at_work, children)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(is_at_work, children))
    assert Path("out/small.png.checkpoint").exists()
    assert "interrupted (SIGTERM)" in Path("out/small.png.log").read_text()
