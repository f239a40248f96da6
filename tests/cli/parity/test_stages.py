"""Every reference run of the original Torch7 program, repeated; every stage must be equal."""

import pytest

from cli.parity.command import check_run
from cli.parity.native import drift
from cli.parity.reference_runs import BUNDLED, FOLDERS, reference_runs
from core.devices import choose
from core.settings.neural_style import Settings

RUNS = [run for run in reference_runs() if run.threads == 1]
EXACT = Settings(arithmetic="torch7", gpu="-1", threads=1)
NATIVE = Settings(arithmetic="native", gpu="-1", threads=2)


def by_name(run):
    return run.name


@pytest.mark.parametrize("run", RUNS, ids=by_name)
def test_exact_run_equals_the_original(run):
    placement = choose(EXACT)
    report, remark = check_run(run, placement)
    differences = [text for stage in report.stages.values() for text in stage.differences]
    assert differences == []
    assert (run.exit_code != 0) == bool(remark)
    if not remark:
        assert report.stages["losses"].compared == report.stages["log"].compared == 1
        assert report.stages["image"].compared == len(run.images()) > 0


def test_all_reference_runs_are_present_where_shared_is():
    if not FOLDERS[0].is_dir():
        pytest.skip(f"{FOLDERS[0]} is absent; only the runs in {BUNDLED} are repeated")
    assert len(RUNS) == 39 + 7


# At the first evaluation two max-pooling windows and a few activations are decided by less than one unit in
# the last place; PyTorch's convolutions round them to the other side. Measured 2.0e-4, and 4e-7 with the
# exact run's choices (docs/exactness.md), so no operation is wrong; the end is still judged below.
TIED = ("pitt_picasso_init_image",)


def relu_losses_from_an_image(run):
    names = run.flags.get("content_layers", "relu") + "," + run.flags.get("style_layers", "relu")
    return run.exit_code == 0 and run.flags.get("init") == "image" and "conv" not in names


# One choice that rounds to the other side at evaluation 4 takes init_image from "equal" to 42 dB, and which
# number of threads has the luck depends on the processor; a wrong operation would show with both.
@pytest.mark.parametrize("run", list(filter(relu_losses_from_an_image, RUNS)), ids=by_name)
def test_native_run_from_an_image_stays_near(run):
    distance = drift(run, NATIVE)
    assert distance.first_loss < 1e-4
    assert distance.same_choices < 1e-5
    if run.name not in TIED:
        assert distance.first_gradient < 1e-5
    if run.flags.get("optimizer") == "adam":
        assert distance.end > 55
    else:
        assert max(distance.middle, drift(run, NATIVE.replace(threads=1)).middle) > 45


def small(run):
    return run.exit_code == 0 and run.model.endswith(("mini_v1", "mini_v2"))


@pytest.mark.parametrize("run", list(filter(small, RUNS)), ids=by_name)
def test_native_gradient_differs_by_rounding_and_choices_alone(run):
    distance = drift(run, NATIVE)
    assert distance.first_loss < 1e-4
    assert distance.same_choices < 1e-5
