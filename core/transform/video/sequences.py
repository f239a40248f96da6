"""Image sequences: numbered pictures named by a pattern as in C's printf, such as ``frames/%04d.png``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

from core.errors import VideoError
from core.pictures.images import EXTENSIONS, Image, load_image
from core.transform.video.source import Look, SourceFrame, file_identity

FASTEST = 1000
FIELD = re.compile(r"(%%|%0?[0-9]*d)")


def is_pattern(name: str) -> bool:
    """Whether a name means an image sequence, i.e. has the extension of a picture file."""
    return Path(name).suffix[1:] in EXTENSIONS


class Pattern:
    """A file name with exactly one field %d or %0Nd; %% stands for a percent sign.

    Only the last part of the path may contain the field. Raises: VideoError.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.folder, self._name = Path(text).parent, Path(text).name
        pieces = FIELD.split(self._name)
        fields = [piece for piece in pieces[1::2] if piece != "%%"]
        if len(fields) != 1 or any("%" in piece for piece in pieces[::2]):
            raise VideoError(
                f"{text}: a sequence of pictures needs exactly one number in its name, "
                "%d or %04d, such as frames/%04d.png"
            )

    def path(self, number: int) -> Path:
        """The file of a number, which is 0 or greater."""
        return self.folder / (self._name % number)

    def numbers(self) -> range:
        """The numbers of the existing files. Raises: VideoError: there are none, or a number is missing."""
        if not self.folder.is_dir():
            raise VideoError(f"{self.text}: the folder {self.folder} does not exist")
        pieces = FIELD.split(self._name)
        expression = "".join(
            re.escape(piece.replace("%%", "%")) if piece == "%%" or i % 2 == 0 else " *([0-9]+)"
            for i, piece in enumerate(pieces)
        )
        matches = (re.fullmatch(expression, path.name) for path in self.folder.iterdir())
        found = {int(match[1]) for match in matches if match}
        # The expression matches 1.png and 01.png; only one of the two names belongs to the pattern.
        numbers = sorted(number for number in found if self.path(number).is_file())
        if not numbers:
            raise VideoError(
                f"{self.text}: no file has such a name; the first could be called {self.path(1)}"
            )
        for number, expected in zip(numbers, range(numbers[0], numbers[-1] + 1), strict=False):
            if number != expected:
                raise VideoError(f"{self.path(expected)}: missing, but {self.path(number)} exists")
        return range(numbers[0], numbers[-1] + 1)


class Sequence:
    """The pictures of a pattern as a video of ``fps`` frames per second; frames have the files' numbers.

    Raises: VideoError: no file, a missing number, or an impossible ``fps``.
    """

    audio: Path | None = None

    def __init__(self, pattern: Pattern, fps: float | Fraction) -> None:
        if not 0 < fps <= FASTEST:
            raise VideoError(f"-fps {float(fps):.14g}: must be greater than 0 and at most {FASTEST}")
        rate = Fraction(fps).limit_denominator(1001)  # 29.97003 is 30000/1001
        if not rate:
            raise VideoError(f"-fps {float(fps):.14g}: too slow; must be at least 0.001")
        self._pattern, self._numbers = pattern, pattern.numbers()
        self.first_number = self._numbers[0]
        self.total: int | None = len(self._numbers)
        self.look = Look(time_base=1 / rate, rate=rate)

    def identity(self) -> str:
        """A hash that changes if a file changes, is added or is removed."""
        return file_identity([self._pattern.path(number) for number in self._numbers])

    def frames(self) -> Iterator[SourceFrame]:
        """The frames in order; each picture is loaded when its ``image`` is called."""
        for index, number in enumerate(self._numbers):
            yield SourceFrame(number, index, 1, self._getter(number))

    def _getter(self, number: int) -> Callable[[], Image]:
        return lambda: load_image(self._pattern.path(number))
