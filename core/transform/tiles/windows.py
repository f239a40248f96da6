"""Computes the part of every tensor that a tile needs, along one axis, from the tile back to the picture.

A window (a, b) is the pixels a to b - 1 of a tensor along one axis. A tile is padded only where it touches
the picture's border, with the network's own padding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from core.errors import TransformError

Window = tuple[int, int]


@dataclass(frozen=True)
class Local:
    """How an operator runs on a tile along one axis.

    pads, output_padding: used instead of the network's.  produced: the window that the operator computes.
    """

    produced: Window
    pads: Window = (0, 0)
    output_padding: int = 0


class Rule(Protocol):
    """How an operator changes sizes along one axis. ``size``: number of pixels of the whole input."""

    def extent(self, size: int) -> int:
        """The number of pixels of the whole output."""
        ...

    def needed(self, window: Window, size: int) -> Window:
        """The window of the input that a window of the output depends on."""
        ...

    def local(self, window: Window, given: Window, size: int) -> Local:
        """How to compute ``window`` from the window ``given`` of the input, the result of :meth:`needed`."""
        ...


class Pointwise:
    """An operator that computes every pixel from the same pixel of the input."""

    def extent(self, size: int) -> int:
        return size

    def needed(self, window: Window, size: int) -> Window:
        return window

    def local(self, window: Window, given: Window, size: int) -> Local:
        return Local(window)


@dataclass(frozen=True)
class Convolution:
    """A convolution. kernel: its length including dilation.  before, after: padding."""

    kernel: int
    stride: int
    before: int
    after: int

    def extent(self, size: int) -> int:
        return (size + self.before + self.after - self.kernel) // self.stride + 1

    def _reach(self, window: Window) -> Window:
        first = window[0] * self.stride - self.before
        return first, (window[1] - 1) * self.stride - self.before + self.kernel

    def needed(self, window: Window, size: int) -> Window:
        return _clipped(self._reach(window), size)

    def local(self, window: Window, given: Window, size: int) -> Local:
        first, end = self._reach(window)
        more = max(0, -(-(first - given[0]) // self.stride)), max(0, -(-(given[1] - end) // self.stride))
        pads = given[0] - first + more[0] * self.stride, end - given[1] + more[1] * self.stride
        return Local((window[0] - more[0], window[1] + more[1]), pads)


@dataclass(frozen=True)
class TransposedConvolution:
    """A transposed convolution: input pixel i adds to ``kernel`` output pixels from i stride - before on.

    added: output padding.
    """

    kernel: int
    stride: int
    before: int
    after: int
    added: int

    def extent(self, size: int) -> int:
        return (size - 1) * self.stride + self.kernel + self.added - self.before - self.after

    def needed(self, window: Window, size: int) -> Window:
        reach = -(-(window[0] + self.before - self.kernel + 1) // self.stride)
        first = min(
            reach, (window[0] + self.before) // self.stride
        )  # a kernel shorter than the stride has gaps
        return _clipped((first, (window[1] - 1 + self.before) // self.stride + 1), size)

    def local(self, window: Window, given: Window, size: int) -> Local:
        first = given[0] * self.stride - self.before
        end = (given[1] - 1) * self.stride - self.before + self.kernel
        return Local(window, (window[0] - first, max(0, end - window[1])), max(0, window[1] - end))


@dataclass(frozen=True)
class Padding:
    """Padding. mode: 'reflect', 'edge' or 'constant', as in ONNX."""

    mode: str
    before: int
    after: int

    def extent(self, size: int) -> int:
        return size + self.before + self.after

    def needed(self, window: Window, size: int) -> Window:
        first, end = window[0] - self.before, window[1] - self.before
        low, high = _clipped((first, end), size)
        if self.mode == "reflect" and first < 0:
            high = max(high, 1 - first)
        if self.mode == "reflect" and end > size:
            low = min(low, 2 * size - 1 - end)
        return low, high

    def local(self, window: Window, given: Window, size: int) -> Local:
        pads = (max(0, self.before - window[0]), max(0, window[1] - self.before - size))
        return Local((given[0] + self.before - pads[0], given[1] + self.before + pads[1]), pads)


@dataclass(frozen=True)
class Cropping:
    """Cropping. start: pixels removed at the beginning.  lost: pixels removed in total."""

    start: int
    lost: int

    def extent(self, size: int) -> int:
        return size - self.lost

    def needed(self, window: Window, size: int) -> Window:
        return window[0] + self.start, window[1] + self.start

    def local(self, window: Window, given: Window, size: int) -> Local:
        return Local(window)


@dataclass(frozen=True)
class Enlargement:
    """Enlargement that repeats every pixel ``factor`` times."""

    factor: int

    def extent(self, size: int) -> int:
        return size * self.factor

    def needed(self, window: Window, size: int) -> Window:
        return window[0] // self.factor, (window[1] - 1) // self.factor + 1

    def local(self, window: Window, given: Window, size: int) -> Local:
        return Local((given[0] * self.factor, given[1] * self.factor))


def _clipped(window: Window, size: int) -> Window:
    """The part of a window inside the tensor; at least one pixel, also if the window is all padding."""
    first = min(max(0, window[0]), size - 1)
    return first, max(min(size, window[1]), first + 1)


@dataclass(frozen=True)
class AxisStep:
    """A node along one axis: its rule, the tensors it reads and the tensor it produces."""

    rule: Rule
    inputs: tuple[str, ...]
    output: str


@dataclass(frozen=True)
class Piece:
    """How one node runs on a tile; equal for all tiles of the same kind.

    trims: for each input, (offset, length) of the needed part within the computed part; None for all of it.
    cut: (offset, length) of the wanted part within the operator's output; None for all of it.
    """

    trims: tuple[Window | None, ...]
    pads: Window
    output_padding: int
    cut: Window | None


def extents(steps: tuple[AxisStep, ...], source: str, size: int) -> dict[str, int]:
    """Sizes of all tensors along one axis for a picture of ``size`` pixels. Raises: TransformError."""
    found = {source: size}
    for step in steps:
        sizes = {found[name] for name in step.inputs}
        if len(sizes) > 1:
            raise TransformError(f"-tile: '{step.output}' joins tensors of different sizes; leave -tile out")
        found[step.output] = step.rule.extent(sizes.pop())
    return found


def plan_axis(
    steps: tuple[AxisStep, ...], sizes: dict[str, int], source: str, target: str, window: Window
) -> tuple[Window, tuple[Piece | None, ...]]:
    """(the window of the picture needed for ``window`` of ``target``, the piece of each step or None)."""
    windows = {target: window}
    for step in reversed(steps):
        if step.output in windows:
            for name in step.inputs:
                part = step.rule.needed(windows[step.output], sizes[name])
                before = windows.get(name, part)
                windows[name] = (min(before[0], part[0]), max(before[1], part[1]))
    return windows[source], tuple(_piece(step, windows, sizes) for step in steps)


def _piece(step: AxisStep, windows: dict[str, Window], sizes: dict[str, int]) -> Piece | None:
    if step.output not in windows:
        return None
    wanted = windows[step.output]
    parts = [step.rule.needed(wanted, sizes[name]) for name in step.inputs]
    trims = tuple(_within(part, windows[name]) for part, name in zip(parts, step.inputs, strict=True))
    local = step.rule.local(wanted, parts[0], sizes[step.inputs[0]])
    return Piece(trims, local.pads, local.output_padding, _within(wanted, local.produced))


def _within(part: Window, whole: Window) -> Window | None:
    """(offset, length) of ``part`` within ``whole``; None if they are equal."""
    return None if part == whole else (part[0] - whole[0], part[1] - part[0])
