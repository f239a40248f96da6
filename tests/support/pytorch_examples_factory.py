"""A narrow network with the structure of pytorch/examples/fast_neural_style, built from its description."""

import torch
from torch.nn import functional

WIDTHS = (4, 6, 8)
BLOCKS = 2


def state_dict(prefix="", deprecated=True):
    """Random weights under that project's names."""
    generator = torch.Generator().manual_seed(3)
    a, b, c = WIDTHS
    result = {}

    def add(name, *shape, low=-0.2, high=0.2):
        result[prefix + name] = torch.empty(shape).uniform_(low, high, generator=generator)

    def convolution(name, inputs, outputs, kernel):
        add(f"{name}.conv2d.weight", outputs, inputs, kernel, kernel)
        add(f"{name}.conv2d.bias", outputs)

    def norm(name, channels):
        add(f"{name}.weight", channels, low=0.5, high=1.5)
        add(f"{name}.bias", channels)
        if deprecated:
            add(f"{name}.running_mean", channels)
            add(f"{name}.running_var", channels)

    convolution("conv1", 3, a, 9)
    convolution("conv2", a, b, 3)
    convolution("conv3", b, c, 3)
    for number, channels in enumerate((a, b, c), 1):
        norm(f"in{number}", channels)
    for block in range(1, BLOCKS + 1):
        for half in (1, 2):
            convolution(f"res{block}.conv{half}", c, c, 3)
            norm(f"res{block}.in{half}", c)
    convolution("deconv1", c, b, 3)
    norm("in4", b)
    convolution("deconv2", b, a, 3)
    norm("in5", a)
    convolution("deconv3", a, 3, 9)
    return result


def reference_network(weights=None):
    """The forward pass in plain PyTorch; (N, 3, H, W), 0 to 255."""
    w = weights or state_dict()

    def convolve(name, x, stride=1):
        weight = w[f"{name}.conv2d.weight"]
        pad = weight.shape[-1] // 2
        return functional.conv2d(
            functional.pad(x, [pad] * 4, mode="reflect"), weight, w[f"{name}.conv2d.bias"], stride
        )

    def norm(name, x):
        return functional.instance_norm(x, weight=w[f"{name}.weight"], bias=w[f"{name}.bias"])

    def enlarged(x):
        return functional.interpolate(x, scale_factor=2, mode="nearest")

    def run(x):
        for number, stride in ((1, 1), (2, 2), (3, 2)):
            x = functional.relu(norm(f"in{number}", convolve(f"conv{number}", x, stride)))
        for block in range(1, BLOCKS + 1):
            y = functional.relu(norm(f"res{block}.in1", convolve(f"res{block}.conv1", x)))
            x = x + norm(f"res{block}.in2", convolve(f"res{block}.conv2", y))
        x = functional.relu(norm("in4", convolve("deconv1", enlarged(x))))
        x = functional.relu(norm("in5", convolve("deconv2", enlarged(x))))
        return convolve("deconv3", x)

    return run
