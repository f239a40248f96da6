"""Parses the network description of fast-neural-style's ``-arch`` and builds the network.

A description is a list of tokens separated by commas, such as ``c9s1-32,d64,d128,R128,u64,u32,c9s1-3``. The
input has 3 channels.

| token    | layer                                    | followed by    |
|----------|------------------------------------------|----------------|
| cKsS-N   | convolution K x K, stride S, N filters   | norm, ReLU     |
| fKsS-N   | transposed convolution                   | norm, ReLU     |
| dN, uN   | convolution 3 x 3 that halves or doubles | norm, ReLU     |
| Uk       | nearest neighbour enlargement k times    | norm, ReLU     |
| CN       | conv, norm, ReLU, conv, norm (3 x 3)     | ReLU           |
| RN       | the same with a shortcut around it       |                |

The last token has neither norm nor ReLU. Tanh, multiplication by a constant and total variation follow it.
Matches models.lua of fast-neural-style 813c834.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn

from core.errors import TransformError
from core.transform.networks.layers import MulConstant, ResidualBlock, ShaveImage, TotalVariation, named

PADDING_TYPES = ("reflect-start", "reflect", "replicate", "zero", "none")
NORMALISATIONS = ("instance", "batch")
_TOKEN = re.compile(r"(?:([cf])(\d).(\d).(\d+)|([duUCR])(\d+))")
LARGEST_CHANNELS = 65536


@dataclass(frozen=True)
class Token:
    """One token of the description. ``number``: the number of filters, or the factor of ``U``."""

    kind: str
    number: int
    kernel: int = 3
    stride: int = 1


@dataclass(frozen=True)
class Architecture:
    """The options that decide the modules of a network.

    reflection: width in pixels of the reflection padding before the network. With the padding type
    'reflect-start' the original inserts this padding in the first training step.
    """

    description: str
    normalisation: str = "instance"
    padding_type: str = "reflect-start"
    tanh_constant: float = 150.0
    tv_strength: float = 1e-6
    reflection: int = 0


def parse_architecture(text: str) -> tuple[Token, ...]:
    """The tokens of an ``-arch`` description.

    Matches the original's quirks: a comma at either end is ignored, kernel and stride are one digit each, and
    any character may stand between the numbers (``c9x1y32``).
    Raises: TransformError: a token on which the original would crash.
    """
    tokens = []
    words = text.split(",")
    for position, word in enumerate(words):
        if not word and position in (0, len(words) - 1):
            continue
        match = _TOKEN.fullmatch(word)
        if match is None:
            raise TransformError(
                f"-arch: '{word}' is not a layer; known are cKsS-N and fKsS-N (K and S one digit), "
                "dN, uN, Uk, CN and RN, without blanks"
            )
        kind = match[1] or match[5]
        token = Token(kind, int(match[4] or match[6]), int(match[2] or 3), int(match[3] or 1))
        if not (0 < token.number <= LARGEST_CHANNELS and token.kernel and token.stride):
            raise TransformError(f"-arch: '{word}': every number must be between 1 and {LARGEST_CHANNELS}")
        tokens.append(token)
    return tuple(tokens)


def build(architecture: Architecture) -> nn.Sequential:
    """The network, (N, 3, H, W) in and out, with PyTorch's initial weights. Raises: TransformError."""
    if architecture.padding_type not in PADDING_TYPES:
        raise TransformError(
            f"-padding_type {architecture.padding_type}: must be one of {', '.join(PADDING_TYPES)}"
        )
    if architecture.normalisation not in NORMALISATIONS:
        raise TransformError(f"normalisation '{architecture.normalisation}': must be instance or batch")
    tokens = parse_architecture(architecture.description)
    modules: list[nn.Module] = []
    if architecture.reflection:
        modules.append(nn.ReflectionPad2d(architecture.reflection))
    channels = 3
    for position, token in enumerate(tokens):
        last = position == len(tokens) - 1
        modules += _layers(token, channels, architecture, last)
        channels = channels if token.kind == "U" else token.number
    return named(
        [
            *modules,
            nn.Tanh(),
            MulConstant(architecture.tanh_constant),
            TotalVariation(architecture.tv_strength),
        ]
    )


def _layers(token: Token, channels: int, architecture: Architecture, last: bool) -> Iterator[nn.Module]:
    if token.kind in "CR" and token.number != channels:
        raise TransformError(
            f"-arch: {token.kind}{token.number} needs {token.number} channels, not {channels}"
        )
    if token.kind == "R":
        yield residual_block(token.number, architecture)
        return
    if token.kind == "C":
        yield _block(token.number, architecture)
    else:
        yield from _single(token, channels, architecture.padding_type)
        if not last:
            yield norm(channels if token.kind == "U" else token.number, architecture.normalisation)
    if not last:
        yield nn.ReLU(inplace=True)


def _single(token: Token, channels: int, padding_type: str) -> Iterator[nn.Module]:
    """The layers of one token. As in the original, ``none`` pads ``c`` with zeros, as ``zero`` does."""
    padding = (token.kernel - 1) // 2
    if token.kind == "U":
        yield nn.Upsample(scale_factor=float(token.number), mode="nearest")
    elif token.kind == "d":
        yield nn.Conv2d(channels, token.number, 3, 2, 1)
    elif token.kind == "u":
        yield nn.ConvTranspose2d(channels, token.number, 3, 2, 1, 1)
    elif token.kind == "f":
        yield nn.ConvTranspose2d(
            channels, token.number, token.kernel, token.stride, padding, output_padding=token.stride - 1
        )
    elif padding_type in ("reflect", "replicate"):
        yield pad(padding, padding_type)
        yield nn.Conv2d(channels, token.number, token.kernel, token.stride)
    else:
        yield nn.Conv2d(channels, token.number, token.kernel, token.stride, padding)


def pad(width: int, padding_type: str) -> nn.Module:
    """An explicit padding layer, 'reflect' or 'replicate'."""
    return nn.ReflectionPad2d(width) if padding_type == "reflect" else nn.ReplicationPad2d(width)


def norm(channels: int, normalisation: str) -> nn.Module:
    """Instance or batch normalisation with weight and bias, eps 1e-5."""
    if normalisation == "batch":
        return nn.BatchNorm2d(channels)
    return nn.InstanceNorm2d(channels, affine=True)


def _block(channels: int, architecture: Architecture) -> nn.Sequential:
    modules: list[nn.Module] = []
    explicit = architecture.padding_type in ("reflect", "replicate")
    for second in (False, True):
        if explicit:
            modules.append(pad(1, architecture.padding_type))
        zeros = 1 if architecture.padding_type == "zero" else 0
        modules.append(nn.Conv2d(channels, channels, 3, 1, zeros))
        modules.append(norm(channels, architecture.normalisation))
        if not second:
            modules.append(nn.ReLU(inplace=True))
    return named(modules)


def residual_block(channels: int, architecture: Architecture) -> ResidualBlock:
    """A residual block. Without padding the body loses two pixels a side, so the shortcut is cropped too."""
    unpadded = architecture.padding_type in ("none", "reflect-start")
    return ResidualBlock(_block(channels, architecture), ShaveImage(2) if unpadded else nn.Identity())
