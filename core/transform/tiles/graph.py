"""Builds models that run a transform network, or its first layers, on one tile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.transform.onnx.walk import attributes, constants, ends
from core.transform.tiles.rules import NORM, rules_of
from core.transform.tiles.windows import AxisStep, Piece, Window

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

Pieces = tuple[Piece | None, ...]


class LayeredGraph:
    """The nodes of a graph in order, each with its rules for height and width. Raises: TransformError."""

    def __init__(self, model: ModelProto) -> None:
        self.known = constants(model.graph)
        self.nodes = [node for node in model.graph.node if node.output[0] not in self.known]
        source, result = ends(model)
        self.source, self.result = source.name, result.name
        self.opset = model.opset_import
        self.ir_version = max(4, model.ir_version)
        rules = [rules_of(number, node, self.known) for number, node in enumerate(self.nodes, 1)]
        self.axes = tuple(
            tuple(
                AxisStep(pair[axis], tuple(self.tensors(node)), node.output[0])
                for pair, node in zip(rules, self.nodes, strict=True)
            )
            for axis in (0, 1)
        )
        self.norms = [node for node in self.nodes if node.op_type == NORM]

    def tensors(self, node: NodeProto) -> list[str]:
        """The node's inputs that are not constants."""
        return [name for name in node.input if name and name not in self.known]

    def part(self, target: str, plans: tuple[Pieces, Pieces], frozen: Sequence[str]) -> bytes:
        """A serialised model that computes a window of the tensor ``target`` from a window of the picture.

        frozen: outputs of norms whose statistics are known. These are inputs of the model, named
        '<output>/mean' and '<output>/factor', of shape (1, C, 1, 1).
        """
        from onnx import TensorProto, helper

        builder = _PartBuilder(self, frozenset(frozen))
        for node, rows, columns in zip(self.nodes, *plans, strict=True):
            if rows is not None and columns is not None:
                builder.add(node, rows, columns)
        inputs = [self.source, *builder.statistics]
        graph = helper.make_graph(
            builder.nodes,
            "tile",
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in inputs],
            [helper.make_tensor_value_info(builder.names.get(target, target), TensorProto.FLOAT, None)],
            builder.stored,
        )
        model = helper.make_model(graph, opset_imports=self.opset, ir_version=self.ir_version)
        return bytes(model.SerializeToString())


@dataclass
class _PartBuilder:
    graph: LayeredGraph
    frozen: frozenset[str]
    nodes: list[NodeProto] = field(default_factory=list)
    stored: list[TensorProto] = field(default_factory=list)
    statistics: list[str] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)  # the current part of each tensor
    _kept: set[str] = field(default_factory=set)

    def add(self, node: NodeProto, rows: Piece, columns: Piece) -> None:
        """Append the node, applied to the parts of its inputs that it needs."""
        tensors = self.graph.tensors(node)
        local = {
            name: self._trimmed(self.names.get(name, name), down, across)
            for name, down, across in zip(tensors, rows.trims, columns.trims, strict=True)
        }
        inputs = [local.get(name, name) for name in node.input]
        for name in node.input:
            if name in self.graph.known:
                self._keep(name, self.graph.known[name])
        x = self._placed(node, inputs, rows, columns)
        self.names[node.output[0]] = self._trimmed(x, rows.cut, columns.cut)

    def _placed(self, node: NodeProto, inputs: list[str], rows: Piece, columns: Piece) -> str:
        pads = [rows.pads[0], columns.pads[0], rows.pads[1], columns.pads[1]]
        if node.op_type == "Slice":
            return inputs[0]
        if node.op_type == NORM:
            return self._normalised(node, inputs[0])
        if node.op_type == "Pad":
            return self._padded(node, inputs, pads)
        given = {k: v for k, v in attributes(node).items() if k != "auto_pad"}
        if node.op_type in ("Conv", "ConvTranspose"):
            given["pads"] = pads
        if node.op_type == "ConvTranspose":
            given["output_padding"] = [rows.output_padding, columns.output_padding]
        return self._node(node.op_type, inputs, node.output[0], **given)

    def _padded(self, node: NodeProto, inputs: list[str], pads: list[int]) -> str:
        top, left, bottom, right = pads
        if not any(pads):
            return inputs[0]
        values = np.array([0, 0, top, left, 0, 0, bottom, right], np.int64)
        widths = self._keep(f"{node.output[0]}/pads", values)
        mode = attributes(node).get("mode", b"constant").decode()
        return self._node("Pad", [inputs[0], widths, *inputs[2:3]], node.output[0], mode=mode)

    def _normalised(self, node: NodeProto, x: str) -> str:
        """Append (x - mean) factor + shift, with mean and factor of the whole picture."""
        name = node.output[0]
        mean, factor = f"{name}/mean", f"{name}/factor"
        assert name in self.frozen
        self.statistics += [mean, factor]
        shift = self._keep(f"{name}/shift", self.graph.known[node.input[2]].reshape(1, -1, 1, 1))
        centred = self._node("Sub", [x, mean], f"{name}/centred")
        return self._node("Add", [self._node("Mul", [centred, factor], f"{name}/scaled"), shift], name)

    def _trimmed(self, x: str, down: Window | None, across: Window | None) -> str:
        """Cut rows and columns, each (offset, length), out of a tensor; None keeps all."""
        parts = [(axis, part) for axis, part in ((2, down), (3, across)) if part is not None]
        if not parts:
            return x
        bounds = {
            "starts": [part[0] for _, part in parts],
            "ends": [sum(part) for _, part in parts],
            "axes": [axis for axis, _ in parts],
        }
        stored = [
            self._keep(f"{what}_{values}", np.array(values, np.int64)) for what, values in bounds.items()
        ]
        return self._node("Slice", [x, *stored], f"{x}/{parts}")

    def _node(self, operator: str, inputs: list[str], name: str, **given: Any) -> str:
        from onnx import helper

        if all(node.output[0] != name for node in self.nodes):
            self.nodes.append(helper.make_node(operator, inputs, [name], **given))
        return name

    def _keep(self, name: str, values: NDArray[Any]) -> str:
        from onnx import numpy_helper

        if name not in self._kept:
            self._kept.add(name)
            self.stored.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name
