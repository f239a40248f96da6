"""Rewrites parts of a graph that work for one picture size only, so that they work for any size.

- transposed convolution with a fixed output size,
- instance normalisation written as single operators, with a fixed number of pictures,
- enlargement by repeating pixels, written as Reshape and Concat with fixed shapes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.errors import TransformError
from core.transform.onnx.walk import attributes, constants

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto


class Pattern:
    """Looks up the node that produces a tensor, and constant tensors."""

    def __init__(self, graph: GraphProto) -> None:
        self.producers = {name: node for node in graph.node for name in node.output}
        self.known = constants(graph)

    def maker(self, name: str, operator: str) -> NodeProto | None:
        """The node that produces a tensor, if it has this operator."""
        node = self.producers.get(name)
        return node if node is not None and node.op_type == operator else None

    def split(self, node: NodeProto) -> tuple[str, NDArray[Any]] | None:
        """(tensor, constant) of a node with two inputs; None if it has not one of each."""
        if len(node.input) == 2:
            for x, other in (node.input, reversed(node.input)):
                if other in self.known and x not in self.known:
                    return x, self.known[other]
        return None


def free_sizes(graph: GraphProto) -> list[str]:
    """Rewrite the graph in place and return a sentence for each kind of change. Raises: TransformError."""
    counts = (
        (_free_transposed_convolutions(graph), "ConvTranspose nodes changed from one size to any size"),
        (_free_flattenings(graph), "Reshape nodes changed from one picture to any number"),
        (_free_enlargements(graph), "enlargements for one size replaced by Resize"),
        (_drop_multiplications_by_1(graph), "multiplications by 1 removed"),
    )
    return [f"{count} {sentence}" for count, sentence in counts if count]


def _free_transposed_convolutions(graph: GraphProto) -> int:
    """Replace a fixed output size by output padding: the pixels beyond the smallest possible size."""
    from onnx import helper

    count, known = 0, constants(graph)
    for node in graph.node:
        given = attributes(node)
        if node.op_type != "ConvTranspose" or "output_shape" not in given:
            continue
        if given.get("auto_pad", b"NOTSET") != b"VALID":
            raise TransformError(
                f"node '{node.name or node.output[0]}' (ConvTranspose) derives its padding from a fixed "
                "output size; export the network with explicit padding"
            )
        kernel, strides = known[node.input[1]].shape[2:], given.get("strides", [1, 1])
        shape = given["output_shape"][-2:]
        added = [(size - k) % s for size, k, s in zip(shape, kernel, strides, strict=True)]
        kept = {name: value for name, value in given.items() if name not in ("auto_pad", "output_shape")}
        fresh = helper.make_node(
            "ConvTranspose", node.input, node.output, **{**kept, "pads": [0] * 4, "output_padding": added}
        )
        node.CopyFrom(fresh)
        count += 1
    return count


def _free_flattenings(graph: GraphProto) -> int:
    """Replace the Reshape target (1, C, 1, -1), used in instance normalisation, by (0, 0, 1, -1).

    0 keeps the input's size. The arithmetic and the results do not change.
    """
    known, count = constants(graph), 0
    for node in graph.node:
        shape = known.get(node.input[1]) if node.op_type == "Reshape" else None
        if shape is None or node.input[0] in known or len(shape) != 4:
            continue
        if shape[0] == 1 and shape[1] > 0 and list(shape[2:]) == [1, -1]:
            node.input[1] = _stored(graph, np.array([0, 0, 1, -1], np.int64), f"{node.output[0]}_shape")
            count += 1
    return count


def _free_enlargements(graph: GraphProto) -> int:
    """Replace pixel repetition by Reshape and Concat with Resize; remove the nodes no longer used."""
    pattern = Pattern(graph)
    found = {node.output[0]: _enlarged(graph, pattern, node) for node in graph.node}
    nodes = [found[node.output[0]] or node for node in graph.node]
    _keep(graph, nodes)
    return sum(node is not None for node in found.values())


def _keep(graph: GraphProto, nodes: list[NodeProto]) -> None:
    """Reduce the graph to those of ``nodes`` that the output depends on, in their order."""
    wanted, kept = {item.name for item in graph.output}, []
    for node in reversed(nodes):
        if wanted.intersection(node.output):
            wanted.update(node.input)
            kept.append(node)
    kept.reverse()
    del graph.node[:]
    graph.node.extend(kept)


def _enlarged(graph: GraphProto, pattern: Pattern, node: NodeProto) -> NodeProto | None:
    """A Resize in place of Reshape (-1, 1), Concat, Reshape (-1, width), Concat, Reshape; None if not found.

    Each Concat doubles its input, so that every pixel is repeated four times.
    """
    from onnx import helper

    x, shapes = node.output[0], []
    for operator in ("Reshape", "Concat", "Reshape", "Concat", "Reshape"):
        made = pattern.maker(x, operator)
        if made is None or (operator == "Concat" and not _doubles(made)):
            return None
        if operator == "Reshape":
            shapes.append(pattern.known.get(made.input[1], np.zeros(0)))
        x = made.input[0]
    last, rows, column = (list(shape) for shape in shapes)
    if len(last) != 4 or column != [-1, 1] or len(rows) != 2 or rows[1] != last[3]:
        return None
    scales = _stored(graph, np.array([1, 1, 2, 2], np.float32), f"{node.output[0]}_scales")
    return helper.make_node(
        "Resize",
        [x, "", scales],
        node.output,
        name=node.output[0],
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )


def _doubles(node: NodeProto) -> bool:
    return len(node.input) == 2 and node.input[0] == node.input[1] and attributes(node).get("axis") == 1


def _drop_multiplications_by_1(graph: GraphProto) -> int:
    pattern, count = Pattern(graph), 0
    for node in graph.node:
        parts = pattern.split(node) if node.op_type == "Mul" else None
        if parts is not None and np.all(parts[1] == 1) and _is_per_channel(parts[1]):
            turn_into_identity(node, pattern.known)
            count += 1
    drop_identities(graph)
    return count


def _is_per_channel(values: NDArray[Any]) -> bool:
    """Whether a factor has neither height nor width, so that the product has the picture's shape."""
    return values.size == 1 or (values.ndim in (3, 4) and values.shape[-2:] == (1, 1))


def turn_into_identity(node: NodeProto, known: dict[str, NDArray[Any]]) -> None:
    """Replace the node by the identity of its one input that is not a constant."""
    from onnx import helper

    x = next(name for name in node.input if name not in known)
    node.CopyFrom(helper.make_node("Identity", [x], node.output))


def drop_identities(graph: GraphProto) -> None:
    """Remove Identity nodes; the graph's input and output keep their names."""
    outputs = {item.name for item in graph.output}
    for node in [node for node in graph.node if node.op_type == "Identity"]:
        old, new = node.output[0], node.input[0]
        if old in outputs:
            old, new = new, old
        graph.node.remove(node)
        for other in graph.node:
            other.input[:] = [new if name == old else name for name in other.input]
            other.output[:] = [new if name == old else name for name in other.output]


def _stored(graph: GraphProto, values: NDArray[Any], name: str) -> str:
    from onnx import numpy_helper

    graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(values.reshape(-1)), name))
    return name
