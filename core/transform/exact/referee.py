"""A network's pictures against those of the exact run: the judge of a conversion."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from core.pictures.images import Image, to_bytes
from core.transform.runners import Runner


@dataclass(frozen=True)
class Verdict:
    """difference: largest one to the exact run, as a share of its output's range.

    differing, samples: how many of how many samples of the saved pictures are not equal.  level: by how much
    at most, of 255.
    """

    difference: float
    differing: int
    samples: int
    level: int

    @property
    def sentence(self) -> str:
        """For a person."""
        return (
            f"largest difference to the exact run: {self.difference:.2e} of the output's range; "
            f"{self.differing:,} of {self.samples:,} saved samples differ, by at most {self.level}"
        )


def judge(result: Runner, exact: Runner, pictures: Iterable[Image]) -> Verdict:
    """Run both on float64 (3, H, W) R,G,B, 0..1."""
    difference, differing, samples, level = 0.0, 0, 0, 0
    for picture in pictures:
        found, wanted = (
            runner.format.output.decode(runner.run(runner.format.input.encode(picture)[None])[0])
            for runner in (result, exact)
        )
        difference = max(difference, float(np.abs(found - wanted).max() / np.ptp(wanted)))
        off = np.abs(to_bytes(found.astype(np.float64)).astype(int) - to_bytes(wanted.astype(np.float64)))
        differing, samples = differing + int(np.count_nonzero(off)), samples + off.size
        level = max(level, int(off.max()))
    return Verdict(difference, differing, samples, level)
