"""Pooling, element-wise work and what runs on the host: every bit is that of the processor."""

import numpy as np
import pytest

from core.arithmetic.operations import Window
from core.errors import NetworkError
from tests.support.compare import assert_identical

RNG = np.random.default_rng(29)
WINDOWS = [
    (Window((2, 2), (2, 2)), 13, 15),
    (Window((3, 3), (2, 2)), 20, 31),
    (Window((3, 3), (2, 2), (1, 1)), 20, 31),
    (Window((2, 3), (1, 1), (1, 0)), 9, 8),
    (Window((4, 4), (1, 2), (2, 1)), 10, 11),
    (Window((2, 2), (3, 3)), 11, 11),
]


def random(*shape):
    return RNG.standard_normal(shape, dtype=np.float32)


@pytest.mark.parametrize(("window", "height", "width"), WINDOWS)
def test_max_pooling(ours, theirs, window, height, width):
    """Halves of whole numbers: many equal maxima, of which the first wins."""
    x = np.round(2 * random(5, height, width)) / 2
    x[0, 0, 0], x[1, 3, 3] = np.nan, np.inf
    out, where = ours.max_pool(ours.array(x), window)
    expected, there = theirs.max_pool(x, window)
    assert_identical(ours.numpy(out), expected)
    grad = random(*expected.shape)
    back = ours.max_pool_backward(ours.array(grad), where, ours.array(x), window)
    assert_identical(ours.numpy(back), theirs.max_pool_backward(grad, there, x, window))


@pytest.mark.parametrize("ceil", [True, False])
@pytest.mark.parametrize(("window", "height", "width"), WINDOWS)
def test_average_pooling(ours, theirs, window, height, width, ceil):
    x = random(5, height, width)
    expected = theirs.average_pool(x, window, ceil)
    assert_identical(ours.numpy(ours.average_pool(ours.array(x), window, ceil)), expected)
    grad = random(*expected.shape)
    back = ours.average_pool_backward(ours.array(grad), ours.array(x), window, ceil)
    assert_identical(ours.numpy(back), theirs.average_pool_backward(grad, x, window, ceil))


@pytest.mark.parametrize(
    "operation",
    [
        lambda a, x, y: a.scaled(x, 1 / 3),
        lambda a, x, y: a.scale_(x, 1e-39),
        lambda a, x, y: a.scaled_sum_(x, 0.1, y),
        lambda a, x, y: a.divide_(x, 3.7),
        lambda a, x, y: a.relu_(x),
        lambda a, x, y: a.mask_(x, y),
        lambda a, x, y: a.copy(x),
        lambda a, x, y: a.zeros_like(x),
        lambda a, x, y: a.total_variation(x),
        lambda a, x, y: a.tanh(x),
        lambda a, x, y: a.sigmoid(x),
        lambda a, x, y: a.softmax(x),
        lambda a, x, y: x - y,
        lambda a, x, y: x * (1 - y),
        lambda a, x, y: x + y,
        lambda a, x, y: (x - (x * y).sum(0)) * y,
        lambda a, x, y: x.reshape(-1),
        lambda a, x, y: x.reshape((5, -1)),
    ],
)
def test_single_elements(ours, theirs, operation):
    x, y = random(5, 7, 9), random(5, 7, 9)
    found = operation(ours, ours.array(x), ours.array(y))
    assert_identical(ours.numpy(found), operation(theirs, x.copy(), y.copy()))


def test_subnormal_numbers_are_kept(ours):
    tiny = np.array([1e-45, -3e-42, 1.1e-38], np.float32)
    assert_identical(ours.numpy(ours.scaled(ours.array(tiny), 1)), tiny)
    assert_identical(ours.numpy(ours.scaled(ours.array(tiny), 0.5)), tiny * np.float32(0.5))


def test_adam(ours, theirs):
    arrays = [random(3, 11, 13) for _ in range(4)]
    arrays[2] = np.abs(arrays[2])
    here = [ours.array(array) for array in arrays]
    ours.adam_step_(*here, 0.999, 0.31)
    theirs.adam_step_(*arrays, 0.999, 0.31)
    for found, expected in zip(here, arrays, strict=True):
        assert_identical(ours.numpy(found), expected)


def test_sums(ours, theirs):
    x, y = random(64, 40, 30), random(64, 40, 30)
    loss = ours.mean_squared_error(ours.array(x), ours.array(y))
    assert float(loss) == theirs.mean_squared_error(x, y)
    assert ours.sum_abs(ours.array(x)) == theirs.sum_abs(x)


def test_the_loss_is_of_the_moment_it_is_asked_for(ours, theirs):
    x, y = random(4, 30, 30), random(4, 30, 30)
    here = ours.array(x)
    loss = ours.mean_squared_error(here, ours.array(y))
    ours.relu_(here)
    assert float(loss) == theirs.mean_squared_error(x, y)


def test_response_normalisation(ours, theirs):
    x, grad = random(7, 6, 5), random(7, 6, 5)
    out, scale = ours.response_norm(ours.array(x), 5, 1e-4, 0.75, 1.0)
    expected, there = theirs.response_norm(x, 5, 1e-4, 0.75, 1.0)
    assert_identical(ours.numpy(out), expected)
    back = ours.response_norm_backward(ours.array(grad), ours.array(x), out, scale, 5, 1e-4, 0.75)
    assert_identical(ours.numpy(back), theirs.response_norm_backward(grad, x, expected, there, 5, 1e-4, 0.75))


def test_linear(ours, theirs):
    x, weight, bias, grad = random(50), random(13, 50), random(13), random(13)
    found = ours.linear(ours.array(x), ours.array(weight), ours.array(bias))
    assert_identical(ours.numpy(found), theirs.linear(x, weight, bias))
    back = ours.linear_backward(ours.array(grad), ours.array(weight))
    assert_identical(ours.numpy(back), theirs.linear_backward(grad, weight))


def test_groups_are_refused(ours):
    with pytest.raises(NetworkError, match="grouped"):
        ours.convolution(random(4, 2, 3, 3), random(4), 2)
