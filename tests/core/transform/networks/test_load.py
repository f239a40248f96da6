"""Networks from every kind of file, compared with Torch7's outputs, in both runtimes."""

import numpy as np
import pytest
import torch
from torch import nn

from cli.parity.transform import MODELS, network_distance
from core.errors import NeuralStyleError, T7Error, TransformError
from core.t7 import Table, TorchObject
from core.transform.networks import load as networks
from core.transform.networks.from_t7 import to_modules
from core.transform.networks.layers import FrozenInstanceNorm2d
from core.transform.networks.load import load_network, split_checkpoint
from tests.support.transform_models import network


@pytest.fixture
def golden_networks(shared):
    return shared / "golden" / "fast_neural_style"


@pytest.mark.parametrize("runtime", ["onnx", "torch"])
@pytest.mark.parametrize("batch", ["", "2"])
@pytest.mark.parametrize("model", MODELS)
def test_equal_to_torch7(golden_networks, model, batch, runtime):
    distance = network_distance(model, batch, runtime)
    assert distance.passed
    assert distance.difference <= 3e-6


def test_options_and_metadata(golden_networks):
    found = load_network(golden_networks / "in_reflect_start.t7")
    assert found.options["arch"] == "c9s1-8,d16,d32,R32,R32,u16,u8,c9s1-3"
    assert found.options["style_layers"] == "4,9,16,23" or found.options["style_layers"] == [
        "4",
        "9",
        "16",
        "23",
    ]
    assert (found.preprocessing, found.normalisation, found.tanh_constant) == ("vgg", "instance", 150)
    assert (found.geometry.multiple, found.geometry.smallest, found.geometry.enlargement) == (4, 17, 1)
    assert found.notices == ()
    assert list(dict(found.module.named_children()))[:5] == [
        "reflection_pad1",
        "conv1",
        "norm1",
        "relu1",
        "conv2",
    ]


def test_enlarging_network(golden_networks):
    sizes = load_network(golden_networks / "bn_sr_x4.t7").geometry
    assert (sizes.multiple, sizes.smallest, sizes.enlargement) == (1, 1, 4)


def test_inert_instance_norm_is_recognised_and_can_be_overridden(golden_networks):
    path = golden_networks / "in_frozen_nnhead.t7"
    found = load_network(path)
    assert found.normalisation == "frozen"
    assert found.notices[0].startswith("in_frozen_nnhead.t7: trained with a Torch of August 2017 or later")
    assert load_network(path, "normalise").normalisation == "instance"
    assert "runs with real instance normalisation" in load_network(path, "normalise").notices[0]
    real = golden_networks / "in_reflect_start.t7"
    assert load_network(real, "affine").normalisation == "frozen"
    assert "runs with inert instance normalisation" in load_network(real, "affine").notices[0]


@pytest.mark.parametrize("name", ["in_reflect_start", "bn_f_C", "in_upnearest", "bn_sr_x4"])
def test_smallest_size_is_the_smallest(golden_networks, name):
    found = load_network(golden_networks / f"{name}.t7")
    side = found.geometry.smallest
    with torch.inference_mode():
        found.module(torch.zeros(1, 3, side, side + 3))
        if side > 1:
            with pytest.raises(RuntimeError):
                found.module(torch.zeros(1, 3, side - 1, side + 3))


def module(name, **fields):
    entries = [(key.encode(), value) for key, value in fields.items()]
    return TorchObject(f"nn.{name}", 1, Table(entries))


def sequential(*modules):
    return module("Sequential", modules=Table([(float(i), item) for i, item in enumerate(modules, 1)]))


def convolution(inputs, outputs, kernel=3, **more):
    return module(
        "SpatialConvolution",
        nInputPlane=float(inputs),
        nOutputPlane=float(outputs),
        kW=float(kernel),
        kH=float(kernel),
        dW=1.0,
        dH=1.0,
        padW=1.0,
        padH=1.0,
        weight=np.ones((outputs, inputs, kernel, kernel), np.float32),
        bias=np.zeros(outputs, np.float32),
        **more,
    )


def test_checkpoints_without_options_and_bare_networks():
    net = sequential(convolution(3, 3))
    assert split_checkpoint(Table([(b"model", net)])) == (net, {})
    assert split_checkpoint(net) == (net, {})
    assert split_checkpoint(Table([(b"model", net), (b"opt", Table([(b"arch", b"c3s1-3")]))]))[1] == {
        "arch": "c3s1-3"
    }


@pytest.mark.parametrize("content", [Table(), None, 3.0, b"text", module("ReLU"), Table([(b"model", 1.0)])])
def test_no_network(content):
    with pytest.raises(TransformError, match="contains no network"):
        split_checkpoint(content)


def test_loss_networks_are_read_but_are_no_transform_networks(tmp_path, monkeypatch):
    """VGG-16 as loadcaffe gives it: old convolutions, pooling with ceil_mode, fully connected layers."""
    pooling = module("SpatialMaxPooling", kW=2.0, kH=2.0, dW=2.0, dH=2.0, padW=0.0, padH=0.0, ceil_mode=True)
    linear = module("Linear", weight=np.ones((5, 8), np.float32), bias=np.zeros(5, np.float32))
    net = sequential(
        convolution(3, 8),
        module("ReLU", inplace=True),
        pooling,
        module("View"),
        linear,
        module("Dropout", p=0.5),
        module("SoftMax"),
    )
    layers = to_modules(net)
    assert [type(layer) for layer in layers] == [
        *(nn.Conv2d, nn.ReLU, nn.MaxPool2d, nn.Flatten, nn.Linear, nn.Dropout, nn.Softmax)
    ]
    assert layers[2].ceil_mode is True
    path = tmp_path / "vgg16.t7"
    monkeypatch.setattr(networks, "load_t7", lambda _: type("File", (), {"value": net}))
    with pytest.raises(
        TransformError, match=r"vgg16\.t7: is not a transform network: it does not turn three channels"
    ):
        load_network(path)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (module("SpatialStrange"), "SpatialStrange"),
        (module("SpatialConvolution", nInputPlane=3.0), "layer SpatialConvolution: the number 'k"),
        (convolution(3, 3, groups=1.0, dilationW=1e9), None),
        (module("ShaveImage"), "layer ShaveImage: the number 'size' is missing"),
        (module("ReLU", threshold=0.5), "layer ReLU: a threshold other than 0"),
    ],
)
def test_unknown_and_damaged_layers_are_named(layer, message):
    if message is None:
        assert to_modules(sequential(layer))
        return
    with pytest.raises(NeuralStyleError) as error:
        to_modules(sequential(layer))
    assert message in str(error.value)


def test_old_batch_norm_held_the_inverse_deviation():
    variance, eps = np.float32([4, 0.25]), 1e-5
    old = module(
        "SpatialBatchNormalization",
        running_mean=np.zeros(2, np.float32),
        running_std=((variance.astype(np.float64) + eps) ** -0.5).astype(np.float32),
        eps=eps,
    )
    (layer,) = to_modules(sequential(old))
    assert np.allclose(layer.running_var.numpy(), variance, rtol=1e-6)


def test_cudnn_classes_count_as_nn():
    layer = convolution(3, 3)
    layer.class_name = "cudnn.SpatialConvolution"
    assert isinstance(to_modules(sequential(layer))[0], nn.Conv2d)


def test_frozen_norm_scales_and_shifts():
    layer = FrozenInstanceNorm2d(2)
    layer.weight.data, layer.bias.data = torch.tensor([2.0, 3.0]), torch.tensor([1.0, -1.0])
    x = torch.randn(1, 2, 4, 5)
    expected = x * (torch.tensor([2.0, 3.0]) / (1 + 1e-5) ** 0.5).view(1, 2, 1, 1) + torch.tensor(
        [1.0, -1.0]
    ).view(1, 2, 1, 1)
    assert torch.equal(layer(x), expected)


def test_errors_name_the_file(tmp_path):
    with pytest.raises(TransformError, match=r"net\.xyz: unknown kind of network '\.xyz'; known are"):
        load_network(tmp_path / "net.xyz")
    with pytest.raises(T7Error, match=r"absent\.t7: no such file"):
        load_network(tmp_path / "absent.t7")
    assert network() is not None
