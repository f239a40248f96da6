"""Networks out of our ONNX files have the bits of the file they were made from."""

import numpy as np
import onnx
import pytest

from core.arithmetic.torch7 import Torch7Arithmetic
from core.errors import TransformError
from core.transform.convert import convert
from core.transform.exact.from_onnx import network_of_onnx
from core.transform.exact.referee import judge
from core.transform.exact.runner import ExactRunner
from core.transform.networks.architecture import Architecture
from core.transform.networks.load import load_network
from core.transform.open_model import probe_picture
from tests.conftest import GOLDEN, ROOT
from tests.support.compare import assert_identical
from tests.support.old_onnx_models import old_model
from tests.support.transform_models import BATCH, write_network

NETWORKS = (
    Architecture("c9s1-4,d6,R6,R6,u4,c3s1-3", reflection=8),
    Architecture("c3s1-4,d6,U2,c3s1-3", padding_type="replicate"),
    Architecture("c3s1-6,C6,c5s1-3", padding_type="reflect", tanh_constant=255.0),
)


def runner(network):
    return ExactRunner(network.module, network.format, Torch7Arithmetic(1), 1)


@pytest.mark.parametrize("architecture", NETWORKS)
def test_the_same_bits(tmp_path, architecture):
    source = write_network(tmp_path / "net.safetensors", architecture)
    convert(source, tmp_path / "net.onnx")
    ours, theirs = network_of_onnx(tmp_path / "net.onnx"), load_network(source)
    x = np.random.default_rng(1).uniform(-100, 100, (1, 3, 37, 41)).astype(np.float32)
    assert_identical(runner(ours).run(x), runner(theirs).run(x))
    assert (ours.preprocessing, ours.geometry) == (theirs.preprocessing, theirs.geometry)


def test_the_bundled_network():
    assert network_of_onnx(ROOT / "vgg_models" / "evening.onnx").normalisation == "instance"


def test_folded_normalisation_names_the_source(tmp_path):
    convert(write_network(tmp_path / "net.safetensors", BATCH), tmp_path / "net.onnx")
    with pytest.raises(TransformError, match=r"batch normalisation became part .* use .* net\.safetensors"):
        network_of_onnx(tmp_path / "net.onnx")


def test_half_precision_names_the_source(tmp_path):
    convert(write_network(tmp_path / "net.safetensors"), tmp_path / "half.onnx", half=True)
    with pytest.raises(TransformError, match=r"half\.onnx.*made from, net\.safetensors"):
        network_of_onnx(tmp_path / "half.onnx")


def test_files_of_others_are_refused(tmp_path):
    onnx.save(old_model([onnx.helper.make_node("Relu", ["x"], ["y"])]), tmp_path / "old.onnx")
    with pytest.raises(TransformError, match=r"old\.onnx: -arithmetic torch7 takes \.t7"):
        network_of_onnx(tmp_path / "old.onnx")


@pytest.mark.parametrize("damage", ["circle", "channels", "scales", "operator"])
def test_damaged_graphs_are_refused(tmp_path, damage):
    convert(write_network(tmp_path / "net.safetensors", NETWORKS[1]), tmp_path / "net.onnx")
    model = onnx.load(tmp_path / "net.onnx")
    nodes = {node.op_type: node for node in model.graph.node}
    if damage == "circle":
        nodes["Conv"].input[0] = model.graph.output[0].name
    elif damage == "operator":
        nodes["Relu"].op_type = "Softplus"
    else:
        name = nodes["Resize"].input[2] if damage == "scales" else nodes["Conv"].input[1]
        stored = next(item for item in model.graph.initializer if item.name == name)
        shape = (1, 7, 3, 3) if damage == "channels" else (2,)
        stored.CopyFrom(onnx.numpy_helper.from_array(np.ones(shape, np.float32), name))
    onnx.save(model, tmp_path / "net.onnx")
    with pytest.raises(TransformError, match=r"net\.onnx: -arithmetic torch7: no graph of nstyle convert"):
        network_of_onnx(tmp_path / "net.onnx")


def test_the_judge_counts_samples(tmp_path):
    network = load_network(GOLDEN / "fast_neural_style" / "in_zero_ascii.t7")
    exact = runner(network)

    class Brighter:
        format = exact.format

        def run(self, batch):
            result = exact.run(batch)
            result[0, 0, 0, 0] += 300
            return result

    pictures = [probe_picture(40, 44), probe_picture(33, 50)]
    same = judge(exact, exact, pictures)
    assert (same.difference, same.differing, same.level) == (0, 0, 0)
    verdict = judge(Brighter(), exact, pictures)
    assert verdict.samples == same.samples == 3 * (40 * 44 + 34 * 50)
    assert verdict.differing == 2
    assert verdict.level > 0
    assert verdict.sentence.startswith("largest difference to the exact run: ")
