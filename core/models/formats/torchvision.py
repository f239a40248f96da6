"""torchvision's VGG networks, trained anew, made to take what Caffe's take."""

from __future__ import annotations

import numpy as np

from core.models.formats.weights import Convolution, Convolutions

# R, G, B. torchvision.transforms: (x / 255 - mean) / deviation; Caffe's VGG: x - mean, and B, G, R.
MEAN = np.array([0.485, 0.456, 0.406])
DEVIATION = np.array([0.229, 0.224, 0.225])
CAFFE_MEAN = np.array([123.68, 116.779, 103.939])


def with_caffe_inputs(layers: Convolutions) -> Convolutions:
    """The same network for B, G, R in 0..255 with Caffe's mean subtracted.

    torchvision's takes R, G, B in 0..1, normalised. Scale, offset and order go into the first layer. At the
    border of a picture it differs by less than a hundredth of a standard deviation, as zeros are padded after
    the offset there and before it here.
    """
    name, first = next(iter(layers.items()))
    scaled = first.weight.astype(np.float64) / (255 * DEVIATION)[:, None, None]
    offset = (CAFFE_MEAN - 255 * MEAN)[:, None, None]
    bias = first.bias + (scaled * offset).sum(axis=(1, 2, 3))
    weight = np.ascontiguousarray(scaled[:, ::-1].astype(np.float32))
    return {**layers, name: Convolution(weight, bias.astype(np.float32))}
