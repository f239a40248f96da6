"""Layers beside convolution and pooling: values, gradients, and Torch7's descriptions."""

import numpy as np
import pytest
import torch

import caffe_loader
from core.arithmetic.native import NativeArithmetic
from core.arithmetic.operations import Window
from core.arithmetic.torch7 import Torch7Arithmetic
from core.arithmetic.torch7_random import Torch7Random
from core.errors import NetworkError
from core.network.dense_layers import Dropout, Linear, Sigmoid, SoftMax, Tanh, View
from core.network.layer_factory import make_module
from core.network.layers import (
    SpatialAveragePooling,
    SpatialConvolution,
    SpatialCrossMapLRN,
    SpatialMaxPooling,
)
from tests.conftest import GOLDEN
from tests.support.compare import assert_identical

RNG = np.random.default_rng(17)
ARITHMETICS = [Torch7Arithmetic(1), NativeArithmetic(torch.device("cpu"))]
both = pytest.mark.parametrize("arithmetic", ARITHMETICS, ids=["torch7", "native"])


def golden_chain(name):
    with caffe_loader.open_caffemodel(GOLDEN / "models" / f"{name}.caffemodel") as model:
        return caffe_loader.chain(model)


def layer_of(name, layer):
    """A fresh chain's layer; its arrays are read while the file is open."""
    with caffe_loader.open_caffemodel(GOLDEN / "models" / f"{name}.caffemodel") as model:
        found = next(item for item in caffe_loader.chain(model).modules if item.name == layer)
        return make_module(found, ARITHMETICS[0], Torch7Random(0))


@both
@pytest.mark.parametrize(
    ("kind", "reference"),
    [(Tanh, torch.tanh), (Sigmoid, torch.sigmoid), (SoftMax, lambda x: x.softmax(0))],
)
def test_functions_and_their_gradients(arithmetic, kind, reference):
    x, grad = RNG.standard_normal((2, 5, 3, 4), dtype=np.float32)
    tensor = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    expected = reference(tensor)
    expected.backward(torch.tensor(grad).double())
    module = kind(arithmetic, "f")
    assert (
        np.abs(arithmetic.numpy(module.forward(arithmetic.array(x))) - expected.detach().numpy()).max() < 1e-6
    )
    back = arithmetic.numpy(module.backward(arithmetic.array(grad)))
    assert np.abs(back - tensor.grad.numpy()).max() < 1e-6


@both
def test_linear_and_view(arithmetic):
    layer = golden_linear()
    module, view = Linear(arithmetic, layer), View(arithmetic, "torch_view")
    x = RNG.standard_normal((4, 3, 2), dtype=np.float32)
    out = arithmetic.numpy(module.forward(view.forward(arithmetic.array(x))))
    assert np.abs(out - (layer.weight_array() @ x.reshape(-1) + layer.bias_array())).max() < 1e-5
    grad = RNG.standard_normal(5, dtype=np.float32)
    back = arithmetic.numpy(view.backward(module.backward(arithmetic.array(grad))))
    assert np.abs(back - (layer.weight_array().T @ grad).reshape(4, 3, 2)).max() < 1e-5
    assert str(module) == "nn.Linear(24 -> 5)"
    with pytest.raises(NetworkError, match="layer 'fc' needs 24 inputs"):
        module.output_shape((25,))


class golden_linear:  # noqa: N801  (stands for a caffe_loader.Linear)
    name, in_features, out_features = "fc", 24, 5

    def __init__(self):
        self._weight = RNG.standard_normal((5, 24), dtype=np.float32)
        self._bias = RNG.standard_normal(5, dtype=np.float32)

    def weight_array(self):
        return self._weight

    def bias_array(self):
        return self._bias


@both
def test_dropout_is_active_and_scaled(arithmetic):
    layer = caffe_loader.Dropout("drop", 0.25)
    module = Dropout(arithmetic, layer, Torch7Random(9))
    x = np.ones((2, 3, 4), np.float32)
    kept = (Torch7Random(9).uniform(24) <= 0.75).reshape(2, 3, 4)
    expected = np.where(kept, np.float32(1) / np.float32(0.75), np.float32(0)).astype(np.float32)
    assert_identical(arithmetic.numpy(module.forward(arithmetic.array(x))), expected)
    assert_identical(arithmetic.numpy(module.backward(arithmetic.array(x))), expected)
    assert not np.array_equal(arithmetic.numpy(module.forward(arithmetic.array(x))), expected)
    assert str(module) == "nn.Dropout(0.250000)"


@both
@pytest.mark.parametrize("channels", [2, 4, 9])
def test_response_norm_against_the_formula(arithmetic, channels):
    module = SpatialCrossMapLRN(arithmetic, caffe_loader.LRN("norm", 5, 0.1, 0.75, 2.0))
    x = RNG.standard_normal((channels, 4, 3), dtype=np.float32)
    tensor = torch.tensor(x[None], dtype=torch.float64, requires_grad=True)
    expected = torch.nn.functional.local_response_norm(tensor, 5, 0.1, 0.75, 2.0)
    grad = RNG.standard_normal(x.shape, dtype=np.float32)
    expected.backward(torch.tensor(grad[None]).double())
    out = arithmetic.numpy(module.forward(arithmetic.array(x)))
    assert np.abs(out - expected[0].detach().numpy()).max() < 1e-6
    back = arithmetic.numpy(module.backward(arithmetic.array(grad)))
    assert np.abs(back - tensor.grad[0].numpy()).max() < 1e-6


def test_descriptions():
    arithmetic = ARITHMETICS[0]
    assert str(layer_of("vgg19_mini_v1", "conv1_1")) == "nn.SpatialConvolution(3 -> 8, 3x3, 1,1, 1,1)"
    assert str(layer_of("alexnet_mini_v2", "conv1")) == "nn.SpatialConvolution(3 -> 12, 11x11, 4,4)"
    pooling = SpatialMaxPooling(arithmetic, "p", Window((2, 3), (1, 2), (0, 1)))
    assert str(pooling) == "nn.SpatialMaxPooling(3x2, 2,1, 1,0)"
    average = SpatialAveragePooling(arithmetic, "p", Window((2, 2), (2, 2)), ceil=False)
    assert str(average) == "nn.SpatialAveragePooling(2x2, 2,2)"


def test_output_shapes_equal_outputs():
    for module, size in (
        (layer_of("alexnet_mini_v2", "conv1"), (3, 37, 41)),
        (SpatialMaxPooling(ARITHMETICS[0], "p", Window((3, 3), (2, 2))), (4, 10, 11)),
        (SpatialAveragePooling(ARITHMETICS[0], "p", Window((3, 3), (2, 2)), ceil=False), (4, 10, 11)),
    ):
        x = RNG.standard_normal(size, dtype=np.float32)
        assert module.output_shape(size) == module.forward(x).shape


def test_too_small_pictures_and_wrong_channels():
    convolution = layer_of("alexnet_mini_v2", "conv1")
    assert isinstance(convolution, SpatialConvolution)
    with pytest.raises(NetworkError, match="layer 'conv1' cannot process 10x40 pixels; use a larger"):
        convolution.forward(np.zeros((3, 10, 40), np.float32))
    with pytest.raises(NetworkError, match="layer 'conv1' expects 3 channels"):
        convolution.forward(np.zeros((4, 40, 40), np.float32))


def test_pooling_over_the_whole_picture_is_refused():
    layer = caffe_loader.Pooling("global", "average", (0, 0), (1, 1), (0, 0))
    with pytest.raises(NetworkError, match="layer 'global' pools over the whole picture"):
        make_module(layer, ARITHMETICS[0], Torch7Random(0))


def test_grouped_convolution_in_exact_arithmetic_is_refused():
    with pytest.raises(NetworkError, match="grouped convolution"):
        ARITHMETICS[0].convolution(np.zeros((4, 2, 3, 3), np.float32), np.zeros(4, np.float32), 2)
