"""Build and run ONNX models like those of the converters of 2018."""

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

RNG = np.random.default_rng(5)
MEANS = [-103.939, -116.779, -123.68]


def old_model(nodes, stored=(), size=(1, 3, 8, 12), out=None, opset=7):
    """A model like those of 2018: IR 3, weights listed as inputs, a fixed size."""
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
