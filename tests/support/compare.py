"""Equality of arrays, with a message that shows where and how far they differ."""

import numpy as np


def assert_identical(ours, expected):
    """Same dtype, same shape, same values (``==``); the message names the first differing index."""
    ours, expected = np.asarray(ours), np.asarray(expected)
    assert ours.dtype == expected.dtype, f"dtype {ours.dtype}, expected {expected.dtype}"
    assert ours.shape == expected.shape, f"shape {ours.shape}, expected {expected.shape}"
    different = ours != expected
    if different.any():
        first = tuple(int(i) for i in np.argwhere(different)[0])
        raise AssertionError(
            f"{np.count_nonzero(different)} of {ours.size} values differ, first at {first}: "
            f"{ours[first]!r}, expected {expected[first]!r}"
        )
