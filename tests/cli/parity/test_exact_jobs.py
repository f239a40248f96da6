"""Every byte-exact reference run of the fast path, in torch7 arithmetic; ONNX Runtime stays close."""

import pytest

from cli.parity.exact_jobs import EXACT, job_distances, layers_distance, picture_distances, read_job
from cli.parity.transform import MODELS, PROGRAM_RUNS, TWO_THREADS, network_distance, program_distance

JOBS = (
    *("bn_f_C_jpg", "bn_reflect_folder", "bn_sr_x4_jpg", "bn_zero_131", "frozen_nn_head", "in_reflect_203"),
    *("in_reflect_layers", "in_upnearest_own_size", "published_size", "resnet_replicate_layers"),
)


def equal(distance):
    floats = distance.floats is None or distance.floats[0] == 0
    return floats and (distance.pixels, distance.file, distance.passed) == (0, True, True)


@pytest.mark.parametrize("name", JOBS)
def test_pictures(shared, name):
    distances = list(picture_distances(read_job(EXACT / name), "torch7"))
    assert [distance.name for distance in distances if not equal(distance)] == []
    assert len(distances) == (4 if name == "bn_reflect_folder" else 1)


@pytest.mark.parametrize(
    ("name", "floats"), [("in_reflect_layers", 331552), ("resnet_replicate_layers", 535410)]
)
def test_layers(shared, name, floats):
    distance = layers_distance(read_job(EXACT / name))
    assert distance.details == ()
    assert distance.floats == (0, floats)


@pytest.mark.parametrize("name", PROGRAM_RUNS)
def test_whole_programs(shared, name):
    assert equal(program_distance(name, "torch7"))


@pytest.mark.parametrize("batch", ["", "2"])
@pytest.mark.parametrize("model", [model for model in MODELS if model not in TWO_THREADS])
def test_networks(shared, model, batch):
    assert network_distance(model, batch, "torch7").floats[0] == 0


def test_onnx_runtime_is_close(shared):
    distances = list(job_distances("onnx"))
    assert len(distances) == 13
    assert all(distance.passed for distance in distances)
    assert sum(distance.file for distance in distances) >= 11
