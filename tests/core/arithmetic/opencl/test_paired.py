"""Which elements have two accumulators, against the rules written out element by element."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.arithmetic.opencl.paired import block_starts, paired_at_most, paired_parts


def marked(rows, columns):
    """shared/spec/exact_products.md, word for word: True where an element has two accumulators."""
    found = np.zeros((rows, columns), bool)
    behind = columns // 12 * 12
    start, number = 0, 0
    while start < rows:
        left = rows - start
        height = 320 if left >= 640 else ((left // 2 + 7) // 8) * 8 if left > 320 else left
        steps = height // 8
        for panel in range(0, behind, 12):
            if height >= 16:
                found[start : start + 8, panel : panel + 6] = True
                half = panel if steps % 2 == 0 else panel + 6
                found[start + 8 * steps - 8 : start + 8 * steps, half : half + 6] = True
        column = behind
        if number > 0 and columns - column >= 8:
            column += 8
        while columns - column >= 4:
            found[start : start + 8 * steps, column : column + 4] = True
            column += 4
        start, number = start + height, number + 1
    return found


@given(st.integers(1, 1500), st.integers(1, 90))
def test_parts_are_the_marked_elements(rows, columns):
    found = np.zeros((rows, columns), int)
    for part in paired_parts(rows, columns):
        found[np.ix_(part.rows, part.columns)] += 1
    assert np.array_equal(found, marked(rows, columns))
    assert paired_at_most(rows, columns) >= found.sum()


@pytest.mark.parametrize(
    ("total", "starts"),
    [
        (1, [0, 1]),
        (320, [0, 320]),
        (321, [0, 160, 321]),
        (576, [0, 288, 576]),
        (639, [0, 320, 639]),
        (640, [0, 320, 640]),
        (1000, [0, 320, 640, 824, 1000]),
    ],
)
def test_blocks(total, starts):
    assert block_starts(total) == starts
