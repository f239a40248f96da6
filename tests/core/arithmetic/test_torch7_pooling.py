"""Torch7's pooling: sizes, ties, NaN, overlap, and where PyTorch differs."""

import numpy as np
import pytest
import torch

from core.arithmetic.native import NativeArithmetic
from core.arithmetic.operations import Window
from core.arithmetic.torch7 import Torch7Arithmetic
from tests.support.compare import assert_identical

RNG = np.random.default_rng(13)
EXACT, NATIVE = Torch7Arithmetic(2), NativeArithmetic(torch.device("cpu"))
WINDOWS = [
    Window((2, 2), (2, 2)),
    Window((3, 3), (2, 2)),
    Window((3, 3), (2, 2), (1, 1)),
    Window((3, 2), (1, 2)),
    Window((4, 3), (3, 3), (2, 1)),
]


def few_levels(*shape):
    """Many ties, as after a ReLU."""
    return np.maximum(RNG.integers(-3, 4, shape), 0).astype(np.float32)


@pytest.mark.parametrize("window", WINDOWS, ids=str)
@pytest.mark.parametrize("size", [(8, 8), (9, 13), (17, 6), (5, 23)])
def test_maximum_equals_pytorch_ceil_mode(window, size):
    x = few_levels(19, *size)
    tensor = torch.tensor(x[None], requires_grad=True)
    expected = torch.nn.functional.max_pool2d(
        tensor, window.kernel, window.stride, window.padding, ceil_mode=True
    )
    grad = RNG.integers(-8, 9, expected.shape[1:]).astype(np.float32)  # sums are exact in any order
    expected.backward(torch.tensor(grad[None]))
    out, where = EXACT.max_pool(x, window)
    assert_identical(out, expected[0].detach().numpy())
    assert_identical(EXACT.max_pool_backward(grad, where, x, window), tensor.grad[0].numpy())


@pytest.mark.parametrize("window", WINDOWS, ids=str)
@pytest.mark.parametrize("ceil", [False, True])
def test_average_equals_pytorch(window, ceil):
    x = RNG.standard_normal((6, 11, 14), dtype=np.float32)
    tensor = torch.tensor(x[None], requires_grad=True)
    expected = torch.nn.functional.avg_pool2d(tensor, window.kernel, window.stride, window.padding, ceil)
    grad = RNG.standard_normal(expected.shape[1:], dtype=np.float32)
    expected.backward(torch.tensor(grad[None]))
    assert np.abs(EXACT.average_pool(x, window, ceil) - expected[0].detach().numpy()).max() < 1e-6
    ours = EXACT.average_pool_backward(grad, x, window, ceil)
    assert np.abs(ours - tensor.grad[0].numpy()).max() < 1e-6
    tensors = NATIVE.array(x), NATIVE.array(grad)
    assert (
        np.abs(
            NATIVE.numpy(NATIVE.average_pool(tensors[0], window, ceil)) - expected[0].detach().numpy()
        ).max()
        == 0
    )
    assert (
        np.abs(NATIVE.numpy(NATIVE.average_pool_backward(tensors[1], tensors[0], window, ceil)) - ours).max()
        < 1e-6
    )


def test_gradients_of_overlapping_windows_are_added_in_output_order():
    """2^24 + 1 - 2^24: another order gives another float32 sum."""
    x = np.zeros((1, 3, 5), np.float32)
    x[0, 1, 2] = 1
    window = Window((3, 3), (1, 1))
    _, where = EXACT.max_pool(x, window)
    grad = np.array([[[2.0**24, 1.0, -(2.0**24)]]], np.float32)
    assert EXACT.max_pool_backward(grad, where, x, window)[0, 1, 2] == 0.0
    assert EXACT.max_pool_backward(grad[..., [0, 2, 1]].copy(), where, x, window)[0, 1, 2] == 1.0


def test_nan_never_wins():
    x = np.array([[[np.nan, 1.0], [0.5, np.nan]]], np.float32)
    out, where = EXACT.max_pool(x, Window((2, 2), (2, 2)))
    assert out.tolist() == [[[1.0]]]
    grad = EXACT.max_pool_backward(np.array([[[3.0]]], np.float32), where, x, Window((2, 2), (2, 2)))
    assert grad.tolist() == [[[0.0, 3.0], [0.0, 0.0]]]


def test_an_in_place_relu_behind_does_not_confuse_the_gradient():
    x = np.array([[[-3.0, -1.0], [-2.0, -4.0]]], np.float32)
    out, where = EXACT.max_pool(x, Window((2, 2), (2, 2)))
    EXACT.relu_(out)
    grad = EXACT.max_pool_backward(np.array([[[5.0]]], np.float32), where, x, Window((2, 2), (2, 2)))
    assert grad.tolist() == [[[0.0, 5.0], [0.0, 0.0]]]


def test_empty_windows_of_small_kernels_are_kept():
    """kernel < stride in ceil mode: PyTorch drops a window that starts beyond the input, Torch7 does not."""
    x = RNG.standard_normal((2, 6, 6), dtype=np.float32)
    window = Window((1, 1), (4, 4))
    out, where = EXACT.max_pool(np.ascontiguousarray(x), window)
    assert out.shape == (2, 3, 3)
    assert_identical(out[:, :2, :2], x[:, ::4, ::4])
    assert (out[:, 2] == np.finfo(np.float32).min).all()
    grad = EXACT.max_pool_backward(np.ones_like(out), where, x, window)
    assert grad.sum() == 8


def test_masking_zeroes_infinite_and_nan_gradients():
    grad = np.array([[[np.inf, np.nan, 2.0, -3.0]]], np.float32)
    output = np.array([[[0.0, 0.0, 1.0, 0.0]]], np.float32)
    assert EXACT.mask_(grad, output).tolist() == [[[0.0, 0.0, 2.0, 0.0]]]
