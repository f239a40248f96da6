"""Torch7's convolution: its values, the same bits for any number of threads, and its adjoint."""

import numpy as np
import pytest
import torch

from core.arithmetic.native import NativeArithmetic
from core.arithmetic.operations import Window
from core.arithmetic.torch7 import Torch7Arithmetic
from tests.support.compare import assert_identical

RNG = np.random.default_rng(11)
# (nIn, nOut, kernel, stride, padding, height, width); nOut leaves 0, 4, 8 and other remainders modulo 12
CASES = [
    (3, 64, (3, 3), (1, 1), (1, 1), 45, 61),
    (8, 24, (3, 3), (1, 1), (1, 1), 37, 53),
    (16, 20, (3, 3), (1, 1), (1, 1), 41, 67),
    (7, 13, (3, 3), (1, 1), (1, 1), 12, 9),
    (3, 12, (11, 11), (4, 4), (0, 0), 72, 96),
    (12, 20, (5, 5), (1, 1), (2, 2), 9, 11),
    (5, 28, (1, 1), (1, 1), (0, 0), 50, 40),
    (4, 16, (2, 5), (2, 3), (1, 2), 33, 47),
]


def data(case):
    n_in, n_out, kernel, stride, padding, height, width = case
    window = Window(kernel, stride, padding)
    x = RNG.standard_normal((n_in, height, width), dtype=np.float32)
    weight = RNG.standard_normal((n_out, n_in, *kernel), dtype=np.float32)
    bias = RNG.standard_normal(n_out, dtype=np.float32)
    grad = RNG.standard_normal((n_out, *window.output_size(height, width)), dtype=np.float32)
    return window, x, weight, bias, grad


def run(arithmetic, window, x, weight, bias, grad):
    parameters = arithmetic.convolution(weight, bias, 1)
    out = arithmetic.convolve(arithmetic.array(x), parameters, window)
    back = arithmetic.convolve_backward(arithmetic.array(grad), parameters, window, arithmetic.array(x))
    return arithmetic.numpy(out), arithmetic.numpy(back)


@pytest.mark.parametrize("case", CASES)
def test_values_and_threads(case):
    window, x, weight, bias, grad = data(case)
    out, back = run(Torch7Arithmetic(1), window, x, weight, bias, grad)
    for threads in (2, 3):
        again = run(Torch7Arithmetic(threads), window, x, weight, bias, grad)
        assert_identical(again[0], out)
        assert_identical(again[1], back)
    inputs = torch.tensor(x[None], dtype=torch.float64, requires_grad=True)
    expected = torch.nn.functional.conv2d(
        inputs, torch.tensor(weight).double(), torch.tensor(bias).double(), window.stride, window.padding
    )
    expected.backward(torch.tensor(grad[None]).double())
    # float32 rounding of sums of up to 400 terms of size 1
    assert np.abs(out - expected[0].detach().numpy()).max() < 1e-4
    assert np.abs(back - inputs.grad[0].numpy()).max() < 1e-4


@pytest.mark.parametrize("case", CASES)
def test_native_agrees(case):
    arrays = data(case)
    exact = run(Torch7Arithmetic(1), *arrays)
    native = run(NativeArithmetic(torch.device("cpu")), *arrays)
    for ours, theirs in zip(native, exact, strict=True):
        assert np.linalg.norm(ours - theirs) < 1e-6 * np.linalg.norm(theirs)


@pytest.mark.parametrize("case", CASES)
def test_backward_is_the_adjoint(case):
    window, x, weight, bias, grad = data(case)
    out, back = run(Torch7Arithmetic(2), window, x, weight, np.zeros_like(bias), grad)
    forward_product = np.vdot(out.astype(np.float64), grad)
    assert forward_product == pytest.approx(np.vdot(x.astype(np.float64), back), rel=1e-4, abs=1e-2)


def test_blocks_of_positions_cover_large_maps():
    window, x, weight, bias, grad = data((16, 64, (3, 3), (1, 1), (1, 1), 170, 190))
    one = run(Torch7Arithmetic(1), window, x, weight, bias, grad)
    two = run(Torch7Arithmetic(2), window, x, weight, bias, grad)
    expected = torch.nn.functional.conv2d(
        torch.tensor(x[None]), torch.tensor(weight), torch.tensor(bias), 1, 1
    )
    assert np.abs(one[0] - expected[0].numpy()).max() < 1e-4
    assert_identical(one[0], two[0])
    assert_identical(one[1], two[1])


def test_products_are_summed_from_zero_and_then_added_to_the_bias():
    """2^24 + (1 + 1) is exact in float32; (2^24 + 1) + 1 would round to 2^24 twice."""
    arithmetic, window = Torch7Arithmetic(1), Window((1, 1))
    x = np.ones((2, 1, 1), np.float32)
    weight = np.ones((1, 2, 1, 1), np.float32)
    parameters = arithmetic.convolution(weight, np.array([2.0**24], np.float32), 1)
    assert arithmetic.convolve(x, parameters, window)[0, 0, 0] == 2.0**24 + 2
