"""The modules that loadcaffe builds from a file: its messages word for word, its rules and quirks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from caffe_loader import (
    LRN,
    CaffemodelError,
    Chain,
    Convolution,
    Dropout,
    Linear,
    Pooling,
    ReLU,
    Sigmoid,
    SoftMax,
    Tanh,
    View,
    chain,
    open_caffemodel,
)
from tests.conftest import SHARED
from tests.support import caffemodel_factory as factory

JOBS = sorted((SHARED / "golden").glob("neural_style*/jobs/*/job.json"))


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.parent.name)
def test_messages_of_every_golden_run(job: Path, golden: Path) -> None:
    lines = (job.parent / "stdout.txt").read_text().splitlines()
    assert lines[0].startswith("Successfully loaded ")
    end = next(i for i, line in enumerate(lines) if line.startswith(("Setting up", "Replacing", "Capturing")))
    name = json.loads(job.read_text())["model"] + ".caffemodel"
    (file,) = (path for path in (golden / "models" / name, job.parents[2] / name) if path.exists())
    with open_caffemodel(file) as model:
        assert list(chain(model).messages) == lines[1:end]


def chain_of(folder: Path, *layers: bytes, grouped: bool = False) -> Chain:
    return chain(open_caffemodel(factory.write(folder, *layers)), grouped)


def small_chain(folder: Path, version: str) -> Chain:
    path = folder / "small.caffemodel"
    path.write_bytes(factory.small_net(version))
    return chain(open_caffemodel(path))


@pytest.mark.parametrize("version", ["V1", "V2"])
def test_every_layer_type(tmp_path: Path, version: str) -> None:
    modules = small_chain(tmp_path, version).modules
    kinds = [
        *(Convolution, ReLU, LRN, Pooling, Convolution, Tanh, Pooling, Sigmoid),
        *(View, Linear, Dropout, Linear, *([SoftMax] if version == "V1" else [])),
    ]
    assert [type(module) for module in modules] == kinds
    assert modules[2] == LRN("norm1", 3, 0.01, 0.75, 1.0)
    assert modules[3] == Pooling("pool1", "max", (3, 3), (2, 2), (0, 0))
    assert modules[6] == Pooling("pool2", "average", (2, 2), (2, 2), (0, 0))
    assert modules[10] == Dropout("drop3", 0.25)
    conv = modules[0]
    assert isinstance(conv, Convolution)
    assert (conv.in_channels, conv.out_channels, conv.kernel, conv.groups) == (3, 6, (3, 3), 1)
    np.testing.assert_array_equal(conv.weight_array(), factory.weights(6, 3, 3, 3))
    np.testing.assert_array_equal(conv.bias_array(), factory.weights(6, seed=1))
    linear = modules[9]
    assert isinstance(linear, Linear)
    assert (linear.in_features, linear.out_features) == (36, 7)
    np.testing.assert_array_equal(linear.weight_array(), factory.weights(7, 36, seed=4))
    np.testing.assert_array_equal(linear.bias_array(), factory.weights(7, seed=5))


@pytest.mark.parametrize("length", range(1, 5))
def test_weight_arrays_are_aligned_and_read_only(tmp_path: Path, length: int) -> None:
    (conv,) = chain_of(tmp_path, factory.convolution("V2", "c" * length, 2, 3)).modules
    assert isinstance(conv, Convolution)
    for array in (conv.weight_array(), conv.bias_array()):
        assert array.flags.aligned
        assert array.flags.c_contiguous
        assert not array.flags.writeable


@pytest.mark.parametrize("version", ["V1", "V2"])
def test_messages_of_a_small_net(tmp_path: Path, version: str) -> None:
    v1 = ["MODULE data UNDEFINED", "warning: module 'data [type 5]' not found"]
    v2 = ["warning: module 'data [type Data]' not found"]
    weighted = ["conv1: 6 3 3 3", "conv2: 4 6 1 1", "fc3: 1 1 36 7", "fc4: 1 1 7 5"]
    assert list(small_chain(tmp_path, version).messages) == (v1 if version == "V1" else v2) + weighted


def test_unknown_v1_type_is_reported_as_0_as_loadcaffe_does(tmp_path: Path) -> None:
    layer = factory.content(2, factory.number(5, 77) + factory.content(4, b"odd"))
    messages = chain_of(tmp_path, layer).messages
    assert messages == ("MODULE odd UNDEFINED", "warning: module 'odd [type 0]' not found")


def test_tanh_of_v2_needs_loadcaffes_spelling(tmp_path: Path) -> None:
    result = chain_of(tmp_path, factory.layer("V2", "a", "TanH"), factory.layer("V2", "b", "Tanh"))
    assert result == Chain((Tanh("b"),), ("warning: module 'a [type TanH]' not found",))


WINDOWS: list[tuple[dict[str, Any], tuple[int, int], tuple[int, int], tuple[int, int]]] = [
    ({"kernel_size": [3]}, (3, 3), (1, 1), (0, 0)),
    ({"kernel_size": [3], "stride": [2], "pad": [1]}, (3, 3), (2, 2), (1, 1)),
    ({"kernel_h": 3, "kernel_w": 5}, (3, 5), (1, 1), (0, 0)),
    ({"kernel_size": [3], "kernel_h": 5}, (3, 3), (1, 1), (0, 0)),
    ({"kernel_size": [3], "stride_h": 2, "stride_w": 4}, (3, 3), (2, 4), (0, 0)),
    ({"kernel_size": [3], "stride_h": 2}, (3, 3), (1, 1), (0, 0)),
    ({"kernel_size": [3], "pad_h": 1, "pad_w": 2}, (3, 3), (1, 1), (1, 2)),
    ({"kernel_size": [3], "pad_w": 1}, (3, 3), (1, 1), (0, 0)),  # lost, as in the original
    ({"kernel_size": [3], "pad_w": 1, "pad": [2]}, (3, 3), (1, 1), (2, 2)),
    ({"kernel_size": [7, 3], "pad": [1, 2]}, (3, 3), (1, 1), (2, 2)),  # the last of several
]


@pytest.mark.parametrize("parameters, kernel, stride, padding", WINDOWS)
def test_convolution_windows(
    tmp_path: Path, parameters: dict[str, Any], kernel: Any, stride: Any, padding: Any
) -> None:
    filters, bias = factory.weights(2, 3, *kernel), factory.weights(2)
    layer = factory.layer("V2", "c", "Convolution", filters, bias, convolution_param=parameters)
    (conv,) = chain_of(tmp_path, layer).modules
    assert isinstance(conv, Convolution)
    assert (conv.kernel, conv.stride, conv.padding) == (kernel, stride, padding)


@pytest.mark.parametrize(
    "parameters, kernel, stride, padding",
    [
        ({"kernel_size": 3, "stride": 2}, (3, 3), (2, 2), (0, 0)),
        ({"kernel_size": 3}, (3, 3), (1, 1), (0, 0)),
        ({"kernel_h": 2, "kernel_w": 4, "stride_h": 3, "stride_w": 5}, (2, 4), (3, 5), (0, 0)),
        ({"kernel_size": 3, "pad": 1}, (3, 3), (1, 1), (1, 1)),
        ({"kernel_size": 3, "pad_w": 1}, (3, 3), (1, 1), (0, 1)),  # not lost, unlike for convolutions
        ({"kernel_size": 4, "pad_w": 1, "pad": 2}, (4, 4), (1, 1), (0, 1)),
        ({}, (0, 0), (1, 1), (0, 0)),  # global pooling loads, and cannot be run
    ],
)
def test_pooling_windows(
    tmp_path: Path, parameters: dict[str, Any], kernel: Any, stride: Any, padding: Any
) -> None:
    layer = factory.layer("V2", "p", "Pooling", pooling_param=parameters)
    assert chain_of(tmp_path, layer).modules == (Pooling("p", "max", kernel, stride, padding),)


def grouped_net(version: str) -> list[bytes]:
    return [
        factory.convolution(version, "a", 4, 3),
        factory.convolution(version, "b", 6, 2, group=2),
        factory.layer(version, "c", "ReLU"),
        factory.inner_product(version, "d", 5, 6),
    ]


def test_groups_are_skipped_in_v1(tmp_path: Path) -> None:
    result = chain_of(tmp_path, *grouped_net("V1"))
    # no view before d: the skipped layer's 6 outputs were counted, and d has 6 inputs
    assert [module.name for module in result.modules] == ["a", "c", "d"]
    assert result.messages == (
        "nn supports no groups!",
        "warning: module 'b [type 4]' not found",
        "a: 4 3 3 3",
        "d: 1 1 6 5",
    )


def test_groups_end_the_list_in_v2(tmp_path: Path) -> None:
    result = chain_of(tmp_path, *grouped_net("V2"))
    assert [module.name for module in result.modules] == ["a"]
    assert result.messages == ("nn supports no groups!", "a: 4 3 3 3")


@pytest.mark.parametrize("version", ["V1", "V2"])
def test_groups_are_kept_for_cudnn(tmp_path: Path, version: str) -> None:
    result = chain_of(tmp_path, *grouped_net(version), grouped=True)
    grouped = result.modules[1]
    assert isinstance(grouped, Convolution)
    assert (grouped.groups, grouped.in_channels, grouped.weight_array().shape) == (2, 4, (6, 2, 3, 3))
    assert result.messages == ("a: 4 3 3 3", "b: 6 2 3 3", "d: 1 1 6 5")


@pytest.mark.parametrize("kind", ["Softmax", "SoftmaxWithLoss"])
def test_softmax_ends_the_list_in_v2_only(tmp_path: Path, kind: str) -> None:
    for version, names in (("V1", ["s", "r"]), ("V2", [])):
        layers = (factory.layer(version, "s", kind), factory.layer(version, "r", "ReLU"))
        assert [module.name for module in chain_of(tmp_path, *layers).modules] == names


def test_last_of_equal_names_serves_both(tmp_path: Path) -> None:
    first, last = factory.convolution("V1", "c", 3, 3), factory.convolution("V1", "c", 3, 3, seed=9)
    result = chain_of(tmp_path, first, factory.layer("V1", "r", "ReLU"), last)
    expected = factory.weights(3, 3, 3, 3, seed=9)
    for module in (result.modules[0], result.modules[2]):
        assert isinstance(module, Convolution)
        np.testing.assert_array_equal(module.weight_array(), expected)
        np.testing.assert_array_equal(module.bias_array(), factory.weights(3, seed=10))
    assert result.messages == ("c: 3 3 3 3",) * 4


def test_equal_sizes_are_enough_for_equal_names(tmp_path: Path) -> None:
    """Only the number of weights is compared, as in Torch's copy."""
    tall = factory.weights(3, 2, 3, 1)
    window = {"kernel_h": 3, "kernel_w": 1}
    second = factory.layer("V1", "c", "Convolution", tall, factory.weights(3), convolution_param=window)
    first, _ = chain_of(tmp_path, factory.convolution("V1", "c", 3, 6, kernel=1), second).modules
    assert isinstance(first, Convolution)
    np.testing.assert_array_equal(first.weight_array(), tall.reshape(3, 6, 1, 1))


def test_view_stands_before_the_first_inner_product_only(tmp_path: Path) -> None:
    layers = [
        factory.convolution("V1", "c", 4, 3),
        factory.inner_product("V1", "fc6", 5, 16),
        factory.inner_product("V1", "fc7", 6, 5),
        factory.inner_product("V1", "fc8", 7, 6),
    ]
    names = [module.name for module in chain_of(tmp_path, *layers).modules]
    assert names == ["c", "torch_view", "fc6", "fc7", "fc8"]


@pytest.mark.parametrize("version, inputs", [("V1", 4), ("V2", 8)])
def test_view_rule_starts_from_the_input_dims(tmp_path: Path, version: str, inputs: int) -> None:
    dims = b"".join(factory.number(4, 1) for _ in range(4)) + factory.content(8, b"\n\1\1") * 2
    modules = chain_of(tmp_path, dims, factory.inner_product(version, "fc", 3, inputs)).modules
    assert [module.name for module in modules] == ["fc"]
    modules = chain_of(tmp_path, dims, factory.inner_product(version, "fc", 3, inputs + 1)).modules
    assert [module.name for module in modules] == ["torch_view", "fc"]


def test_numbers_pass_through_loadcaffes_text(tmp_path: Path) -> None:
    lrn = factory.layer("V2", "n", "LRN", lrn_param={"alpha": 1.26e-5, "beta": 0.12345, "k": 2.5})
    drop = factory.layer("V2", "d", "Dropout", dropout_param={"dropout_ratio": 0.3})
    assert chain_of(tmp_path, lrn, drop).modules == (LRN("n", 5, 0.000013, 0.1235, 2.5), Dropout("d", 0.3))


CONV, ONE_BIAS = {"kernel_size": [3], "num_output": 4}, factory.weights(4)


@pytest.mark.parametrize(
    "layers, message",
    [
        ([factory.layer("V2", "c", "Convolution", convolution_param=CONV)], "has no weight blob"),
        (
            [factory.layer("V2", "c", "Convolution", factory.weights(4, 3, 3, 3), convolution_param=CONV)],
            "layer 'c' (byte 5): 'Convolution' has no bias blob, which loadcaffe needs (the original crashes",
        ),
        ([factory.layer("V1", "f", "InnerProduct", factory.weights(4, 3))], "has no bias blob"),
        (
            [factory.convolution("V2", "c", 4, 3), factory.layer("V2", "c", "ReLU")],
            "'ReLU' has no weight blob",
        ),
        (
            [factory.convolution("V2", "c", 4, 3), factory.convolution("V2", "c", 4, 4)],
            "weights of 4 x 3 x 3 x 3 and 4 biases, but the file has 4 x 4 x 3 x 3 and 4 in the last of 2",
        ),
        (
            [factory.convolution("V2", "c", 4, 3, kernel_h=5, kernel_w=5)],
            "need weights of 4 x 3 x 5 x 5 and 4 biases, but the file has 4 x 3 x 3 x 3 and 4",
        ),
        (
            [
                factory.layer(
                    "V2",
                    "c",
                    "Convolution",
                    factory.weights(4, 3, 3, 3),
                    factory.weights(5),
                    convolution_param=CONV,
                )
            ],
            "but the file has 4 x 3 x 3 x 3 and 5",
        ),
        ([factory.convolution("V2", "c", 4, 3, kernel_size=[])], "kernel (0, 0)"),
        ([factory.convolution("V2", "c", 4, 3, stride=[0])], "stride (0, 0)"),
        ([factory.convolution("V2", "c", 4, 3, group=3)], "cannot be divided into 3 groups"),
        (
            [factory.layer("V2", "c", "Convolution", factory.weights(1, 4, 3, 3, 3), ONE_BIAS)],
            "a blob has 5 axes",
        ),
        (
            [
                factory.layer(
                    "V2",
                    "f",
                    "InnerProduct",
                    factory.weights(4, 3),
                    ONE_BIAS,
                    inner_product_param={"num_output": 9},
                )
            ],
            "weights of 9 x 3 and 9 biases, but the file has 4 x 3 and 4",
        ),
        ([factory.layer("V2", "f", "InnerProduct", factory.weights(4, 3), ONE_BIAS)], "3 inputs and 0 out"),
        ([factory.layer("V1", "p", "Pooling", pooling_param={"pool": 2})], "stochastic pooling"),
        ([factory.layer("V2", "p", "Pooling", pooling_param={"stride": 0})], "stride (0, 0)"),
        (
            [factory.layer("V2", "p", "Pooling", pooling_param={"kernel_size": 3, "pad": 2})],
            "padding (2, 2) are not valid for a pooling layer (padding: at most half the kernel)",
        ),
        ([factory.layer("V2", "n", "LRN", lrn_param={"local_size": 4})], "size 4 (must be odd)"),
        ([factory.layer("V2", "n", "LRN", lrn_param={"alpha": float("nan")})], "alpha nan"),
        ([factory.layer("V2", "d", "Dropout", dropout_param={"dropout_ratio": 1})], "ratio of 1.0 is out"),
        (
            [factory.layer("V2", "d", "Dropout", dropout_param={"dropout_ratio": float("nan")})],
            "ratio of nan is outside",
        ),
    ],
)
def test_where_loadcaffe_dies_is_an_error(tmp_path: Path, layers: list[bytes], message: str) -> None:
    with pytest.raises(CaffemodelError) as caught:
        chain_of(tmp_path, *layers, grouped=True)
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"{tmp_path / 'model.caffemodel'}: layer '")


def test_layers_after_the_end_of_the_list_are_not_judged(tmp_path: Path) -> None:
    layers = [
        factory.layer("V2", "r", "ReLU"),
        factory.layer("V2", "s", "Softmax"),
        factory.layer("V2", "p", "Pooling", pooling_param={"pool": 2}),
    ]
    assert chain_of(tmp_path, *layers).modules == (ReLU("r"),)
