"""Instance normalisation as separate operators: as accurate as sums in double precision."""

import numpy as np
import pytest
from onnx import helper

from core.transform.onnx.norms import with_exact_norms
from tests.support.old_onnx_models import old_model, picture, run


@pytest.mark.parametrize("opset", [7, 17, 18])
def test_exact_norms(opset):
    """Sums of many squares: the error of the runtime's kernel is several times ours."""
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
