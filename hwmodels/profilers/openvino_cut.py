"""Cut: an ONNX program that is cut into pieces, each a program of its own.

OpenVINO tells the names of what its compiled graph computes, and gives no nodes that could be run. So the program is
cut at the activations that its nodes write; compiling a piece makes the same node again where its inputs come as the
node had them, in the layout and precision that the node before leaves them in.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from hwmodels.base import UnsupportedOp
from hwmodels.profilers.openvino_border import Border

PRIMER = 16
"""Numbers that the primer works on: see `primer`."""
STEP = np.float32(1 / 255)


class Cut:
    """A program by the places of its nodes."""

    def __init__(self, program: bytes) -> None:
        """Raises UnsupportedOp for control flow."""
        self.model = onnx.load_model_from_string(program)
        graph = self.model.graph
        _refuse_control_flow(graph.node)
        self.constants: Mapping[str, Any] = {tensor.name: tensor for tensor in graph.initializer}
        self.ends = {output.name for output in graph.output}
        self.places = {name: place for place, node in enumerate(graph.node) for name in node.output if name}

    def makers(self, names: Sequence[str]) -> list[list[str]]:
        """All outputs of each node that makes one of these activations, the last node first."""
        places = sorted({self.places[name] for name in names if name in self.places}, reverse=True)
        return [[str(name) for name in self.model.graph.node[place].output if name] for place in places]

    def behind(self, made: Sequence[str], borders: Collection[str]) -> list[Any]:
        """The nodes between the borders and the activations that are made, in order."""
        found: set[int] = set()
        waiting = list(made)
        while waiting:
            name = waiting.pop()
            place = self.places.get(name, -1)
            if place >= 0 and place not in found and (name in made or name not in borders):
                found.add(place)
                waiting += self.model.graph.node[place].input
        return [self.model.graph.node[place] for place in sorted(found)]

    def read(self, nodes: Sequence[Any]) -> list[str]:
        """The activations that these nodes read and don't make."""
        made = {name for node in nodes for name in node.output}
        names = dict.fromkeys(name for node in nodes for name in node.input if name)
        return [name for name in names if name not in made and name not in self.constants]

    def alone(self, nodes: Sequence[Any], given: Sequence[Border], made: Sequence[Border]) -> bytes:
        """These nodes as a program, its inputs and outputs as they lie in memory, with the primer beside them."""
        inputs, before = entered(nodes, given)
        exits = [border.to_memory() for border in made]
        outputs = [border.info(name) for border, (name, _) in zip(made, exits)]
        return self.program([*before, *(node for _, part in exits for node in part)], inputs, outputs)

    def program(self, nodes: Sequence[Any], inputs: Sequence[Any], outputs: Sequence[Any], fixed: Any = ()) -> bytes:
        """Nodes as a program with the constants that they read, `fixed` beside them, and the primer."""
        used = dict.fromkeys(name for node in nodes for name in node.input if name in self.constants)
        constants = [*(self.constants[name] for name in used), *fixed]
        first = _PRIMERS[any(node.op_type == "DequantizeLinear" for node in nodes)]
        graph = helper.make_graph([*first.node, *nodes], "piece", [*first.input, *inputs], [])
        graph.output.extend([*first.output, *outputs])
        graph.initializer.extend([*first.initializer, *constants])
        model = onnx.ModelProto(ir_version=self.model.ir_version, graph=graph)
        model.opset_import.extend(self.model.opset_import)
        return bytes(model.SerializeToString())


def _refuse_control_flow(nodes: Sequence[Any]) -> None:
    """How long If, Loop and Scan take depends on the data."""
    for node in nodes:
        if any(a.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS) for a in node.attribute):
            raise UnsupportedOp(f"{node.op_type} ({node.output[0]}) holds a graph of its own and can't be timed alone")


def entered(nodes: Sequence[Any], given: Sequence[Border]) -> tuple[list[Any], list[Any]]:
    """The inputs that hold these activations as they lie in memory, and the nodes with what makes them of those."""
    inputs, found = [], list(nodes)
    for border in given:
        name, found = border.from_memory(found)
        inputs.append(border.info(name))
    return inputs, found


def primer(count: int, ends: Sequence[str] = (), codes: bool = False) -> bytes:
    """`count` tiny softmaxes in a row, and beside them a tiny operator for each of `ends` (`Softmax`, `Relu`).

    The first node of a call that asks for OpenVINO's threads, even for one, takes 1 to 2 us longer, once in a network
    and so once in each piece; and every input with its output takes 1.5 us of a call, 2.4 us where a convolution or a
    softmax reads it. With one softmax beside every piece, and as many ends taken off as the piece has, that time is
    part of the call, where it belongs.

    With `codes` the softmaxes go through codes and back, as beside pieces that decode some: OpenVINO computes with
    whole numbers only in a program that also makes some.
    """
    rows = [_row(["Softmax"] * count, "primer", codes), *(_row([kind], f"end{n}") for n, kind in enumerate(ends))]
    graph = helper.make_graph([node for row in rows for node in row.node], "primer", [], [])
    graph.input.extend(row.input[0] for row in rows)
    graph.output.extend(row.output[0] for row in rows)
    graph.initializer.extend(rows[0].initializer)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(model.SerializeToString())


def _row(kinds: Sequence[str], prefix: str, codes: bool = False) -> Any:
    """Tiny operators one behind the other, as a graph."""
    names = [f"{prefix}/{n}" for n in range(len(kinds) + 1)]
    nodes = [helper.make_node(kind, [x], [y]) for kind, x, y in zip(kinds, names, names[1:])]
    constants = []
    if codes:
        constants = [numpy_helper.from_array(np.array(v), f"{prefix}/{v.dtype}") for v in (STEP, np.uint8(0))]
        points, names = [tensor.name for tensor in constants], [names[0], f"{prefix}/codes", f"{prefix}/decoded"]
        nodes.append(helper.make_node("QuantizeLinear", [nodes[-1].output[0], *points], names[1:2]))
        nodes.append(helper.make_node("DequantizeLinear", [names[1], *points], names[2:]))
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, PRIMER)) for name in (names[0], names[-1])]
    return helper.make_graph(nodes, prefix, ends[:1], ends[1:], constants)


_PRIMERS = (_row(["Softmax"], "primer"), _row(["Softmax"], "primer", codes=True))
