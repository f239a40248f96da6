"""The compiled kernel: its rounding order, element by element, for every vector width of this processor."""

from functools import partial
from math import ceil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.arithmetic import torch7_pooling
from core.arithmetic.kernel import elementwise, library, products
from core.arithmetic.kernel.compiled import CompiledProducts
from core.arithmetic.operations import Window
from core.arithmetic.torch7 import Torch7Arithmetic, best_products
from core.arithmetic.workers import Workers
from tests.core.arithmetic import exact_rules
from tests.support.compare import assert_identical

WIDTHS = []
for name in library.VECTORS:
    try:
        WIDTHS.append(library.load(name))
    except ValueError:  # this processor has no such vectors
        continue
pytestmark = pytest.mark.skipif(None in WIDTHS, reason="the kernel was not built: there is no C compiler")
every_width = pytest.mark.parametrize(
    "functions", WIDTHS, ids=lambda functions: getattr(functions, "vectors", "")
)
few = settings(max_examples=8, deadline=None)
seeds = st.integers(0, 2**32 - 1)


def random(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def assert_same_bits(ours, expected):
    assert_identical(ours.view(np.int32), expected.view(np.int32))


@every_width
@few
@given(seeds, st.integers(1, 720), st.integers(1, 60), st.integers(1, 700), st.booleans(), st.booleans())
def test_products(functions, seed, m, n, k, by_columns, keeps):
    a, b, start = random(seed, m, k), random(seed + 1, k, n), random(seed + 2, n, m)
    packed = products.pack_columns(
        functions, b if by_columns else np.ascontiguousarray(b.T), by_columns=by_columns
    )
    out = start.copy()
    products.multiply(functions, products.matrix_rows(np.ascontiguousarray(a.T)), packed, out, keeps=keeps)
    expected = exact_rules.product(a, b, start.T if keeps else np.zeros((m, n), np.float32))
    assert_same_bits(out, np.ascontiguousarray(expected.T))


@every_width
@few
@given(seeds, st.integers(8, 1500), st.integers(13, 60), st.integers(1, 40), st.data())
def test_cuts_change_nothing(functions, seed, m, n, k, data):
    a, b = random(seed, k, m), random(seed + 1, n, k)
    left, packed = products.matrix_rows(a), products.pack_columns(functions, b)
    whole, parts = np.empty((n, m), np.float32), np.empty((n, m), np.float32)
    products.multiply(functions, left, packed, whole)
    row, panel = data.draw(st.integers(0, m // 8)) * 8, data.draw(st.integers(0, ceil(n / 12)))
    for some in ((0, row), (row, m)):
        for others in ((0, panel), (panel, ceil(n / 12))):
            products.multiply(functions, left, packed, parts, (some, others))
    assert_same_bits(parts, whole)


windows = st.builds(
    Window,
    st.tuples(st.integers(1, 5), st.integers(1, 5)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.tuples(st.integers(0, 3), st.integers(0, 3)),
) | st.just(Window((3, 3), (1, 1), (1, 1)))


@every_width
@few
@given(seeds, windows, st.integers(1, 9), st.integers(1, 26), st.integers(5, 24), st.integers(5, 24))
def test_convolutions(functions, seed, window, n_in, n_out, height, width):
    x, bias = random(seed, n_in, height, width), random(seed + 1, n_out)
    weight = random(seed + 2, n_out, n_in, *window.kernel)
    arithmetic = Torch7Arithmetic(3, partial(CompiledProducts, functions))
    parameters = arithmetic.convolution(weight, bias, 1)
    out = arithmetic.convolve(x, parameters, window)
    assert_same_bits(out, exact_rules.convolve(x, weight, bias, window))
    grad = random(seed + 3, *out.shape)
    back = arithmetic.convolve_backward(grad, parameters, window, x)
    assert_same_bits(back, exact_rules.convolve_backward(grad, weight, window, x.shape))


@every_width
@pytest.mark.parametrize("shape", [(4, 330, 9, 40), (3, 64, 24, 32), (64, 3, 12, 70), (13, 700, 6, 7)])
def test_convolutions_with_many_channels(functions, shape):
    """More than one block of k in both directions, whole panels and what is left behind them."""
    n_in, n_out, height, width = shape
    window = Window((3, 3), (1, 1), (1, 1))
    x, weight, bias = random(1, n_in, height, width), random(2, n_out, n_in, 3, 3), random(3, n_out)
    grad = random(4, n_out, height, width)
    arithmetic = Torch7Arithmetic(2, partial(CompiledProducts, functions))
    parameters = arithmetic.convolution(weight, bias, 1)
    assert_same_bits(
        arithmetic.convolve(x, parameters, window), exact_rules.convolve(x, weight, bias, window)
    )
    assert_same_bits(
        arithmetic.convolve_backward(grad, parameters, window, x),
        exact_rules.convolve_backward(grad, weight, window, x.shape),
    )


@every_width
@few
@given(seeds, st.integers(1, 50), st.integers(1, 30), st.integers(1, 30))
def test_gram_matrices(functions, seed, channels, height, width):
    x, difference = random(seed, channels, height, width), random(seed + 1, channels, channels)
    features = x.reshape(channels, -1)
    arithmetic = Torch7Arithmetic(3, partial(CompiledProducts, functions))
    zeros = np.zeros((channels, channels), np.float32)
    expected = exact_rules.product(features, features.T, zeros)
    assert_same_bits(arithmetic.gram(x), np.ascontiguousarray(expected.T))
    once = exact_rules.product(features.T, difference.T, np.zeros(features.T.shape, np.float32))
    twice = exact_rules.product(features.T, difference, once)
    assert_same_bits(arithmetic.gram_backward(x, difference), np.ascontiguousarray(twice.T).reshape(x.shape))


@every_width
@few
@given(seeds, st.integers(1, 300))
def test_dot_and_axpy(functions, seed, size):
    x, y = random(seed, size), random(seed + 1, size)
    assert elementwise.dot(functions, x, y) == exact_rules.dot(x, y)
    expected = exact_rules.axpy(0.37, x, y)
    elementwise.axpy(functions, 0.37, x, y)
    assert_same_bits(y, expected)


@every_width
@few
@given(seeds, st.integers(1, 70))
def test_element_wise_work(functions, seed, size):
    gates, x, y = random(seed, size), random(seed + 1, size), random(seed + 2, size)
    gates[seed % size] = (np.nan, 0, -0.0, np.inf)[seed % 4]
    x[seed // 7 % size] = (np.nan, np.inf)[seed % 2]
    gated, summed = x.copy(), x.copy()
    elementwise.gate(functions, gates, gated)
    assert_same_bits(gated, np.where(gates <= 0, np.float32(0), x))
    elementwise.scaled_sum(functions, 0.3, summed, y)
    assert_same_bits(summed, np.float32(0.3) * x + y)
    rectified = gates.copy()
    elementwise.gate(functions, rectified, rectified)
    assert_same_bits(rectified, np.where(gates <= 0, np.float32(0), gates))


@every_width
@few
@given(seeds, windows | st.just(Window((2, 2), (2, 2))), st.integers(6, 20), st.integers(6, 20))
def test_pooling_equals_the_numpy_one(functions, seed, window, height, width):
    padding = tuple(min(pad, kernel // 2) for pad, kernel in zip(window.padding, window.kernel, strict=True))
    window = Window(window.kernel, window.stride, padding)
    x = np.round(random(seed, 5, height, width)) + 0  # ties, and no -0
    x[2, seed % height, seed % width] = (np.nan, np.inf, -np.inf)[seed % 3]
    arithmetic = Torch7Arithmetic(2, partial(CompiledProducts, functions))
    size = window.output_size(height, width, ceil=True)
    out, where = arithmetic.max_pool(x, window)
    expected = torch7_pooling.max_pool(x, window, size)
    assert_same_bits(out, expected)
    grad = random(seed + 1, *out.shape)
    back = arithmetic.max_pool_backward(grad, where, x, window)
    assert_same_bits(back, torch7_pooling.max_pool_backward(grad, expected, x, window))


@every_width
def test_arrays_that_do_not_fit_are_refused(functions):
    """Nothing reaches C that would make it read or write outside an array."""
    x, out = random(1, 4, 40), np.empty((24, 40), np.float32)
    packed = products.pack_columns(functions, random(2, 24, 4))
    left = products.matrix_rows(x)
    wrong = [
        partial(products.matrix_rows, x.T),
        partial(products.matrix_rows, x.astype(np.float64)),
        partial(products.matrix_rows, x[:, ::2]),
        partial(products.multiply, functions, left, packed, out[:, :39].copy()),
        partial(products.multiply, functions, left, packed, out, ((0, 48), (0, 2))),
        partial(products.multiply, functions, left, packed, out, ((4, 40), (0, 2))),
        partial(products.multiply, functions, left, packed, out, ((0, 40), (0, 3))),
        partial(products.multiply, functions, left, packed, out, bias=np.zeros(23, np.float32)),
        partial(products.multiply, functions, products.matrix_rows(random(3, 5, 40)), packed, out),
        partial(products.window_rows, random(4, 3, 2, 9), Window((3, 3))),
        partial(elementwise.dot, functions, x[0], x[0, 1:]),
        partial(elementwise.axpy, functions, 1.0, x[0], np.frombuffer(bytes(160), np.float32)),
    ]
    for call in wrong:
        with pytest.raises(ValueError):
            call()
    picture, weight = np.empty((4, 6, 6), np.float32), random(5, 8, 36)
    columns = products.pack_columns(functions, weight, by_columns=True)
    window, grad = Window((3, 3), (1, 1), (1, 1)), random(6, 8, 6, 6)
    backward = partial(products.convolve_backward, functions, grad, columns, window, picture)
    for channels, strip in (((0, 5), (0, 6)), ((1, 4), (0, 6)), ((0, 4), (0, 7)), ((3, 2), (0, 6))):
        with pytest.raises(ValueError):
            backward(channels, strip)


def test_what_is_built_is_used():
    assert isinstance(best_products(Workers(1)), CompiledProducts)


def test_another_interface_is_not_used(monkeypatch):
    """A library built from older sources, as after a pull without make setup."""
    monkeypatch.setattr(library, "INTERFACE", library.INTERFACE + 1)
    library.load.cache_clear()
    try:
        assert library.load() is None
    finally:
        monkeypatch.undo()
        library.load.cache_clear()


def test_pack_columns():
    functions, matrix = WIDTHS[0], random(1, 14, 3)
    packed = products.pack_columns(functions, matrix)
    assert packed.panels.shape == (2, 3, 12)
    assert_identical(packed.panels[0], matrix[:12].T.copy())
    assert_identical(packed.panels[1, :, :2], matrix[12:].T.copy())
    assert (packed.panels[1, :, 2:] == 0).all()
