"""What onnxruntime makes of a network: the nodes of its own optimised graph, each as a model of one node.

The runtime fuses operators and changes layouts before it runs, so that only these nodes, layout changes included,
add up to the network's latency. Real shapes and types come from one run with every activation exposed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from hwmodels.base import UnsupportedOp
from hwmodels.profilers.channel import Reply
from hwmodels.profilers.runtime_node import RuntimeNode
from hwmodels.profilers.runtimes.onnxruntime import MASKED, is_index
from hwmodels.profilers.signatures import masked_share, op_type, signature

VIEWS = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity"})
"""Operators that cost a copy where they make the network's output, and nothing inside it."""

Values = Mapping[str, NDArray[Any]]


Look = Callable[[str, bytes], Reply]
"""Asks the runtime for something of a program: `optimised` or `values`."""


def runtime_nodes(program: bytes, look: Look, threads: int, known: Collection[str] = ()) -> list[RuntimeNode]:
    """The nodes that onnxruntime executes for an ONNX program, in order, with models for keys not in `known`.

    Raises UnsupportedOp for control flow and for activations that aren't tensors.
    """
    optimised = onnx.load_model_from_string(look("optimised", program)[1][0])
    _refuse_control_flow(optimised)
    values = _values(*look("values", _exposed(optimised)))
    return list(_nodes(optimised, values, threads, set(known)))


def _refuse_control_flow(optimised: Any) -> None:
    """How long If, Loop and Scan take depends on the data, and their bodies read activations from outside."""
    for node in optimised.graph.node:
        if any(a.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS) for a in node.attribute):
            raise UnsupportedOp(f"{op_type(node)} ({node.output[0]}) holds a graph of its own and can't be timed alone")


def _exposed(optimised: Any) -> bytes:
    """The program with every activation among its outputs."""
    outputs = optimised.graph.output
    own = len(outputs)
    present = {output.name for output in outputs}
    outputs.extend(
        onnx.ValueInfoProto(name=n) for x in optimised.graph.node for n in x.output if n and n not in present
    )
    program = bytes(optimised.SerializeToString())
    del outputs[own:]
    return program


def _values(told: Mapping[str, Any], blobs: Sequence[bytes]) -> dict[str, NDArray[Any]]:
    """Every activation of one run, inputs included; those that are neither indices nor masked as zeros that take no
    memory."""
    left = iter(blobs)
    return {value["name"]: _value(value, left) for value in told["values"]}


def _value(told: Mapping[str, Any], left: Iterator[bytes]) -> NDArray[Any]:
    kind, shape = np.dtype(told["dtype"]), tuple(told["shape"])
    if told["index"]:
        return np.frombuffer(next(left), kind).reshape(shape)
    if told["masked"]:
        bits = np.unpackbits(np.frombuffer(next(left), np.uint8), count=prod(shape)).reshape(shape)
        scores = np.random.default_rng(0).standard_normal(shape)
        return np.where(bits, 10 * MASKED, scores).astype(kind)
    return np.broadcast_to(np.zeros((), kind), shape)


def _nodes(optimised: Any, values: Values, threads: int, known: set[str]) -> Iterator[RuntimeNode]:
    constants = {tensor.name: tensor for tensor in optimised.graph.initializer}
    final = {output.name for output in optimised.graph.output}
    versions = {opset.domain: opset.version for opset in optimised.opset_import}
    for node in optimised.graph.node:
        view = node.op_type in VIEWS and not node.domain and node.output[0] not in final
        settings = f"opset={versions[node.domain]} threads={threads}" + (" view" if view else "")
        text = signature(node, values, constants, settings)
        found = RuntimeNode(_name(node), op_type(node), text)
        if found.key not in known:
            known.add(found.key)
            found = RuntimeNode(found.name, found.op_type, text, _alone(node, values, constants, optimised, view))
        yield found


def _name(node: Any) -> str:
    """The activation that the node computes: layout changes rename outputs but keep the old name in the node's own."""
    return str(node.name).partition("_nchwc")[0] if "_nchwc" in node.name else str(node.output[0])


def _alone(node: Any, values: Values, constants: Mapping[str, Any], optimised: Any, view: bool) -> bytes:
    """The node as a model; a view is read by a Shape, so that it stays a view as it is inside the network."""
    names = [name for name in dict.fromkeys(node.input) if name]
    free = [name for name in names if name not in constants]
    fixed = [constants[name] for name in names if name in constants]
    fixed += [numpy_helper.from_array(values[name], name) for name in free if is_index(values[name])]
    fixed += [numpy_helper.from_array(values[name], name) for name in free if masked_share(node, values)]
    outputs = [name for name in node.output if name]
    nodes = [node]
    if view:
        outputs = [f"{node.output[0]}:shape"]
        nodes.append(helper.make_node("Shape", [node.output[0]], outputs))
    graph = helper.make_graph(
        nodes,
        "node",
        [_info(name, values[name]) for name in free],
        [onnx.ValueInfoProto(name=n) for n in outputs],
        fixed,
    )
    model = onnx.ModelProto(ir_version=optimised.ir_version, graph=graph)
    model.opset_import.extend(optimised.opset_import)
    return bytes(model.SerializeToString())


def _info(name: str, value: NDArray[Any]) -> Any:
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)
