"""Products, dots and additions of vectors on the device: every bit is that of the processor."""

import numpy as np
import pytest

from core.arithmetic.opencl import products
from tests.support.compare import assert_identical

RNG = np.random.default_rng(17)
# (channels, height, width): odd sizes, one and several blocks of positions, every remainder modulo 12
MAPS = [(3, 5, 7), (4, 4, 5), (13, 9, 9), (16, 20, 21), (20, 37, 53), (30, 12, 60), (64, 29, 41), (7, 63, 65)]


def random(*shape):
    return RNG.standard_normal(shape, dtype=np.float32)


@pytest.mark.parametrize("shape", MAPS)
def test_gram(each_way, theirs, shape):
    x = random(*shape)
    assert_identical(each_way.numpy(each_way.gram(each_way.array(x))), theirs.gram(x))


@pytest.mark.parametrize("shape", MAPS)
def test_gram_backward(each_way, theirs, shape):
    x, grad = random(*shape), random(shape[0], shape[0])
    found = each_way.gram_backward(each_way.array(x), each_way.array(grad))
    assert_identical(each_way.numpy(found), theirs.gram_backward(x, grad))


def test_blocks_of_depth_in_several_turns(ours, theirs, monkeypatch):
    """Memory for two blocks only: the sum goes on where the turn before ended."""
    monkeypatch.setattr(products, "BLOCKS_BYTES", 2 * 4 * 20 * 20)
    x = random(20, 37, 53)
    assert_identical(ours.numpy(ours.gram(ours.array(x))), theirs.gram(x))


@pytest.mark.parametrize("size", [1, 31, 32, 33, 63, 1000, 1024, 5000, 100_003])
def test_dot_and_axpy(each_way, theirs, size):
    x, y = random(size), random(size)
    assert each_way.dot(each_way.array(x), each_way.array(y)) == theirs.dot(x, y)
    found = each_way.axpy_(0.37, each_way.array(x), each_way.array(y))
    assert_identical(each_way.numpy(found), theirs.axpy_(0.37, x, y.copy()))
