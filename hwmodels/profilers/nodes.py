"""What onnxruntime makes of a network: the nodes of its own optimised graph, each as a model of one node.

The runtime fuses operators and changes layouts before it runs, so that only these nodes, layout changes included,
add up to the network's latency. Real shapes and types come from one run with every activation exposed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from hwmodels.base import UnsupportedOp
from hwmodels.profilers.runtime_node import RuntimeNode
from hwmodels.profilers.sessions import open_session, sample_inputs
from hwmodels.profilers.signatures import op_type, signature

VIEWS = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity"})
"""Operators that cost a copy where they make the network's output, and nothing inside it."""

Values = Mapping[str, NDArray[Any]]


def runtime_nodes(program: bytes, batch: int, threads: int, known: Collection[str] = ()) -> list[RuntimeNode]:
    """The nodes that onnxruntime executes for an ONNX program, in order, with models for keys not in `known`.

    Raises UnsupportedOp for control flow and for activations that aren't tensors.
    """
    optimised = _optimised(program, batch, threads)
    _refuse_control_flow(optimised)
    values = _run_exposed(optimised, batch, threads)
    return list(_nodes(optimised, values, threads, set(known)))


def _optimised(program: bytes, batch: int, threads: int) -> Any:
    with tempfile.TemporaryDirectory(prefix="fitwright-") as folder:
        path = Path(folder) / "optimised.onnx"
        open_session(program, batch, threads, optimise=True, save_to=str(path))
        return onnx.load_model(str(path), load_external_data=False)


def _refuse_control_flow(optimised: Any) -> None:
    """How long If, Loop and Scan take depends on the data, and their bodies read activations from outside."""
    for node in optimised.graph.node:
        if any(a.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS) for a in node.attribute):
            raise UnsupportedOp(f"{op_type(node)} ({node.output[0]}) holds a graph of its own and can't be timed alone")


def _run_exposed(optimised: Any, batch: int, threads: int) -> dict[str, NDArray[Any]]:
    """Every activation of one run, inputs included."""
    outputs = optimised.graph.output
    own = len(outputs)
    present = {output.name for output in outputs}
    outputs.extend(
        onnx.ValueInfoProto(name=n) for x in optimised.graph.node for n in x.output if n and n not in present
    )
    session = open_session(optimised.SerializeToString(), batch, threads, optimise=False)
    del outputs[own:]
    values = sample_inputs(session)
    names = [output.name for output in session.get_outputs()]
    results = dict(zip(names, session.run(names, values)))
    for name, value in results.items():
        if not isinstance(value, np.ndarray):
            raise UnsupportedOp(f"activation {name} is a {type(value).__name__}; only tensors can be measured")
    return values | results


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
    fixed += [numpy_helper.from_array(values[name], name) for name in free if _is_index(values[name])]
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


def _is_index(value: NDArray[Any]) -> bool:
    """Indices, shapes and masks keep the values they had as the input's default: made-up ones could be out of range."""
    return value.dtype.kind == "b" or (value.dtype.kind in "iu" and value.dtype.itemsize > 1)


def _info(name: str, value: NDArray[Any]) -> Any:
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)
