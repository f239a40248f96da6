"""The caffemodel as PyTorch modules, compared with the original's outputs and independent arithmetic."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import caffe_loader
from caffe_loader import CaffemodelError, load_caffemodel
from tests.support import caffemodel_factory as factory


def network_of(folder: Path, *layers: bytes) -> nn.Sequential:
    return load_caffemodel(factory.write(folder, *layers))


def golden_modules(job: Path) -> list[tuple[int, str]]:
    """(index, type) of the modules that the original printed, without losses."""
    found = re.findall(r"^  \((\d+)\): nn\.(\w+)", (job / "stdout.txt").read_text(), re.MULTILINE)
    return [(int(index), kind) for index, kind in found if not kind.endswith("Loss")]


@pytest.mark.parametrize(
    "name, model, count",
    [
        ("lbfgs_random", "vgg19_mini_v1", 30),
        ("lbfgs_random", "vgg19_mini_v2", 30),
        ("alexnet_lrn", "alexnet_mini_v2", 12),
        ("nin", "nin_mini_v2", 16),
    ],
)
def test_layer_outputs_of_the_original(golden: Path, name: str, model: str, count: int) -> None:
    """Measured: relative L2 differences up to 1.1e-6 (PyTorch rounds differently); asserted: 1e-5."""
    job = golden / "jobs" / name
    network = load_caffemodel(golden / "models" / f"{model}.caffemodel").eval()
    modules = golden_modules(job)
    assert len(modules) == count
    with np.load(job / "tensors.npz") as tensors, torch.no_grad():
        x = torch.from_numpy(tensors["init"])[None]
        for (index, kind), module in zip(modules, network[:count], strict=True):
            x = module(x)
            expected = tensors[f"layer{index:02d}_output"]
            # a convolution's golden output was overwritten by the in-place ReLU after it
            actual = x[0].clamp(min=0).numpy() if kind == "SpatialConvolution" else x[0].numpy()
            assert actual.shape == expected.shape
            assert np.linalg.norm(actual - expected) <= 1e-5 * np.linalg.norm(expected), (index, kind)


def test_small_net_from_both_formats_agrees(tmp_path: Path) -> None:
    networks = []
    for version in ("V1", "V2"):
        path = tmp_path / f"{version}.caffemodel"
        path.write_bytes(factory.small_net(version))
        networks.append(load_caffemodel(path).eval())
    first, second = networks
    x = torch.from_numpy(factory.weights(2, 3, 10, 12))
    assert list(dict(first.named_children())) == [
        *("conv1", "relu1", "norm1", "pool1", "conv2", "tanh2", "pool2", "sigmoid2"),
        *("torch_view", "fc3", "drop3", "fc4", "prob"),
    ]
    assert torch.equal(first[:-1](x), second(x))
    assert torch.allclose(first(x).sum(1), torch.ones(2))


def test_grouped_convolution_is_two_convolutions(tmp_path: Path) -> None:
    (conv,) = network_of(tmp_path, factory.convolution("V2", "c", 6, 2, group=2, pad=[1], stride=[2]))
    assert isinstance(conv, nn.Conv2d)
    x = torch.from_numpy(factory.weights(1, 4, 7, 9))
    filters, bias = (
        torch.from_numpy(factory.weights(6, 2, 3, 3)),
        torch.from_numpy(factory.weights(6, seed=1)),
    )
    halves = [
        nn.functional.conv2d(x[:, 2 * i : 2 * i + 2], filters[3 * i : 3 * i + 3], stride=2, padding=1)
        for i in range(2)
    ]
    expected = torch.cat(halves, 1) + bias[:, None, None]
    assert torch.allclose(conv(x), expected, rtol=0, atol=1e-6)  # two float32 sums of 18 terms near 0.1


def naive_lrn(x: np.ndarray, size: int, alpha: float, beta: float, k: float) -> np.ndarray:
    result = np.empty_like(x)
    for channel in range(x.shape[1]):
        window = x[:, max(0, channel - size // 2) : channel + size // 2 + 1]
        result[:, channel] = x[:, channel] / (k + alpha / size * (window**2).sum(1)) ** beta
    return result


def test_lrn_with_a_length_for_every_axis(tmp_path: Path) -> None:
    lrn = {"local_size": 3, "alpha": 0.5, "beta": 0.6, "k": 2}
    network = network_of(tmp_path, factory.layer("V1", "n", "LRN", lrn_param=lrn))
    x = np.random.default_rng(3).normal(0, 10, (2, 7, 4, 3))
    actual = network(torch.from_numpy(x.astype(np.float32))).numpy()
    np.testing.assert_allclose(actual, naive_lrn(x, 3, 0.5, 0.6, 2), rtol=2e-5)  # float32 powers


@pytest.mark.parametrize("kind, method", [("max", 0), ("average", 1)])
def test_pooling_rounds_sizes_up_and_counts_padding(tmp_path: Path, kind: str, method: int) -> None:
    pooling = {"pool": method, "kernel_size": 3, "stride": 2, "pad": 1}
    network = network_of(tmp_path, factory.layer("V2", "p", "Pooling", pooling_param=pooling))
    x = torch.arange(1.0, 21.0).reshape(1, 1, 4, 5)
    expected = {  # windows of 3 x 3 from -1 on; sizes ceil((4 + 2 - 3) / 2) + 1 and (5 + 2 - 3) / 2 + 1
        "max": [[7.0, 9, 10], [17, 19, 20], [17, 19, 20]],
        "average": [[16 / 9, 33 / 9, 28 / 9], [69 / 9, 117 / 9, 87 / 9], [33 / 6, 54 / 6, 39 / 6]],
    }[kind]
    assert torch.allclose(network(x)[0, 0], torch.tensor(expected), rtol=1e-6)


def test_nothing_works_in_place(tmp_path: Path) -> None:
    path = tmp_path / "small.caffemodel"
    path.write_bytes(factory.small_net("V1"))
    x: Tensor = torch.from_numpy(factory.weights(1, 3, 10, 12))
    for module in load_caffemodel(path):
        before = x.clone()
        y = module(x)
        assert torch.equal(x, before)
        x = y


def test_weights_are_trainable_copies(tmp_path: Path) -> None:
    path = factory.write(tmp_path, factory.convolution("V2", "c", 2, 3))
    content = path.read_bytes()
    conv = load_caffemodel(path).c
    assert isinstance(conv, nn.Conv2d)
    with torch.no_grad():
        conv.weight.zero_()
    assert conv.weight.requires_grad
    assert path.read_bytes() == content


def test_names_that_pytorch_cannot_have(tmp_path: Path) -> None:
    names = ("conv1.1", "conv1_1", "", "layer", "forward", "inception/3x3", "relu", "relu")
    network = network_of(tmp_path, *(factory.layer("V2", name, "ReLU") for name in names))
    assert list(dict(network.named_children())) == [
        *("conv1_1", "conv1_1_2", "layer", "layer_2", "forward_2", "inception/3x3", "relu", "relu_2")
    ]


def test_dropout_follows_the_mode(tmp_path: Path) -> None:
    network = network_of(tmp_path, factory.layer("V2", "d", "Dropout", dropout_param={"dropout_ratio": 0.25}))
    x = torch.ones(1, 1, 50, 50)
    assert network.training
    assert network(x).unique().tolist() == [0.0, pytest.approx(1 / 0.75)]
    assert torch.equal(network.eval()(x), x)


def test_global_pooling_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CaffemodelError, match="layer 'p': pooling without a kernel size"):
        network_of(tmp_path, factory.layer("V2", "p", "Pooling", pooling_param={"pool": 1}))


def test_nan_weight_is_an_error(tmp_path: Path) -> None:
    filters = factory.weights(2, 3, 1, 1)
    filters[1, 2] = np.nan
    layer = factory.layer(
        "V2", "c", "Convolution", filters, factory.weights(2), convolution_param={"kernel_size": [1]}
    )
    with pytest.raises(CaffemodelError, match=r"layer 'c' .*weight 5 of 6 is NaN"):
        network_of(tmp_path, layer)


def test_public_names() -> None:
    for name in caffe_loader.__all__:
        assert getattr(caffe_loader, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'missing'"):
        caffe_loader.missing  # noqa: B018
