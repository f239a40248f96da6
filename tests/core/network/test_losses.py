"""Content, style and total variation losses: values, gradients, and the original's quirks."""

import numpy as np
import pytest
import torch

from core.arithmetic.native import NativeArithmetic
from core.arithmetic.operations import sequential_mean_square, sequential_sum
from core.arithmetic.torch7 import Torch7Arithmetic
from core.network.layers import ReLU
from core.network.losses import ContentLoss, StyleLoss, TVLoss
from tests.support.compare import assert_identical

RNG = np.random.default_rng(19)
EXACT = Torch7Arithmetic(2)
both = pytest.mark.parametrize(
    "arithmetic", [EXACT, NativeArithmetic(torch.device("cpu"))], ids=["torch7", "native"]
)
F32 = np.float32


def features(*shape):
    return RNG.standard_normal(shape, dtype=np.float32)


def gram(x):
    matrix = x.reshape(len(x), -1).astype(np.float64)
    return matrix @ matrix.T / x.size


@both
def test_content_loss_and_gradient(arithmetic):
    x, target, upstream = features(3, 5, 7, 4)
    loss = ContentLoss(arithmetic, "c", 5.0, normalize=False)
    loss.capture(arithmetic.array(target))
    loss.forward(arithmetic.array(x))
    assert loss.loss() == pytest.approx(5 * np.mean((x - target) ** 2), rel=1e-5)
    grad = arithmetic.numpy(loss.backward(arithmetic.array(upstream)))
    assert np.abs(grad - (5 * 2 / x.size * (x - target) + upstream)).max() < 1e-6


@both
def test_style_loss_and_gradient(arithmetic):
    x, style, upstream = features(3, 6, 5, 9)
    loss = StyleLoss(arithmetic, "s", 100.0, normalize=False)
    loss.capture(arithmetic.array(style), 1.0)
    loss.forward(arithmetic.array(x))
    tensor = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    matrix = tensor.reshape(6, -1)
    value = 100 * ((matrix @ matrix.T / x.size - torch.tensor(gram(style))) ** 2).mean()
    value.backward()
    assert loss.loss() == pytest.approx(value.item(), rel=1e-5)
    grad = arithmetic.numpy(loss.backward(arithmetic.array(upstream)))
    assert np.abs(grad - (tensor.grad.numpy() + upstream)).max() < 1e-5


@both
def test_targets_of_several_styles_are_blended_whatever_their_size(arithmetic):
    first, second = features(4, 6, 5), features(4, 3, 11)
    loss = StyleLoss(arithmetic, "s", 1.0, normalize=False)
    loss.capture(arithmetic.array(first), 0.3)
    loss.capture(arithmetic.array(second), 0.7)
    expected = 0.3 * gram(first) + 0.7 * gram(second)
    assert np.abs(arithmetic.numpy(loss.target) - expected).max() < 1e-6


@both
def test_normalised_before_strength_and_upstream(arithmetic):
    x, target, upstream = features(3, 5, 7, 4)
    loss = ContentLoss(arithmetic, "c", 50.0, normalize=True)
    loss.capture(arithmetic.array(target))
    loss.forward(arithmetic.array(x))
    grad = arithmetic.numpy(loss.backward(arithmetic.array(upstream)))
    assert np.abs(grad - upstream).sum() == pytest.approx(50, rel=1e-4)


@both
def test_content_on_a_convolution_sees_the_rectified_features_on_the_way_back(arithmetic):
    before, target, upstream = features(3, 4, 5, 6)
    loss, relu = ContentLoss(arithmetic, "conv", 3.0, normalize=False), ReLU(arithmetic, "relu")
    loss.capture(arithmetic.array(target))
    relu.forward(loss.forward(arithmetic.array(before)))
    assert loss.loss() == pytest.approx(3 * np.mean((before - target) ** 2), rel=1e-5)
    masked = np.where(before > 0, upstream, 0)
    grad = arithmetic.numpy(loss.backward(relu.backward(arithmetic.array(upstream))))
    expected = 3 * 2 / before.size * (np.maximum(before, 0) - target) + masked
    assert np.abs(grad - expected).max() < 1e-6


@both
def test_style_on_a_convolution_mixes_both_features(arithmetic):
    before, style, upstream = features(3, 4, 5, 6)
    loss, relu = StyleLoss(arithmetic, "conv", 10.0, normalize=False), ReLU(arithmetic, "relu")
    loss.capture(arithmetic.array(style), 1.0)
    relu.forward(loss.forward(arithmetic.array(before)))
    grad = arithmetic.numpy(loss.backward(relu.backward(arithmetic.array(upstream))))
    difference = 2 / 16 * (gram(before) - gram(style)) / before.size
    rectified = np.maximum(before, 0).reshape(4, -1)
    expected = 10 * ((difference + difference.T) @ rectified).reshape(before.shape)
    assert np.abs(grad - (expected + np.where(before > 0, upstream, 0))).max() < 1e-5


@both
def test_total_variation_spares_the_corner(arithmetic):
    x, upstream = features(2, 3, 5, 7)
    tensor = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    block = tensor[:, :-1, :-1]
    value = ((block - tensor[:, :-1, 1:]) ** 2 + (block - tensor[:, 1:, :-1]) ** 2).sum() / 2
    value.backward()
    module = TVLoss(arithmetic, 0.01)
    module.forward(arithmetic.array(x))
    grad = arithmetic.numpy(module.backward(arithmetic.array(upstream)))
    assert np.abs(grad - (0.01 * tensor.grad.numpy() + upstream)).max() < 1e-6
    assert_identical(grad[:, -1, -1], upstream[:, -1, -1])


def test_the_mean_of_squares_is_a_running_float32_sum():
    values = np.full(3 << 20, 0.1, F32)
    total, square = F32(0), F32(0.1) * F32(0.1)
    for _ in range(1 << 12):
        total += square
    assert sequential_mean_square(values[: 1 << 12].copy()) == float(total / F32(1 << 12))
    # three million equal terms: the running sum is too coarse to follow them
    assert sequential_mean_square(values.copy()) == pytest.approx(0.01, rel=0.05)
    assert abs(sequential_mean_square(values.copy()) - 0.01) > 1e-5


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1, 2, 7, 8, 9, 127, 128, 129, 1000, 100_001])
def test_sums_run_from_left_to_right(dtype, size):
    values = RNG.random(size).astype(dtype) * RNG.random(size).astype(dtype)
    assert sequential_sum(values) == float(np.cumsum(values)[-1])
    assert str(sequential_sum(values * 0)) == "0.0"  # the log would show -0.000000


def test_gram_bits_do_not_depend_on_threads():
    x = features(70, 31, 37)
    difference = features(70, 70)
    assert_identical(Torch7Arithmetic(1).gram(x), Torch7Arithmetic(3).gram(x))
    assert_identical(
        Torch7Arithmetic(1).gram_backward(x, difference), Torch7Arithmetic(3).gram_backward(x, difference)
    )
