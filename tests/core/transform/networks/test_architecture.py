"""The -arch language: its tokens, quirks, paddings and sizes."""

import pytest
import torch
from torch import nn

from core.errors import TransformError
from core.transform.networks.architecture import Architecture, Token, build, parse_architecture
from core.transform.networks.geometry import output_side
from core.transform.networks.layers import ResidualBlock, ShaveImage, TotalVariation

DEFAULT = "c9s1-32,d64,d128,R128,R128,R128,R128,R128,u64,u32,c9s1-3"
PUBLISHED = "c9s1-16,d32,d64,R64,R64,R64,R64,R64,u32,u16,c9s1-3"


def test_tokens():
    assert parse_architecture("c9s1-32,d64,R64,C64,u32,U2,f3s2-8,c9s1-3") == (
        Token("c", 32, 9, 1),
        Token("d", 64),
        Token("R", 64),
        Token("C", 64),
        Token("u", 32),
        Token("U", 2),
        Token("f", 8, 3, 2),
        Token("c", 3, 9, 1),
    )


@pytest.mark.parametrize("text", ["c9x1y32", ",c9s1-32", "c9s1-32,", ",c9s1-32,"])
def test_what_the_original_lets_pass(text):
    assert parse_architecture(text) == (Token("c", 32, 9, 1),)


def test_empty_description_is_just_the_tail():
    network = build(Architecture(""))
    assert [type(layer).__name__ for layer in network] == ["Tanh", "MulConstant", "TotalVariation"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("c11s1-32", "-arch: 'c11s1-32' is not a layer"),
        ("c9s1-32,,d64", "-arch: '' is not a layer"),
        ("c9s1-32, d64", "-arch: ' d64' is not a layer"),
        ("x9", "-arch: 'x9' is not a layer"),
        ("c0s1-32", "every number must be between 1 and"),
        ("d0", "every number must be between 1 and"),
        ("d99999999", "every number must be between 1 and"),
        ("c9s1-32,R64", "-arch: R64 needs 64 channels, not 32"),
        ("C8", "-arch: C8 needs 8 channels, not 3"),
    ],
)
def test_what_the_original_crashes_on(text, message):
    with pytest.raises(TransformError) as error:
        build(Architecture(text))
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"padding_type": "mirror"}, "-padding_type mirror"),
        ({"normalisation": "layer"}, "normalisation 'layer'"),
    ],
)
def test_unknown_choices(changes, message):
    with pytest.raises(TransformError, match=message):
        build(Architecture("c3s1-3", **changes))


def parameters(network):
    return sum(item.numel() for item in network.parameters())


@pytest.mark.parametrize("normalisation", ["instance", "batch"])
def test_default_network(normalisation):
    network = build(Architecture(DEFAULT, normalisation, reflection=40)).eval()
    assert parameters(network) == 1_679_235
    x, sizes = torch.zeros(1, 3, 256, 256), []
    with torch.inference_mode():
        for layer in network:
            x = layer(x)
            sizes.append(tuple(x.shape[1:3]))
    assert sizes == [
        *((3, 336), (32, 336), (32, 336), (32, 336), (64, 168), (64, 168), (64, 168)),
        *((128, 84), (128, 84), (128, 84), (128, 80), (128, 76), (128, 72), (128, 68), (128, 64)),
        *((64, 128), (64, 128), (64, 128), (32, 256), (32, 256), (32, 256)),
        *((3, 256), (3, 256), (3, 256), (3, 256)),
    ]


def test_published_network():
    assert parameters(build(Architecture(PUBLISHED, reflection=40))) == 424_899


@pytest.mark.parametrize(
    ("token", "size", "expected"),
    [
        ("c9s1-4", 17, 17),
        ("c3s2-4", 17, 9),
        ("c4s2-4", 17, 8),
        ("d4", 17, 9),
        ("d4", 16, 8),
        ("u4", 17, 34),
        ("U3", 17, 51),
        ("f3s1-4", 17, 17),
        ("f3s3-4", 17, 51),
        ("f9s4-4", 17, 68),
        ("f2s2-4", 17, 35),
        ("f4s2-4", 17, 35),
    ],
)
def test_sizes(token, size, expected):
    network = build(Architecture(token, padding_type="zero"))
    assert network(torch.zeros(1, 3, size, size)).shape[2] == expected
    assert output_side(network, size) == expected


def kinds(network):
    return [type(layer) for layer in network]


@pytest.mark.parametrize(
    ("padding_type", "pads"),
    [
        ("zero", 0),
        ("none", 0),
        ("reflect-start", 0),
        ("reflect", nn.ReflectionPad2d),
        ("replicate", nn.ReplicationPad2d),
    ],
)
def test_top_level_convolutions(padding_type, pads):
    """As in the original, only reflect and replicate pad explicitly; every other type pads with zeros."""
    network = build(Architecture("c9s1-8", padding_type=padding_type))
    if pads:
        assert kinds(network)[:2] == [pads, nn.Conv2d]
        assert (network[0].padding, network[1].padding) == ((4, 4, 4, 4), (0, 0))
    else:
        assert network[0].padding == (4, 4)


@pytest.mark.parametrize(
    ("padding_type", "body", "shortcut"),
    [
        ("zero", [nn.Conv2d, nn.InstanceNorm2d, nn.ReLU, nn.Conv2d, nn.InstanceNorm2d], nn.Identity),
        ("none", [nn.Conv2d, nn.InstanceNorm2d, nn.ReLU, nn.Conv2d, nn.InstanceNorm2d], ShaveImage),
        ("reflect-start", [nn.Conv2d, nn.InstanceNorm2d, nn.ReLU, nn.Conv2d, nn.InstanceNorm2d], ShaveImage),
        (
            "reflect",
            [
                *(nn.ReflectionPad2d, nn.Conv2d, nn.InstanceNorm2d, nn.ReLU),
                *(nn.ReflectionPad2d, nn.Conv2d, nn.InstanceNorm2d),
            ],
            nn.Identity,
        ),
    ],
)
def test_residual_blocks(padding_type, body, shortcut):
    network = build(Architecture("R3", padding_type=padding_type))
    block = network[0]
    assert isinstance(block, ResidualBlock)
    assert kinds(block.body) == body
    assert type(block.shortcut) is shortcut
    assert block(torch.zeros(1, 3, 12, 12)).shape[2] == (8 if shortcut is ShaveImage else 12)


def test_upsampling_is_followed_by_norm_and_relu():
    network = build(Architecture("d4,U2,c3s1-3", padding_type="zero"))
    assert kinds(network)[3:6] == [nn.Upsample, nn.InstanceNorm2d, nn.ReLU]


def test_the_last_token_has_neither_norm_nor_relu():
    assert kinds(build(Architecture("c3s1-8,c3s1-3", padding_type="zero")))[3:] == [
        *(nn.Conv2d, nn.Tanh),
        *kinds(build(Architecture("")))[1:],
    ]
    assert list(dict(build(Architecture("c3s1-8,c3s1-3")).named_children())) == [
        *("conv1", "norm1", "relu1", "conv2", "tanh1", "scale1", "total_variation1"),
    ]


def test_total_variation_is_a_gradient_only():
    layer = TotalVariation(0.5)
    x = torch.tensor([[[[1.0, 2.0], [4.0, 8.0]]]], requires_grad=True)
    y = layer(x)
    assert torch.equal(y, x)
    y.sum().backward()
    # of the top left pixel: (1 - 2) + (1 - 4), half of it; the others the opposite share
    assert x.grad.tolist() == [[[[1 - 2.0, 1 + 0.5], [1 + 1.5, 1.0]]]]
