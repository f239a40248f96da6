"""Whole networks in torch7 arithmetic: equal to the real program in every float and byte."""

import numpy as np
import pytest

from cli.parity.exact_jobs import layers_distance, picture_distances, read_job
from core.arithmetic.torch7 import Torch7Arithmetic
from core.transform.exact.runner import ExactRunner
from core.transform.networks.load import load_network
from tests.conftest import GOLDEN
from tests.support.compare import assert_identical
from tests.support.transform_models import network

BUNDLED = GOLDEN / "fast_neural_style"
JOBS = ("bn_f_C_jpg", "resnet_replicate_layers")


def bundled_job(name):
    return read_job(BUNDLED / "exact" / name, BUNDLED, GOLDEN / "images")


def runner(path, threads=1):
    found = load_network(path)
    return ExactRunner(found.module, found.format, Torch7Arithmetic(threads), threads)


@pytest.mark.parametrize("name", JOBS)
def test_pictures_floats_and_files(name):
    for distance in picture_distances(bundled_job(name), "torch7"):
        assert distance.passed
        assert (distance.floats[0], distance.pixels, distance.file) == (0, 0, True)


def test_every_layer():
    distance = layers_distance(bundled_job("resnet_replicate_layers"))
    assert distance.details == ()
    assert distance.floats == (0, 535410)


def test_instance_normalisation_of_an_ascii_file():
    found = runner(BUNDLED / "in_zero_ascii.t7").run(np.load(BUNDLED / "in_zero_ascii_input.npy"))
    assert_identical(found, np.load(BUNDLED / "in_zero_ascii_output.npy"))


def test_threads_and_batches_change_nothing():
    batch = np.random.default_rng(3).uniform(-120, 130, (2, 3, 57, 66)).astype(np.float32)
    path = BUNDLED / "in_zero_ascii.t7"
    together = runner(path).run(batch)
    assert_identical(runner(path, 2).run(batch), together)
    assert_identical(runner(path, 3).run(batch[1:]), together[1:])


def test_close_to_pytorch():
    """Networks of our own architecture language; float32 rounding of values up to 150."""
    import torch

    module = network()
    x = np.random.default_rng(4).uniform(-100, 100, (1, 3, 48, 40)).astype(np.float32)
    found = ExactRunner(module, None, Torch7Arithmetic(1), 1).run(x)
    with torch.inference_mode():
        expected = module(torch.from_numpy(x)).numpy()
    assert np.abs(found - expected).max() < 1e-3
