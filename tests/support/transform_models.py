"""Small transform networks with random weights, as files."""

from pathlib import Path

import torch

from core.transform.networks.architecture import Architecture, build
from core.transform.networks.checkpoint import save_checkpoint

SMALL = Architecture("c3s1-4,d6,R6,u4,c3s1-3", reflection=4)
BATCH = Architecture("c3s1-4,d6,R6,u4,c3s1-3", normalisation="batch", padding_type="zero")


def network(architecture=SMALL, seed=0):
    """A random network in evaluation mode; its normalisation is not the identity."""
    torch.manual_seed(seed)
    module = build(architecture).eval().requires_grad_(False)
    for layer in module.modules():
        if isinstance(layer, torch.nn.InstanceNorm2d | torch.nn.BatchNorm2d):
            layer.weight.uniform_(0.5, 1.5)
            layer.bias.uniform_(-0.5, 0.5)
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.running_mean.uniform_(-1, 1)
            layer.running_var.uniform_(0.5, 2)
    return module


def write_network(path: Path, architecture=SMALL, seed=0, preprocessing="vgg") -> Path:
    save_checkpoint(path, architecture, network(architecture, seed), preprocessing)
    return path
