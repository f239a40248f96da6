"""Tiles give the same result as the whole picture: equal bits without instance norm, rounding with it."""

from dataclasses import replace

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from core.errors import TransformError
from core.settings.fast_neural_style import TransformSettings
from core.transform.networks.architecture import Architecture
from core.transform.networks.geometry import geometry
from core.transform.networks.load import load_network
from core.transform.networks.pytorch_examples import from_state_dict
from core.transform.onnx.file import read_onnx
from core.transform.onnx.graph import to_onnx
from core.transform.onnx.session import SessionSettings
from core.transform.open_model import onnx_runner, open_model
from core.transform.pixels import FORMATS, NetworkFormat
from core.transform.tiles.runner import Moments, TiledRunner
from core.transform.tiles.windows import Convolution, Enlargement, Padding, TransposedConvolution
from tests.support.pytorch_examples_factory import state_dict
from tests.support.transform_models import network, write_network

KINDS = {
    "reflect-start": Architecture(
        "c5s1-4,d6,d8,R8,R8,u6,u4,c5s1-3", padding_type="reflect-start", reflection=8
    ),
    "reflect": Architecture("c5s1-4,d6,d8,R8,R8,u6,u4,c5s1-3", padding_type="reflect"),
    "replicate": Architecture("c5s1-4,d6,d8,R8,R8,u6,u4,c5s1-3", padding_type="replicate"),
    "zero": Architecture("c5s1-4,d6,d8,R8,R8,u6,u4,c5s1-3", padding_type="zero"),
    "none": Architecture("c5s1-4,d6,d8,R8,R8,u6,u4,c5s1-3", padding_type="none"),
    "f and C": Architecture("c5s2-4,C4,f3s2-4,c3s1-4,f5s1-4,f1s2-4,c7s1-3", padding_type="reflect"),
    "U": Architecture("c3s1-4,d8,R8,U2,c3s1-4,U3,c3s1-3", padding_type="zero"),
}
CPU = SessionSettings(threads=1)


def runners(module, tile, pixels="vgg"):
    """A runner for the whole picture, and one for tiles."""
    sizes, model = geometry(module), to_onnx(module)
    how = NetworkFormat(FORMATS[pixels], FORMATS[pixels], multiple=sizes.multiple, smallest=sizes.smallest)
    return onnx_runner(model, CPU), TiledRunner(model, how, CPU, tile)


def pictures(*shape):
    return (np.random.default_rng(1).standard_normal(shape) * 60).astype(np.float32)


SIZES = [((2, 3, 97, 205), 64), ((1, 3, 70, 66), 128), ((1, 3, 61, 131), 17)]


@pytest.mark.parametrize("kind", KINDS)
def test_without_instance_norm_every_bit_is_equal(kind):
    module = network(replace(KINDS[kind], normalisation="batch"))
    for shape, tile in SIZES:
        whole, tiles = runners(module, tile)
        batch = pictures(*shape)
        assert np.array_equal(whole.run(batch), tiles.run(batch))


@pytest.mark.parametrize("kind", KINDS)
def test_with_instance_norm_only_rounding_differs(kind):
    module = network(KINDS[kind])
    for shape, tile in SIZES:
        whole, tiles = runners(module, tile)
        batch = pictures(*shape)
        wanted = whole.run(batch)
        found = tiles.run(batch)
        assert found.shape == wanted.shape
        assert np.abs(found - wanted).max() <= 4e-6 * np.ptp(wanted)


def test_pytorch_examples_network():
    whole, tiles = runners(from_state_dict(state_dict()).eval(), 64, "0-255")
    batch = pictures(1, 3, 150, 170)
    wanted = whole.run(batch)
    assert np.abs(tiles.run(batch) - wanted).max() <= 4e-6 * np.ptp(wanted)


@pytest.mark.parametrize("name", ["bn_reflect_start", "in_reflect_start", "in_upnearest", "bn_f_C"])
def test_torch7_networks(shared, name):
    path = shared / "golden" / "fast_neural_style" / f"{name}.t7"
    batch = np.load(path.with_name(f"{name}_input2.npy"))
    wanted = np.load(path.with_name(f"{name}_output2.npy"))
    tiles = runners(load_network(path).module, 24)[1]
    assert np.abs(tiles.run(batch) - wanted).max() <= 1e-5 * np.ptp(wanted)


def test_no_tile_is_larger_than_asked_for_with_its_surroundings(monkeypatch):
    from core.transform.tiles import runner as module

    largest = []
    run = module._run

    def watched(session, source, part, statistics):
        result = run(session, source, part, statistics)
        largest.append((part[0, 0].size, result[0, 0].size))
        return result

    monkeypatch.setattr(module, "_run", watched)
    _, tiles = runners(network(KINDS["zero"]), 64)
    tiles.run(pictures(1, 3, 500, 300))
    surroundings = 64 + 2 * 40
    assert max(part for part, _ in largest) <= surroundings**2
    assert max(result for _, result in largest) <= 64 * 64


def test_one_flag_makes_the_runner(tmp_path):
    write_network(tmp_path / "net.safetensors")
    runner = open_model(TransformSettings(model=str(tmp_path / "net.safetensors"), tile=64.0)).runner
    assert runner.description.endswith("CPU, in tiles of 64 pixels")


@pytest.mark.parametrize("normalisation", ["instance", "batch"])
def test_progress_counts_every_tile(normalisation):
    _, tiles = runners(network(replace(KINDS["zero"], normalisation=normalisation)), 64)
    heard = []
    tiles.progress = lambda done, total: heard.append((done, total))
    tiles.run(pictures(1, 3, 150, 100))
    total = heard[0][1]
    assert heard == [(done, total) for done in range(1, total + 1)]
    assert total == 6 if normalisation == "batch" else total > 6


def test_moments_are_those_of_the_whole():
    values = np.random.default_rng(2).normal(1000, 3, (5, 60, 70)).astype(np.float32)
    moments = Moments()
    for rows in np.array_split(values, 7, axis=1):
        for part in np.array_split(rows, 3, axis=2):
            moments.add(part)
    flat = values.reshape(5, -1).astype(np.float64)
    assert np.allclose(moments.mean, flat.mean(1), rtol=1e-13)
    assert np.allclose(moments.variance, flat.var(1), rtol=1e-10)


@pytest.mark.parametrize(
    ("rule", "size"),
    [
        *(
            (Convolution(k, s, p, p), n)
            for k in (1, 3, 5)
            for s in (1, 2, 3)
            for p in (0, 1, 2)
            for n in (9, 14)
        ),
        *((TransposedConvolution(k, s, 1, 1, s - 1), 7) for k in (3, 5) for s in (1, 2, 3)),
        *((Padding(mode, 3, 2), n) for mode in ("reflect", "edge", "constant") for n in (4, 9)),
        (Enlargement(3), 5),
    ],
)
def test_every_window_lies_in_what_is_made_from_what_it_needs(rule, size):
    whole = rule.extent(size)
    for first in range(whole):
        for end in range(first + 1, whole + 1):
            given = rule.needed((first, end), size)
            assert 0 <= given[0] < given[1] <= size
            local = rule.local((first, end), given, size)
            assert local.produced[0] <= first < end <= local.produced[1]
            assert min(*local.pads, local.output_padding) >= 0


def foreign(node, opset=17, size=("N", 3, "H", "W")):
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, size) for name in ("x", "y")]
    weights = [numpy_helper.from_array(np.zeros((1, 3, 8, 8), np.float32), "w")]
    graph = helper.make_graph([node], "g", ends[:1], ends[1:], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


PLAIN = NetworkFormat(FORMATS["0-255"], FORMATS["0-255"])


@pytest.mark.parametrize(
    ("node", "how", "opset", "message"),
    [
        (helper.make_node("Softmax", ["x"], ["y"]), PLAIN, 17, r"because of its node 1 \('y', Softmax\)"),
        (helper.make_node("Add", ["x", "w"], ["y"]), PLAIN, 17, r"because of its node 1 \('y', Add\)"),
        (
            helper.make_node("Relu", ["x"], ["y"]),
            PLAIN,
            9,
            "old or has a fixed size; convert it with 'nstyle convert'",
        ),
        (
            helper.make_node("Relu", ["x"], ["y"]),
            NetworkFormat(FORMATS["0-255"], FORMATS["0-255"], size=(8, 8)),
            17,
            "old or has a fixed size",
        ),
        (
            helper.make_node("Relu", ["x"], ["y"]),
            NetworkFormat(FORMATS["0-255"], FORMATS["0-255"], dtype="float16"),
            17,
            "only networks with float32 pictures in NCHW layout",
        ),
    ],
)
def test_what_cannot_be_cut_is_refused(node, how, opset, message):
    with pytest.raises(TransformError, match=message):
        TiledRunner(foreign(node, opset), how, CPU, 64)


def test_a_converted_model_of_others(shared, tmp_path):
    from core.transform.convert import convert

    convert(shared / "onnx_models" / "winml_candy.onnx", tmp_path / "candy.onnx")
    whole = onnx_runner(read_onnx(tmp_path / "candy.onnx"), CPU)
    tiles = TiledRunner(read_onnx(tmp_path / "candy.onnx"), whole.format, CPU, 128)
    batch = pictures(1, 3, 190, 260)
    wanted = whole.run(batch)
    assert np.abs(tiles.run(batch) - wanted).max() <= 4e-6 * np.ptp(wanted)
