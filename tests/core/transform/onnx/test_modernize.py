"""Old and fixed-size ONNX models are rewritten for any size, with the same results."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from core.errors import TransformError
from core.transform.onnx.modernize import modernize
from core.transform.onnx.walk import constants
from core.transform.open_model import probe_picture
from core.transform.pixels import VGG_MEANS_BGR
from tests.support.old_onnx_models import MEANS, old_model, picture, run


def check_equal(model):
    """Check that the output is equal, another size runs, and a batch of two gives separate results."""
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


@pytest.mark.parametrize("mode", ["nearest", "linear"])
@pytest.mark.parametrize("factor", [2.0, 1.5])
@pytest.mark.parametrize(("operator", "opset"), [("Upsample", 7), ("Upsample", 9), ("Resize", 10)])
def test_old_enlargements_keep_counting_pixels_from_their_corners(operator, opset, mode, factor):
    scales = [1.0, 1.0, factor, factor]
    given = {"scales": scales} if opset == 7 else {}
    node = helper.make_node(operator, ["x"] if opset == 7 else ["x", "s"], ["y"], mode=mode, **given)
    stored = {} if opset == 7 else {"s": np.float32(scales)}
    model = old_model([node], stored, out=(1, 3, int(8 * factor), int(12 * factor)), opset=opset)
    assert operators(check_equal(model)) == ["Resize"]


def test_height_and_width_before_channels():
    """The rewritten model's input and output are (N, 3, H, W)."""
    model = old_model(
        [
            helper.make_node("Transpose", ["x"], ["a"], perm=[0, 3, 1, 2]),
            helper.make_node("InstanceNormalization", ["a", "w", "w"], ["b"], epsilon=1e-3),
            helper.make_node("Transpose", ["b"], ["y"], perm=[0, 2, 3, 1]),
        ],
        {"w": np.float32([1, 2, 3])},
        size=(1, 8, 12, 3),
    )
    result = modernize(model)
    x = picture(1, 3, 8, 12)
    expected = run(model, x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    assert np.array_equal(run(result.model, x), expected)
    assert run(result.model, picture(2, 3, 20, 14)).shape == (2, 3, 20, 14)
    assert result.changes[-2:] == (
        "layout of the input changed to N,3,H,W",
        "layout of the output changed to N,3,H,W",
    )


def test_outputs_other_than_the_first_go():
    model = old_model([helper.make_node("Relu", ["x"], ["y"]), helper.make_node("Tanh", ["x"], ["z"])])
    model.graph.output.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, (1, 3, 8, 12)))
    result = modernize(model)
    assert (operators(result), len(result.model.graph.output)) == (["Relu"], 1)
    assert result.changes[0] == "all outputs but the first removed (z)"
    x = picture(1, 3, 8, 12)
    assert np.array_equal(run(result.model, x), np.maximum(x, 0))


@pytest.mark.parametrize("opset", [20, 22])
def test_newer_opsets_go_back(shared, opset):
    model = onnx.load(shared / "onnx_models" / "joshbrew_mobile.onnx")
    newer = onnx.version_converter.convert_version(model, opset)
    result = modernize(newer)
    assert result.changes == (f"opset {opset} became 18",)
    x = picture(1, 3, 40, 44)
    assert np.array_equal(run(result.model, x), run(model, x))


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
    assert "1 ConvTranspose nodes changed from one size to any size" in result.changes
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
    assert result.changes[-1] == "number and size of pictures made free"


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
            r"node 1 \('n', Gelu9\) is not an ONNX operator",
        ),
        (helper.make_node("Relu", ["x"], ["y"], domain="com.me"), "node 1 .* is from the domain 'com.me'"),
        (
            helper.make_node("Crop", ["x"], ["y"], border=[0, 0, 0, 0], scale=[4, 4]),
            "Crop.* crops to one fixed size",
        ),
        (
            helper.make_node(
                "ConvTranspose", ["x", "w"], ["y"], auto_pad="SAME_UPPER", output_shape=[16, 24]
            ),
            "ConvTranspose.* derives its padding from a fixed output size",
        ),
        (helper.make_node("If", ["x"], ["y"], name="n"), "contains a subgraph"),
    ],
)
def test_what_cannot_be_converted_is_named(node, message):
    with pytest.raises(TransformError, match=message):
        modernize(old_model([node], {"w": picture(3, 3, 3, 3)}))


SHAPE = {"s": np.array([1, 3, 96]), "t": np.array([1, 3, 8, 12])}


@pytest.mark.parametrize(
    ("nodes", "stored", "opset", "message"),
    [
        (
            [helper.make_node("Reshape", ["x", "s"], ["a"]), helper.make_node("Reshape", ["a", "t"], ["y"])],
            SHAPE,
            9,
            r"node 'a' \(Reshape\) works for one size or number of pictures only; export",
        ),
        (
            [helper.make_node("Resize", ["x", "e", "e", "t"], ["y"])],
            SHAPE | {"e": np.zeros(0, np.float32)},
            11,
            r"node 'y' \(Resize\) works for one size or number of pictures only",
        ),
        (
            [helper.make_node("Slice", ["x"], ["y"], starts=[0, 0], ends=[8, 12], axes=[2, 3])],
            {},
            9,
            r"node 'y' \(Slice\) works for one size or number of pictures only",
        ),
        (
            [helper.make_node("Add", ["x", "m"], ["y"], name="map")],
            {"m": np.ones((1, 3, 8, 12), np.float32)},
            9,
            r"node 'map' \(Add\) works for one size or number of pictures only",
        ),
        (
            [helper.make_node("BatchNormalization", ["x", "m", "m", "m", "m"], ["y"], spatial=0)],
            {"m": np.ones((3, 8, 12), np.float32)},
            7,
            "node 1 .*BatchNormalization.* has spatial = 0",
        ),
        ([helper.make_node("Gelu", ["x"], ["y"])], {}, 20, "opset 20 cannot be converted to 18: No Previous"),
    ],
)
def test_nodes_of_one_size_are_named(nodes, stored, opset, message):
    with pytest.raises(TransformError, match=message):
        modernize(old_model(nodes, stored, opset=opset))


@pytest.mark.parametrize(
    ("ends", "message"),
    [
        ({"size": (1, 1000)}, "input 'x' of shape 1x1000 is not a batch of 3-channel pictures"),
        ({"out": (1, 1000)}, "output 'y' of shape 1x1000 is not a batch of 3-channel pictures"),
    ],
)
def test_no_transform_network(ends, message):
    with pytest.raises(TransformError, match=message):
        modernize(old_model([helper.make_node("Relu", ["x"], ["y"])], **ends))


@pytest.mark.parametrize(
    ("name", "height", "width", "preprocessing", "limit"),
    [
        ("winml_candy", 720, 720, "vgg", 1e-5),
        ("winml_mosaic", 720, 720, "vgg", 1e-5),
        ("winml_fns_candy", 720, 720, "vgg", 1e-5),
        ("gnsmrky_mosaic_nc8_256x256", 256, 256, "", 0),
        ("joshbrew_mobile", 200, 304, "", 0),
    ],
)
def test_models_of_others(shared, name, height, width, preprocessing, limit):
    model = onnx.load(shared / "onnx_models" / f"{name}.onnx")
    before = model.SerializeToString()
    result = modernize(model)
    assert (result.preprocessing, model.SerializeToString()) == (preprocessing, before)
    assert [(p.key, p.value) for p in result.model.metadata_props] == [
        (p.key, p.value) for p in model.metadata_props
    ]
    means = np.array(VGG_MEANS_BGR).reshape(3, 1, 1) if preprocessing else 0.0
    x = probe_picture(height, width)[None] * 255
    expected = run(model, x.astype(np.float32))
    found = run(result.model, (x - means).astype(np.float32)) + means
    assert np.abs(found - expected).max() / 255 <= limit
    assert run(result.model, picture(2, 3, 101, 150)).shape == (2, 3, 104, 152)


def test_too_old():
    with pytest.raises(TransformError, match="opset 6 is too old; the oldest supported opset is 7"):
        modernize(old_model([helper.make_node("Relu", ["x"], ["y"])], opset=6))


def test_constants_computed_with_attributes_of_old_opsets():
    nodes = [
        constant("two", np.array([1, 2], np.int64)),
        helper.make_node("Unsqueeze", ["two"], ["row"], axes=[0]),
        helper.make_node("Slice", ["two"], ["last"], starts=[1], ends=[2], axes=[0]),
        helper.make_node("Squeeze", ["row"], ["same"], axes=[0]),
    ]
    known = constants(helper.make_graph(nodes, "g", [], []))
    assert {name: values.tolist() for name, values in known.items()} == {
        **{"two": [1, 2], "row": [[1, 2]], "last": [2], "same": [1, 2]},
    }


def test_ones_that_enlarge_a_picture_are_no_ones():
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["a"], axes=[2, 3], keepdims=1),
        helper.make_node("Mul", ["a", "ones"], ["y"]),
    ]
    model = old_model(nodes, {"ones": np.ones((1, 1, 8, 12), np.float32)})
    assert "Mul" in operators(modernize(model))


def constant(name, values):
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(values, name))
