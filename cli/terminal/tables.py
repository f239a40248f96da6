"""Columns of text for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(rows: Sequence[tuple[str, ...]], left: int) -> Iterable[str]:
    """Lines with aligned columns: the first ``left`` columns flush left, the others flush right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [
            cell.ljust(width) if index < left else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()
