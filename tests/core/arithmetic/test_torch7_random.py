"""Torch7's generator: the recorded normal numbers, seeds, and the cached second number."""

import numpy as np
import pytest

from core.arithmetic.torch7_random import Torch7Random
from tests.conftest import GOLDEN
from tests.support.compare import assert_identical


@pytest.mark.parametrize("seed", [0, 1, 42, 123, 4294967295])
def test_normal_stream(seed):
    expected = np.load(GOLDEN / "randn_torch7.npz")[f"randn_seed{seed}"]
    ours = Torch7Random(seed).normal((1001,))
    assert_identical(ours.astype(np.float32), expected.astype(np.float32))
    # NumPy's vector logarithm is up to 2 units in the last place from the C library's
    assert np.max(np.abs(ours - expected) / np.spacing(np.abs(expected))) <= 2


def test_the_second_number_of_a_pair_waits():
    whole, pieces = Torch7Random(7).normal((12,)), Torch7Random(7)
    assert_identical(np.concatenate([pieces.normal((n,)) for n in (1, 4, 0, 3, 2, 2)]), whole)


def test_seeding_forgets_the_waiting_number():
    random = Torch7Random(7)
    first = random.normal((3,))
    random.seed(7)
    assert_identical(random.normal((3,)), first)


@pytest.mark.parametrize(("seed", "same"), [(2**32 + 5, 5), (1.7, 1), (2**32, 0)])
def test_seeds_are_truncated_modulo_2_to_32(seed, same):
    assert_identical(Torch7Random(seed).normal((4, 5)), Torch7Random(same).normal((4, 5)))


def test_without_a_seed_every_stream_is_new():
    assert not np.array_equal(Torch7Random().normal((8,)), Torch7Random().normal((8,)))


def test_uniform_and_bernoulli_take_one_draw_each():
    raw = np.random.RandomState(3).randint(0, 2**32, 6, dtype=np.uint64)
    assert_identical(Torch7Random(3).uniform(6), raw * 2.0**-32)
    expected = (raw * 2.0**-32 <= 0.4).astype(np.float32).reshape(2, 3)
    assert_identical(Torch7Random(3).bernoulli(0.4, (2, 3)), expected)
