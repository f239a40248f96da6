"""The loss network: positions of losses, layers left out, messages, several devices."""

import numpy as np
import pytest

import caffe_loader
from core.arithmetic.torch7_random import Torch7Random
from core.devices import Placement, choose, native_placement, parse_gpus, split_strategy
from core.errors import DeviceError, NetworkError
from core.network.network import Losses, build_network
from core.settings.neural_style import Settings
from tests.conftest import GOLDEN

RNG = np.random.default_rng(23)
EXACT = choose(Settings(arithmetic="torch7", gpu="-1", threads=1))


def build(placement: Placement = EXACT, **flags):
    with caffe_loader.open_caffemodel(GOLDEN / "models" / "vgg19_mini_v1.caffemodel") as model:
        chain = caffe_loader.chain(model)
        return build_network(chain, Settings(**flags), placement.arithmetic_of, Torch7Random(0))


def kinds(network):
    return [type(module).__name__ for module in network.modules]


def test_nothing_follows_the_last_loss():
    network = build(content_layers=("relu1_2",), style_layers=("relu1_1",))
    assert kinds(network) == [
        "TVLoss", "SpatialConvolution", "ReLU", "StyleLoss", "SpatialConvolution", "ReLU", "ContentLoss",
    ]  # fmt: skip
    assert network.messages == (
        "Setting up style layer  \t2\t:\trelu1_1",
        "Setting up content layer\t4\t:\trelu1_2",
    )


def test_content_comes_before_style_on_one_layer():
    assert kinds(build(content_layers=("conv1_1",), style_layers=("conv1_1",)))[2:] == [
        "ContentLoss",
        "StyleLoss",
    ]


@pytest.mark.parametrize("weight", [0.0, -1.0])
def test_no_total_variation_module_without_weight(weight):
    assert kinds(build(tv_weight=weight))[0] == "SpatialConvolution"


def test_average_pooling_replaces_maximum_with_floor():
    network = build(pooling="avg", content_layers=(), style_layers=("relu2_1",))
    assert network.messages[0] == "Replacing max pooling at layer 5 with average pooling"
    pooling = network.modules[5]
    assert (str(pooling), pooling.output_shape((8, 9, 7))) == (
        "nn.SpatialAveragePooling(2x2, 2,2)",
        (8, 4, 3),
    )
    assert build(pooling="max").modules[6].output_shape((8, 9, 7)) == (8, 5, 4)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (("relu1_1", "relu9_9"), "-style_layers: no layer 'relu9_9' in this model; it has conv1_1, relu1_1"),
        (("relu2_1", "relu1_1"), "out of network order .* use relu1_1,relu2_1$"),
        (("relu1_1", "relu1_1"), "a layer is named twice .* use relu1_1$"),
    ],
)
def test_layers_that_the_original_would_drop_silently(layers, message):
    with pytest.raises(NetworkError, match=message):
        build(style_layers=layers)


def test_total_is_content_then_style_from_zero():
    losses = Losses((0.1, 0.2), (0.3,))
    assert losses.total == ((0.0 + 0.1) + 0.2) + 0.3


def evaluate(placement, **flags):
    network = build(placement, **flags)
    first = placement.first
    content, style, x = RNG_IMAGES
    network.capture_content(first.array(content))
    network.capture_style(first.array(style), 1.0)
    losses, grad = network.evaluate(first.array(x))
    return losses, first.numpy(grad), kinds(network)


RNG_IMAGES = (
    RNG.standard_normal((3, 34, 45), dtype=np.float32) * 50,
    RNG.standard_normal((3, 29, 38), dtype=np.float32) * 50,
    RNG.standard_normal((3, 34, 45), dtype=np.float32) * 50,
)


@pytest.mark.parametrize("splits", [(3,), (4, 9), (1, 2, 36)])
def test_chunks_on_several_devices_give_the_same(splits):
    alone = evaluate(native_placement(["cpu"], ()))
    divided = evaluate(native_placement(["cpu"] * (len(splits) + 1), splits))
    assert divided[0] == alone[0]
    assert np.array_equal(divided[1], alone[1])


def test_a_split_is_the_last_module_of_its_chunk():
    placement = native_placement(["cpu"] * 4, (3, 6, 12))
    owners = [placement.arithmetics.index(placement.arithmetic_of(i)) for i in range(1, 15)]
    assert owners == [0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 2, 2, 3, 3]
    network = build(placement)
    assert [placement.arithmetics.index(m.arithmetic) for m in network.modules[:7]] == [0, 0, 0, 1, 1, 1, 2]
    placement.check_splits(12)  # a split at the very end leaves an empty chunk, as in the original
    with pytest.raises(DeviceError, match="there is no module 12; the network has 11 modules"):
        placement.check_splits(11)


@pytest.mark.parametrize(
    ("gpus", "strategy", "tv", "expected"),
    [
        (1, (3, 6), 1.0, ()),
        (2, (), 0.0, (3,)),
        (2, (), 0.001, (4,)),
        (2, (5.0,), 0.001, (5,)),
        (4, (3.0, 6.0, 12.0), 0.001, (3, 6, 12)),
    ],
)
def test_strategy(gpus, strategy, tv, expected):
    assert split_strategy(gpus, strategy, tv) == expected


@pytest.mark.parametrize(
    ("gpus", "strategy", "message"),
    [
        (3, (), "3 GPUs need -multigpu_strategy with 2 ascending"),
        (3, (4,), "3 GPUs need 2 numbers"),
        (3, (6, 4), "1 or more and ascend"),
        (3, (4, 4), "1 or more and ascend"),
        (2, (0,), "must be 1 or more and ascend"),
    ],
)
def test_strategies_that_do_not_fit(gpus, strategy, message):
    with pytest.raises(DeviceError, match=message):
        split_strategy(gpus, strategy, 0.0)


@pytest.mark.parametrize(
    ("flag", "expected"),
    [("-1", ()), ("-3", ()), ("0", (0,)), ("0,", (0,)), ("0,1", (0, 1)), ("2,0", (2, 0))],
)
def test_gpu_flag(flag, expected):
    assert parse_gpus(flag) == expected


@pytest.mark.parametrize("flag", ["abc", "", "0,x", "0,-1"])
def test_gpu_flag_errors(flag):
    with pytest.raises(DeviceError, match=f"-gpu {flag}"):
        parse_gpus(flag)


def test_automatic_choice_on_a_machine_without_gpu(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    placement = choose(Settings(gpu="0"))
    assert placement.kind == "torch7"
    assert "PyTorch finds no GPU; running on the CPU" in placement.notices[0]
    assert any("kernel" in notice for notice in placement.notices)
    assert choose(Settings(gpu="-1", arithmetic="native", threads=1)).kind == "native"


def test_an_absent_gpu_is_an_error(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(DeviceError, match="there is no GPU 1; this machine has 1, counted from 0"):
        choose(Settings(gpu="0,1"))
