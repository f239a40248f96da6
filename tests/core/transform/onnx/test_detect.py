"""Detecting the input format of ONNX models from other programs."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from core.errors import TransformError
from core.transform.onnx.detect import detect_format
from core.transform.onnx.file import read_onnx
from core.transform.onnx.session import SessionSettings
from core.transform.open_model import onnx_runner
from core.transform.pixels import FORMATS, NetworkFormat, overridden

BGR = np.array([103.939, 116.779, 123.68], np.float32).reshape(3, 1, 1)
RESNET = np.array([0.485, 0.456, 0.406], np.float32).reshape(1, 3, 1, 1)


def model(*steps, shape=("N", 3, "H", "W"), kind=TensorProto.FLOAT, metadata=(), doc=""):
    """A chain of nodes: (operator, constant or None, attributes)."""
    nodes, stored, x = [], [], "input"
    for number, (operator, *rest) in enumerate(steps, 1):
        values, given = [*rest, None, None][:2]
        inputs = [x]
        for position, array in enumerate(values if isinstance(values, list) else [values]):
            if array is not None:
                stored.append(numpy_helper.from_array(np.asarray(array), f"c{number}_{position}"))
                inputs.append(stored[-1].name)
        x = f"x{number}"
        nodes.append(helper.make_node(operator, inputs, [x], **(given or {})))
    ends = [helper.make_tensor_value_info(name, kind, shape) for name in ("input", x)]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], stored)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, doc_string=doc)
    helper.set_model_props(made, dict(metadata))
    return made


CONV = ("Conv", np.zeros((3, 3, 1, 1), np.float32))
ONE = np.float32(1)


@pytest.mark.parametrize(
    ("steps", "given", "output", "order"),
    [
        ([CONV], "0-255", "0-255", "rgb"),
        ([("Sub", BGR), CONV], "0-255", "0-255", "bgr"),
        ([("Add", -BGR[::-1]), CONV], "0-255", "0-255", "rgb"),
        ([("Div", np.float32(255)), CONV], "0-255", "0-255", "rgb"),
        ([("Mul", np.float32(1 / 255)), ("Sub", RESNET), CONV, ("Sigmoid",)], "0-255", "0-1", "rgb"),
        ([("Sub", RESNET), CONV], "0-1", "0-1", "rgb"),
        ([("Mul", np.float32(255)), CONV, ("Clip", [np.float32(0), np.float32(255)])], "0-1", "0-255", "rgb"),
        ([("Add", ONE), ("Mul", np.float32(127.5)), CONV], "-1-1", "-1-1", "rgb"),
        ([CONV, ("Tanh",)], "-1-1", "-1-1", "rgb"),
        ([CONV, ("Tanh",), ("Mul", np.float32(127.5)), ("Add", np.float32(127.5))], "0-255", "0-255", "rgb"),
        ([CONV, ("Tanh",), ("Mul", np.float32(0.5)), ("Add", np.float32(0.5))], "0-1", "0-1", "rgb"),
        ([CONV, ("Tanh",), ("Mul", np.float32(150))], "vgg", "vgg", "bgr"),
        ([("Sub", BGR), CONV, ("Tanh",), ("Mul", np.float32(150)), ("Add", BGR)], "0-255", "0-255", "bgr"),
        ([CONV, ("Clip", [np.float32(0), np.float32(1)])], "0-1", "0-1", "rgb"),
        ([CONV, ("Clip", [np.float32(0), np.float32(6)])], "0-255", "0-255", "rgb"),
        ([CONV, ("Tanh",), ("Mul", np.float32(-127.5)), ("Add", np.float32(127.5))], "0-255", "0-255", "rgb"),
        ([CONV, ("Tanh",), ("Mul", np.float32(150)), ("Add", BGR)], "0-255", "0-255", "bgr"),
        ([CONV, ("Tanh",), ("Mul", np.float32(150)), ("Add", BGR[::-1])], "0-255", "0-255", "rgb"),
        ([("Sub", BGR[::-1]), CONV, ("Tanh",), ("Mul", np.float32(150))], "0-255", "vgg", "rgb"),
        ([("Mul", np.float32(255)), ("Sub", BGR), CONV], "0-1", "0-1", "bgr"),
        ([("Sub", RESNET[:, ::-1]), CONV], "0-1", "0-1", "bgr"),
        ([("Add", ONE), ("Mul", np.float32(0.5)), CONV], "-1-1", "-1-1", "rgb"),
        ([("Identity",), CONV], "0-255", "0-255", "rgb"),
        ([("Mul", np.float32(0.5)), CONV], "0-255", "0-255", "rgb"),
    ],
)
def test_values_from_the_graph(steps, given, output, order):
    how = detect_format(model(*steps))
    assert how.input == FORMATS[given].ordered(order)
    assert how.output == FORMATS[output].ordered(order)


@pytest.mark.parametrize(
    ("low", "high", "expected"), [(-30, 280, "0-255"), (0, 1, "0-1"), (-0.05, 1.1, "0-1"), (-1, 1, "-1-1")]
)
def test_values_from_one_picture(low, high, expected):
    asked = []

    def probe(how):
        asked.append(how)
        return np.array([low, high], np.float32)

    how = detect_format(model(CONV), probe)
    assert (how.input.name, how.output.name) == (expected, expected)
    assert f"a test picture gave values from {low:.4g} to {high:.4g}" in how.reasons[1]
    assert [item.input.name for item in asked] == ["0-255"]


def test_a_picture_of_nothing_but_nan_tells_nothing():
    how = detect_format(model(CONV), lambda how: np.full((1, 3, 4, 4), np.nan, np.float32))
    assert (how.input, how.output) == (FORMATS["0-255"], FORMATS["0-255"])
    assert how.reasons[1] == "output values: 0-255, the default, as nothing in the file decides it"


def test_the_reason_names_the_means():
    reasons = detect_format(model(CONV, ("Tanh",), ("Mul", np.float32(150)), ("Add", BGR))).reasons
    assert reasons[2] == "channel order: bgr, the last nodes add the means of blue, green, red"


def test_no_picture_is_asked_for_where_the_graph_tells():
    detect_format(model(CONV, ("Tanh",)), lambda how: pytest.fail("asked"))


@pytest.mark.parametrize(
    ("metadata", "doc", "order", "values"),
    [
        (
            {"Image.BitmapPixelFormat": "Bgr8", "Image.NominalPixelRange": "NominalRange_0_255"},
            "",
            "bgr",
            "0-255",
        ),
        ({"Image.BitmapPixelFormat": "Rgb8", "Image.NominalPixelRange": "Normalized_0_1"}, "", "rgb", "0-1"),
        ({"Image.NominalPixelRange": "Normalized_1_1"}, "Images in BGR format", "bgr", "-1-1"),
        ({}, "Images in RGB format", "rgb", "0-255"),
    ],
)
def test_values_from_metadata_and_texts(metadata, doc, order, values):
    how = detect_format(model(CONV, metadata=metadata.items(), doc=doc))
    assert how.input == FORMATS[values].ordered(order)


@pytest.mark.parametrize(
    ("shape", "layout", "size"),
    [
        (("N", 3, "H", "W"), "nchw", None),
        ((1, 3, 224, 320), "nchw", (224, 320)),
        ((1, 224, 320, 3), "nhwc", (224, 320)),
        ((1, "H", "W", 3), "nhwc", None),
    ],
)
def test_layout_and_size(shape, layout, size):
    how = detect_format(model(("Relu",), shape=shape))
    assert (how.layout, how.size) == (layout, size)


@pytest.mark.parametrize(
    ("kind", "name"),
    [(TensorProto.FLOAT16, "float16"), (TensorProto.DOUBLE, "float64"), (TensorProto.UINT8, "uint8")],
)
def test_element_type(kind, name):
    assert detect_format(model(("Relu",), kind=kind)).dtype == name


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"shape": (1, 1000)}, "input 'input' of shape 1x1000 is not a batch of 3-channel pictures"),
        ({"shape": (1, 1, 28, 28)}, "input 'input' of shape 1x1x28x28 is not a batch of 3-channel pictures"),
        ({"kind": TensorProto.INT64}, "input 'input' has type INT64; known are float32"),
    ],
)
def test_no_transform_network(wrong, message):
    with pytest.raises(TransformError, match=message):
        detect_format(model(("Relu",), **wrong))


def test_two_inputs():
    made = model(("Relu",))
    made.graph.input.append(helper.make_tensor_value_info("style", TensorProto.FLOAT, [1, 3, 8, 8]))
    with pytest.raises(TransformError, match=r"has one input, not 2 \(input, style\)"):
        detect_format(made)


def test_smallest_side_and_multiple():
    pads = np.array([0, 0, 4, 4, 0, 0, 4, 4])
    inner = np.array([0, 0, 2, 2, 0, 0, 2, 2])
    how = detect_format(
        model(
            ("Pad", pads, {"mode": "reflect"}),
            ("Conv", np.zeros((8, 3, 3, 3), np.float32), {"strides": [2, 2]}),
            ("Conv", np.zeros((8, 8, 3, 3), np.float32), {"strides": [2, 2]}),
            ("Pad", inner, {"mode": "reflect"}),
            ("Resize", [np.zeros(0, np.float32), np.array([1, 1, 4, 4], np.float32)]),
            ("Pad", pads, {"mode": "reflect"}),
        )
    )
    assert (how.multiple, how.smallest) == (4, 9)


def test_flags_override_what_was_found():
    how = NetworkFormat(FORMATS["0-255"].ordered("bgr"), FORMATS["0-255"].ordered("bgr"), size=(2, 3))
    asked = overridden(
        how, value_range="0-1", output_value_range="-1-1", channel_order="rgb", layout="nhwc", size=(7, 9)
    )
    assert (asked.input, asked.output) == (FORMATS["0-1"], FORMATS["-1-1"])
    assert (asked.layout, asked.size) == ("nhwc", (7, 9))
    assert asked.reasons == (
        "input and output values: 0-1, as asked with -value_range",
        "output values: -1-1, as asked with -output_value_range",
        "channel order: rgb, as asked with -channel_order",
        "layout: nhwc, as asked with -layout",
        "size: 9x7 only, as asked with -model_size",
    )
    assert overridden(how) == how
    assert overridden(how, value_range="vgg").input == FORMATS["vgg"]


@pytest.mark.parametrize(
    ("name", "order", "size", "smallest"),
    [
        ("winml_candy", "bgr", (720, 720), 41),
        ("winml_fns_candy", "bgr", (720, 720), 41),
        ("winml_mosaic", "bgr", (720, 720), 41),
        ("gnsmrky_mosaic_nc8_256x256", "rgb", (256, 256), 17),
        ("joshbrew_mobile", "rgb", None, 1),
    ],
)
def test_models_of_others(shared, name, order, size, smallest):
    how = onnx_runner(read_onnx(shared / "onnx_models" / f"{name}.onnx"), SessionSettings()).format
    assert how.input == how.output == FORMATS["0-255"].ordered(order)
    assert (how.layout, how.dtype, how.size) == ("nchw", "float32", size)
    assert (how.multiple, how.smallest) == (4, smallest)
