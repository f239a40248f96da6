"""Old and fixed-size ONNX models become standard ones of any size, with the same results."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from core.errors import TransformError
from core.transform.onnx_modernize import modernize
from core.transform.onnx_norms import with_exact_norms

RNG = np.random.default_rng(5)
MEANS = [-103.939, -116.779, -123.68]


def old_model(nodes, stored=(), size=(1, 3, 8, 12), out=None, opset=7):
    """As a converter of 2018 wrote it: IR 3, weights listed as inputs, a fixed size."""
    initializers = [
        numpy_helper.from_array(np.asarray(values), name) for name, values in dict(stored).items()
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, size)]
    inputs += [helper.make_tensor_value_info(i.name, i.data_type, i.dims) for i in initializers]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, out or size)]
    graph = helper.make_graph(nodes, "g", inputs, outputs, initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=3)


def run(model, x):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, {session.get_inputs()[0].name: x})[0]


def picture(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def check_equal(model):
    """Same numbers at its size; another size and a batch of two run, and each picture is its own."""
    result = modernize(model)
    x = picture(1, 3, 8, 12)
    assert np.array_equal(run(result.model, x), run(model, x))
    two = run(result.model, np.concatenate([x, 2 * x]))
    assert np.allclose(two[:1], run(model, x), atol=1e-6)
    run(result.model, picture(2, 3, 20, 14))
    assert [item.version for item in result.model.opset_import if not item.domain] == [18]
    assert result.model.ir_version == 10
    assert [item.name for item in result.model.graph.input] == ["x"]
    return result


def operators(result):
    return [node.op_type for node in result.model.graph.node]


def test_affine():
    result = check_equal(old_model([helper.make_node("Affine", ["x"], ["y"], alpha=150.0, beta=0.5)]))
    assert operators(result) == ["Mul", "Add"]
    result = check_equal(
        old_model(
            [
                helper.make_node("Affine", ["x"], ["a"], alpha=1.0, beta=0.0),
                helper.make_node("Relu", ["a"], ["y"]),
            ]
        )
    )
    assert operators(result) == ["Relu"]


def test_image_scaler():
    result = check_equal(
        old_model(
            [
                helper.make_node("ImageScaler", ["x"], ["a"], scale=2.0, bias=[1.0, 2.0, 3.0]),
                helper.make_node("Relu", ["a"], ["y"]),
            ]
        )
    )
    assert operators(result) == ["Mul", "Add", "Relu"]


def test_crop():
    model = old_model([helper.make_node("Crop", ["x"], ["y"], border=[1, 2, 3, 0])], out=(1, 3, 6, 8))
    result = check_equal(model)
    assert operators(result) == ["Slice"]
    x = picture(1, 3, 8, 12)
    assert np.array_equal(run(result.model, x), x[:, :, 2:, 1:-3])


def test_attributes_that_are_inputs_today():
    check_equal(
        old_model(
            [
                helper.make_node("Pad", ["x"], ["a"], mode="reflect", pads=[0, 0, 2, 1, 0, 0, 2, 3]),
                helper.make_node("Slice", ["a"], ["b"], starts=[2, 1], ends=[-2, -3], axes=[2, 3]),
                helper.make_node("Clip", ["b"], ["c"], min=-1.0, max=1.0),
                helper.make_node("ReduceMean", ["c"], ["d"], axes=[2, 3], keepdims=1),
                helper.make_node("Add", ["c", "d"], ["y"]),
            ]
        )
    )


def test_upsample_and_old_norms():
    check_equal(
        old_model(
            [
                helper.make_node("Upsample", ["x"], ["a"], mode="nearest", scales=[1.0, 1.0, 2.0, 2.0]),
                helper.make_node("InstanceNormalization", ["a", "w", "b"], ["c"], epsilon=1e-5),
                helper.make_node("BatchNormalization", ["c", "w", "b", "b", "w"], ["y"], epsilon=1e-5),
            ],
            {"w": np.float32([1, 2, 3]), "b": np.float32([0.5, 0, -1])},
            out=(1, 3, 16, 24),
        )
    )


def test_transposed_convolution_of_one_size():
    nodes = [
        helper.make_node(
            "ConvTranspose",
            ["x", "w"],
            ["a"],
            auto_pad="VALID",
            strides=[2, 2],
            output_shape=[18, 26],
            kernel_shape=[3, 3],
        ),
        helper.make_node("Crop", ["a"], ["y"], border=[1, 1, 1, 1]),
    ]
    result = check_equal(old_model(nodes, {"w": picture(3, 3, 3, 3)}, out=(1, 3, 16, 24)))
    assert "1 ConvTranspose no longer written for one size" in result.changes
    assert run(result.model, picture(1, 3, 5, 7)).shape == (1, 3, 10, 14)


def test_norm_and_enlargement_written_out():
    def constant(name, values):
        return helper.make_node(
            "Constant", [], [name], value=numpy_helper.from_array(np.asarray(values), name)
        )

    shapes = {"rows": [1, 3, 1, -1], "column": [-1, 1], "wide": [-1, 24], "all": [-1, 3, 16, 24]}
    nodes = [
        *(constant(name, np.array(values, np.int64)) for name, values in shapes.items()),
        constant("eps", np.float32(1e-5)),
        helper.make_node("Reshape", ["x", "rows"], ["flat"]),
        helper.make_node("ReduceMean", ["flat"], ["mean"], axes=[3], keepdims=1),
        helper.make_node("Sub", ["x", "mean"], ["c"]),
        helper.make_node("Mul", ["c", "c"], ["cc"]),
        helper.make_node("Reshape", ["cc", "rows"], ["ccflat"]),
        helper.make_node("ReduceMean", ["ccflat"], ["v"], axes=[3], keepdims=1),
        helper.make_node("Add", ["v", "eps"], ["ve"]),
        helper.make_node("Sqrt", ["ve"], ["s"]),
        helper.make_node("Div", ["c", "s"], ["n"]),
        helper.make_node("Reshape", ["n", "column"], ["e1"]),
        helper.make_node("Concat", ["e1", "e1"], ["e2"], axis=1),
        helper.make_node("Reshape", ["e2", "wide"], ["e3"]),
        helper.make_node("Concat", ["e3", "e3"], ["e4"], axis=1),
        helper.make_node("Reshape", ["e4", "all"], ["y"]),
    ]
    result = check_equal(old_model(nodes, out=(1, 3, 16, 24), opset=9))
    assert operators(result)[-1] == "Resize"
    assert operators(result).count("Concat") == 0


def test_vgg_means_go_outside():
    tail = {"m": -np.float32(MEANS).reshape(3, 1, 1), "one": np.ones((3, 1, 1), np.float32)}
    model = old_model(
        [
            helper.make_node("ImageScaler", ["x"], ["a"], scale=1.0, bias=MEANS),
            helper.make_node("Tanh", ["a"], ["b"]),
            helper.make_node("Affine", ["b"], ["c"], alpha=150.0, beta=0.0),
            helper.make_node("Mul", ["c", "one"], ["d"]),
            helper.make_node("Add", ["d", "m"], ["y"]),
        ],
        tail,
    )
    result = modernize(model)
    assert result.preprocessing == "vgg"
    assert operators(result) == ["Tanh", "Mul"]
    x = picture(1, 3, 8, 12)
    assert np.allclose(run(result.model, x), np.tanh(x) * np.float32(150), rtol=1e-6, atol=1e-4)
    assert result.changes[-1] == "number and size of pictures became free"


def test_other_means_stay():
    model = old_model(
        [
            helper.make_node("ImageScaler", ["x"], ["a"], scale=1.0, bias=[-1.0, -2.0, -3.0]),
            helper.make_node("Tanh", ["a"], ["y"]),
        ]
    )
    assert check_equal(model).preprocessing == ""


def test_a_modern_model_is_left_alone(shared):
    model = onnx.load(shared / "onnx_models" / "joshbrew_mobile.onnx")
    result = modernize(model)
    assert result.changes == ()
    x = picture(1, 3, 40, 44)
    assert np.array_equal(run(result.model, x), run(model, x))


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (
            helper.make_node("Gelu9", ["x"], ["y"], name="n"),
            r"node 1 \('n', Gelu9\) is no operator that ONNX knows",
        ),
        (helper.make_node("Relu", ["x"], ["y"], domain="com.me"), "node 1 .* is of the domain 'com.me'"),
        (
            helper.make_node("Crop", ["x"], ["y"], border=[0, 0, 0, 0], scale=[4, 4]),
            "Crop.* cuts out one fixed size",
        ),
        (
            helper.make_node(
                "ConvTranspose", ["x", "w"], ["y"], auto_pad="SAME_UPPER", output_shape=[16, 24]
            ),
            "ConvTranspose.* chooses its padding by its output size",
        ),
        (helper.make_node("If", ["x"], ["y"], name="n"), "holds a graph of its own"),
    ],
)
def test_what_cannot_be_converted_is_named(node, message):
    with pytest.raises(TransformError, match=message):
        modernize(old_model([node], {"w": picture(3, 3, 3, 3)}))


def test_too_old():
    with pytest.raises(TransformError, match="opset 6 is too old; from 7 on"):
        modernize(old_model([helper.make_node("Relu", ["x"], ["y"])], opset=6))


@pytest.mark.parametrize("opset", [7, 17, 18])
def test_exact_norms(opset):
    """Sums of many squares: the kernel's distance from the truth is several times ours."""
    nodes = [helper.make_node("InstanceNormalization", ["x", "w", "b"], ["y"], epsilon=1e-3)]
    weights = {"w": np.float32([1, 2, 3]), "b": np.float32([0.5, 0, -1])}
    model = old_model(nodes, weights, ("N", 3, "H", "W"), opset=opset)
    model.ir_version = 3 if opset == 7 else 8
    exact = with_exact_norms(model)
    assert "InstanceNormalization" not in {node.op_type for node in exact.graph.node}
    x = (picture(2, 3, 600, 800) + np.float32([1, 5, -20]).reshape(3, 1, 1)) * np.float32(30)
    truth = x.astype(np.float64)
    truth -= truth.mean((2, 3), keepdims=True)
    truth /= np.sqrt((truth**2).mean((2, 3), keepdims=True) + 1e-3)
    truth = truth * weights["w"].reshape(3, 1, 1) + weights["b"].reshape(3, 1, 1)
    found = run(exact, x)
    assert np.abs(found - truth).mean() < 1e-7 * np.ptp(truth)
    assert np.abs(found - truth).mean() < np.abs(run(model, x) - truth).mean() / 4


def test_exact_norms_leave_half_precision_alone():
    nodes = [helper.make_node("InstanceNormalization", ["x", "w", "w"], ["y"])]
    model = old_model(nodes, {"w": np.ones(3, np.float16)}, opset=17)
    assert [node.op_type for node in with_exact_norms(model).graph.node] == ["InstanceNormalization"]
