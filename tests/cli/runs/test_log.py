"""Numbers as LuaJIT prints them; whole logs are compared by test_parity."""

import math

import pytest

from cli.runs.log import fixed_point, is_due, log_lines, seventeen_digits
from cli.runs.neural_style import numbered
from core.events import Evaluation, OptimizationFinished
from core.settings.neural_style import Settings


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2213286.9140625, "2213286.914063"),  # an exact tie: C prints .914062
        (0.0, "0.000000"),
        (1e22, "10000000000000000000000.000000"),
        (0.1, "0.100000"),
        (math.inf, "inf"),
        (math.nan, "nan"),
    ],
)
def test_six_decimals_with_ties_away_from_zero(value, text):
    assert fixed_point(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (17808.609008789062, "17808.609008789063"),
        (9349315.5883789062, "9349315.5883789063"),
        (44970175.0, "44970175"),
        (0.0, "0"),
        (0.1, "0.10000000000000001"),
        (1e-7, "9.9999999999999995e-08"),
        (1e20, "1e+20"),
        (2.0**60 + 2.0**9, "1.1529215046068475e+18"),
    ],
)
def test_seventeen_digits_with_ties_away_from_zero(value, text):
    assert seventeen_digits(value) == text


@pytest.mark.parametrize(
    ("number", "every", "due"), [(4, 2, True), (3, 2, False), (1, 0, False), (1, -1, False), (5, 2.5, True)]
)
def test_every_so_many(number, every, due):
    assert is_due(number, every) is due


def test_a_block_of_losses():
    import numpy as np

    evaluation = Evaluation(2, np.zeros((3, 1, 1), np.float32), (1.5,), (2.25, 3.0), 6.75)
    settings = Settings(print_iter=1.0, num_iterations=10.0)
    assert list(log_lines(evaluation, settings)) == [
        "Iteration 2 / 10",
        "  Content 1 loss: 1.500000",
        "  Style 1 loss: 2.250000",
        "  Style 2 loss: 3.000000",
        "  Total loss: 6.750000",
    ]
    assert list(log_lines(evaluation, settings.replace(print_iter=3.0))) == []


def test_only_lbfgs_says_that_it_has_finished():
    assert list(log_lines(OptimizationFinished("adam", True), Settings())) == []
    assert list(log_lines(OptimizationFinished("lbfgs", False), Settings())) == []
    assert list(log_lines(OptimizationFinished("lbfgs", True), Settings())) == [
        "<optim.lbfgs> \treached max number of iterations"
    ]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("out.png", "./out_100.png"),
        ("a/b.png", "a/b_100.png"),
        ("a.b.png", "./a.b_100.png"),
        ("/c.jpg", "//c_100.jpg"),
    ],
)
def test_names_of_intermediate_images(path, name):
    assert numbered(path, 100) == name
