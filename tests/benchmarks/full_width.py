"""A VGG-19 of the original's widths up to relu5_1, with random weights, as a caffemodel file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.benchmarks.load_caffemodel import BLOCKS, WANTED
from tests.support import caffemodel_factory as factory

LAYERS = [(name, BLOCKS[int(name[4]) - 1][0]) for name in WANTED]


def write_convolutions(folder: Path) -> Path:
    """All layers up to relu5_1 (He et al. 2015 scaling, so that activations stay finite); 52 MB."""
    random, layers, inputs = np.random.default_rng(0), [], 3
    for index, (name, outputs) in enumerate(LAYERS):
        weight = random.standard_normal((outputs, inputs, 3, 3), np.float32) * np.float32(
            np.sqrt(2 / 9 / inputs)
        )
        given = {"num_output": outputs, "kernel_size": [3], "pad": [1]}
        bias = np.zeros((1, 1, 1, outputs), np.float32)
        layers.append(factory.layer("V1", name, "Convolution", weight, bias, convolution_param=given))
        layers.append(factory.layer("V1", name.replace("conv", "relu"), "ReLU"))
        if index + 1 < len(LAYERS) and LAYERS[index + 1][0][4] != name[4]:
            pooling = {"kernel_size": 2, "stride": 2}
            layers.append(factory.layer("V1", f"pool{name[4]}", "Pooling", pooling_param=pooling))
        inputs = outputs
    return factory.write(folder, *layers)


def shapes(height: int, width: int) -> list[tuple[int, int, int, int]]:
    """(nIn, nOut, height, width) of every convolution for a picture of this size."""
    result, inputs = [], 3
    for name, outputs in LAYERS:
        block = int(name[4]) - 1
        result.append((inputs, outputs, -(-height // 2**block), -(-width // 2**block)))
        inputs = outputs
    return result
