"""Reference runs with everything that can compute products here: equal in every stage with each of them."""

import os
import subprocess
import sys
from functools import partial

import pytest

from cli.parity.command import check_run
from cli.parity.reference_runs import reference_runs
from core.arithmetic import blas
from core.arithmetic.kernel import library
from core.arithmetic.kernel.compiled import CompiledProducts
from core.arithmetic.torch7 import Torch7Arithmetic
from core.arithmetic.torch7_products import OpenBlasProducts
from core.devices import Placement
from tests.conftest import ROOT

SMALL = ("lbfgs_random", "conv_layer_losses", "alexnet_lrn")  # bundled with the clone
RUNS = [run for run in reference_runs() if run.name in SMALL]
needs_kernel = pytest.mark.skipif(
    library.load() is None, reason="the kernel was not built: there is no C compiler"
)


def differences(run, products):
    arithmetic = Torch7Arithmetic(2, products)
    report, _ = check_run(run, Placement("torch7", ("cpu",), (arithmetic,)))
    assert report.stages["losses"].compared == 1
    return [text for stage in report.stages.values() for text in stage.differences]


@needs_kernel
@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
@pytest.mark.parametrize("vectors", library.VECTORS)
def test_the_kernel_with_any_vectors(run, vectors):
    try:
        functions = library.load(vectors)
    except ValueError as absent:
        pytest.skip(str(absent))
    assert differences(run, partial(CompiledProducts, functions)) == []


@pytest.mark.skipif(
    not blas.blas_build().matches_reference,
    reason=f"OpenBLAS has another kernel than {blas.REFERENCE_KERNELS}",
)
@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
def test_openblas_where_the_kernel_is_not_built(run):
    assert differences(run, OpenBlasProducts) == []


@needs_kernel
@pytest.mark.parametrize("kernel", ["Sandybridge", "SkylakeX", "Zen"])
def test_openblas_is_not_asked(kernel):
    """The kernel that OpenBLAS would choose on another processor changes nothing."""
    command = [sys.executable, "-m", "cli", "parity", "lbfgs_random", "conv_layer_losses"]
    environment = {**os.environ, "OPENBLAS_CORETYPE": kernel}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed, 0 failed" in done.stdout
    assert "products: own kernel" in done.stderr
