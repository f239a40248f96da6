"""Single layers against their rule written out element by element."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from core.arithmetic.torch7 import Torch7Arithmetic
from core.errors import TransformError
from core.transform.exact.layers import Machine, exact_layer
from core.transform.networks.layers import FrozenInstanceNorm2d, MulConstant, ShaveImage
from tests.support.compare import assert_identical

RNG = np.random.default_rng(17)
f32 = np.float32


def random(*shape):
    return RNG.standard_normal(shape, dtype=np.float32)


def run(module, x, threads=1):
    return exact_layer(module, Machine(Torch7Arithmetic(threads), threads))(x)


def with_weights(module, *shape):
    module.weight = nn.Parameter(torch.from_numpy(random(*shape)), requires_grad=False)
    module.bias = nn.Parameter(torch.from_numpy(random(module.bias.numel())), requires_grad=False)
    return module


def affine(module):
    return module.weight.numpy(), module.bias.numpy()


@pytest.mark.parametrize("threads", [1, 2])
def test_instance_normalisation(threads):
    x = random(5, 13, 29) * 40 + 90
    module = with_weights(nn.InstanceNorm2d(5, affine=True), 5)
    weight, bias = affine(module)
    expected = np.empty_like(x)
    for channel, values in enumerate(x):
        total = 0.0
        for value in values.ravel().tolist():
            total += value
        mean = f32(f32(total) / f32(values.size))
        squares = 0.0
        for value in values.ravel():
            difference = f32(value - mean)
            squares += float(f32(difference * difference))
        inverse = f32(1 / math.sqrt(squares / values.size + 1e-5))
        scaled = ((values - mean) * inverse) * weight[channel]
        expected[channel] = scaled + bias[channel]
    assert_identical(run(module, x, threads), expected)


def test_batch_normalisation():
    x = random(3, 6, 7)
    module = with_weights(nn.BatchNorm2d(3), 3).eval()
    mean, variance = random(3), random(3) ** 2
    module.running_mean, module.running_var = torch.from_numpy(mean), torch.from_numpy(variance)
    weight, bias = affine(module)
    expected = np.empty_like(x)
    for c in range(3):
        inverse = f32(1 / math.sqrt(float(variance[c]) + 1e-5))
        expected[c] = ((x[c] - mean[c]) * inverse) * weight[c] + bias[c]
    assert_identical(run(module, x), expected)


def test_inert_instance_normalisation():
    """Neither multiplied into one factor nor folded into the convolution."""
    x = random(4, 5, 9)
    module = FrozenInstanceNorm2d(4)
    module.weight.data, module.bias.data = torch.from_numpy(random(4)), torch.from_numpy(random(4))
    weight, bias = module.weight.detach().numpy(), module.bias.detach().numpy()
    inverse = f32(1 / math.sqrt(1 + 1e-5))
    expected = (x * inverse) * weight[:, None, None] + bias[:, None, None]
    assert_identical(run(module, x), expected)


@pytest.mark.parametrize(("stride", "padding", "more"), [(2, 1, 1), (1, 0, 0), (3, 2, 1)])
def test_full_convolution(stride, padding, more):
    """Every pixel gets its taps by rows, then by columns, and the bias last; some get the bias alone."""
    x = random(3, 4, 5)
    module = with_weights(nn.ConvTranspose2d(3, 2, 3, stride, padding, more), 3, 2, 3, 3)
    weight, bias = affine(module)
    height, width = ((side - 1) * stride - 2 * padding + 3 + more for side in x.shape[1:])
    expected = np.zeros((2, height, width), f32)
    for ky in range(3):
        for kx in range(3):
            for y in range(4):
                for x_at in range(5):
                    row, column = y * stride - padding + ky, x_at * stride - padding + kx
                    if 0 <= row < height and 0 <= column < width:
                        expected[:, row, column] += products(x[:, y, x_at], weight[:, :, ky, kx])
    assert_identical(run(module, x), expected + bias[:, None, None])


def products(x, weight):
    """One fused multiply-add after the other over the input channels, as OpenBLAS's sgemm does for few."""
    total = np.zeros(weight.shape[1], f32)
    for value, row in zip(x, weight, strict=True):
        total = (float(value) * row.astype(np.float64) + total).astype(f32)
    return total


def test_rows_that_no_tap_reaches_hold_the_bias():
    module = with_weights(nn.ConvTranspose2d(1, 1, 1, 2, 0, 1), 1, 1, 1, 1)
    out = run(module, np.ones((1, 2, 2), f32))
    assert out[0, 3, 3] == out[0, 1, 0] == module.bias.item()


def test_a_convolution_without_bias_begins_at_zero():
    module = nn.Conv2d(3, 4, 3, bias=False)
    again = nn.Conv2d(3, 4, 3)
    again.weight, again.bias = module.weight, nn.Parameter(torch.zeros(4))
    x = random(3, 9, 8)
    assert_identical(run(module, x), run(again, x))


@pytest.mark.parametrize(
    "module",
    [
        nn.ReflectionPad2d((1, 2, 3, 0)),
        nn.ReplicationPad2d((1, 2, 3, 0)),
        nn.ZeroPad2d((1, 2, 3, 0)),
        nn.ZeroPad2d((-1, 2, 3, -2)),
        nn.ZeroPad2d((-1, -2, 0, -2)),
        nn.Upsample(scale_factor=3.0, mode="nearest"),
        nn.ReLU(),
        nn.Identity(),
        nn.Dropout(),
        ShaveImage(2),
        MulConstant(150.3),
    ],
)
def test_layers_without_rounding_of_their_own(module):
    x = random(4, 9, 11)
    expected = module.eval()(torch.from_numpy(x)[None])[0].numpy()
    found = run(module, x, 2)
    assert_identical(found, expected)
    assert found.flags.c_contiguous


def test_a_relu_keeps_nan():
    assert np.isnan(run(nn.ReLU(), np.full((1, 1, 1), np.nan, f32)))[0, 0, 0]


def test_unknown_layers_are_named():
    with pytest.raises(TransformError, match="a layer Softmax is not known in torch7 arithmetic"):
        run(nn.Softmax(dim=1), random(1, 2, 2))
    with pytest.raises(TransformError, match="a dilated convolution"):
        run(nn.Conv2d(1, 1, 3, dilation=2), random(1, 9, 9))
