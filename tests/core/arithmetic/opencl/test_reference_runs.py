"""Whole runs of the real program, repeated on an OpenCL device: every stage, loss and pixel is equal."""

import json
from pathlib import Path

import pytest

from cli.neural_style import main
from cli.parity.command import check_run
from cli.parity.reference_runs import bundled_run
from core.devices import choose
from core.errors import NeuralStyleError
from core.memory import plan
from core.settings.neural_style import Settings

CLNN = Settings(backend="clnn", gpu="0", threads=1)
RUNS = ["lbfgs_random", "adam_lr1_image", "alexnet_lrn", "conv_layer_losses", "normalize_gradients"]


@pytest.fixture(scope="module")
def placement(device, theirs):
    return choose(CLNN)


@pytest.mark.parametrize("name", RUNS)
def test_equal_to_the_original(placement, name):
    report, _ = check_run(bundled_run(name), placement)
    assert [str(found) for found in report.stages.values() if found.differences] == []
    assert report.stages["losses"].compared and report.stages["image"].compared


def test_a_network_on_two_devices(device, theirs):
    """The same device twice, each with a queue of its own; feature maps travel through the host."""
    placement = choose(CLNN.replace(gpu="0,0", multigpu_strategy=(7.0,)))
    assert (len(placement.arithmetics), placement.splits) == (2, (7,))
    report, _ = check_run(bundled_run("lbfgs_random"), placement)
    assert report.equal


def run(folder, gpu, *more, iterations=5):
    """Run -backend clnn on this device in ``folder``; the record."""
    settings = bundled_run("lbfgs_random").settings(folder)
    flags = {
        "-content_image": settings.content_image,
        "-style_image": settings.style_image[0],
        "-model_file": settings.model_file,
        "-image_size": "40",
        "-num_iterations": str(iterations),
        "-seed": "1",
        "-print_iter": "0",
        "-checkpoint_iter": "2",
        "-backend": "clnn",
        "-gpu": gpu,
        "-threads": "1",
        "-output_image": str(folder / "out.png"),
    }
    assert main([word for pair in flags.items() for word in pair] + list(more)) == 0
    return json.loads((folder / "out.png.json").read_text())


@pytest.mark.parametrize(("first", "second"), [("-1", "0"), ("0", "-1")])
def test_a_run_goes_on_on_the_other_kind_of_device(
    device, theirs, tmp_path, monkeypatch, capsys, first, second
):
    """A checkpoint of the processor is one of the device, and the other way round."""
    interrupted, whole = tmp_path / "interrupted", tmp_path / "whole"
    interrupted.mkdir()
    whole.mkdir()
    with monkeypatch.context() as patch:
        patch.setattr("cli.runs.neural_style.checkpoint_file", lambda output: Path("not.there"))  # it stays
        run(interrupted, first, iterations=3)
    record = run(interrupted, second, "-resume")
    assert "continuing after evaluation 2" in capsys.readouterr().err
    assert record["arithmetic"] == ("opencl" if second == "0" else "torch7")
    assert record["devices"][0].startswith("opencl:0 (" if second == "0" else "cpu")
    expected = run(whole, "-1")
    for entry in ("trace_sha256", "pixels_sha256"):
        assert record[entry] == expected[entry]


def test_the_plan_names_the_device_and_knows_its_memory(placement, tmp_path):
    settings = bundled_run("lbfgs_random").settings(tmp_path, backend="clnn", gpu="0")
    found = plan(settings, placement)
    assert found.where == f"{placement.devices[0]} in opencl arithmetic"
    assert found.capacity == placement.first.memory > 0
    on_processor = choose(Settings(gpu="-1", threads=1))
    processor = plan(settings, on_processor)
    orders = 2 if on_processor.first.unfolds else 1  # the compiled kernel, too, keeps weights in two
    assert (found.weights, processor.capacity) == (orders * processor.weights, None)
    found.check()
    with pytest.raises(NeuralStyleError, match="not enough memory"):
        plan(settings.replace(image_size=8000.0), placement).check()
