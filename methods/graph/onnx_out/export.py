"""export: a Graph becomes an ONNX file that computes the same, checked against the graph.

Own translation instead of torch's: it takes milliseconds, so that every candidate can be lowered by the runtime that
will run it, and quantisers become QuantizeLinear / DequantizeLinear pairs where the runtime fuses them.
"""

from __future__ import annotations

from typing import Any

import onnx
import torch
from onnx import helper
from torch import fx

from methods.graph.ir import Graph, first_line
from methods.graph.onnx_out.check import check_export, differences
from methods.graph.onnx_out.emitter import Emitter, Translator
from methods.graph.onnx_out.move import picked
from methods.graph.onnx_out.ops import ALTERNATIVES, name_of, translator_of
from methods.graph.onnx_out.types import ExportError, element, inner
from methods.graph.ops import kind_of
from methods.graph.surgery.settle import settled

__all__ = ["BATCH", "OPSET", "ExportError", "check_export", "differences", "export"]

OPSET = 20
BATCH = "N"
"""Name of the free batch dimension in exported files."""

FLOATS = ("conv", "conv_transpose", "linear", "pool")
"""Kinds of operators that onnxruntime has no kernels for whole numbers for."""


def export(graph: Graph) -> bytes:
    """The graph in evaluation mode as ONNX bytes; the first axis of inputs and outputs is the free dimension N.

    Raises:
        ExportError: an operator has no ONNX form here, or the weights are larger than a file can hold; the message
            names the node and what would do instead.
    """
    graph = settled(graph)
    emitter = Emitter(graph)
    specs = iter(graph.inputs)
    ends: list[fx.Node] = []
    for node in graph.nodes:
        if node.op == "placeholder":
            _enter(emitter, node, next(specs).name)
        elif node.op == "output":
            ends = list(node.args[0])  # type: ignore[arg-type]
        elif node.op == "call_function" and node not in emitter.constants:
            emitter.names[node] = _translated(emitter, node)
    return _model(emitter, ends)


def _enter(emitter: Emitter, node: fx.Node, name: str) -> None:
    """An input, cast to the type that it has inside."""
    dtype = emitter.dtype(node)
    emitter.raw[node] = emitter.names[node] = name
    if inner(dtype) != dtype:
        cast = emitter.emit_all("Cast", [name], [f"{name}/cast"], to=element(inner(dtype)))
        emitter.names[node] = cast[0]


def _translated(emitter: Emitter, node: fx.Node) -> Any:
    emitter.writing = node.name
    if kind_of(node.target) == "getitem":
        return picked(emitter, node)
    translate = translator_of(node)
    if translate is None:
        name = name_of(node)
        instead = ALTERNATIVES.get(name.split(".")[0], "rewrite it with operators that have one")
        raise ExportError(f"node {node.name}: operator {name} has no ONNX form here; {instead}")
    try:
        return _lifted(emitter, node, translate) if _needs_floats(emitter, node) else translate(emitter, node)
    except ExportError as error:
        raise error if node.name in str(error) else ExportError(f"node {node.name} ({node.target}): {error}") from error
    except (ValueError, TypeError, IndexError, KeyError, AttributeError, RuntimeError) as error:
        raise ExportError(
            f"node {node.name} ({node.target}) could not be written in ONNX with these arguments: {first_line(error)}"
        ) from error


def _needs_floats(emitter: Emitter, node: fx.Node) -> bool:
    """Whether runtimes have the operator for floats alone and the network has whole numbers there."""
    named = kind_of(node.target) in FLOATS or "_pool" in str(node.target)
    return named and not emitter.dtype(node).is_floating_point


def _lifted(emitter: Emitter, node: fx.Node, translate: Translator) -> Any:
    """An operator on whole numbers, written in floats (exact up to 2^24) and cast back."""
    emitter.lifted = node
    made = translate(emitter, node)
    emitter.lifted = None
    if isinstance(made, str):
        return emitter.cast(made, torch.float32, emitter.dtype(node), node)
    return [emitter.cast(made[0], torch.float32, emitter.dtype(node)), *made[1:]]


def _model(emitter: Emitter, ends: list[fx.Node]) -> bytes:
    graph = emitter.graph
    inputs = [
        helper.make_tensor_value_info(s.name, element(getattr(torch, s.dtype)), [BATCH, *s.shape]) for s in graph.inputs
    ]
    outputs = [_leave(emitter, node, name) for node, name in zip(ends, _output_names(graph), strict=True)]
    nodes = _needed(emitter.nodes, {o.name for o in outputs})
    read = {name for node in nodes for name in node.input}
    tensors = [t for t in emitter.initializers if t.name in read]
    body = helper.make_graph(nodes, "fitwright", inputs, outputs, tensors)
    domains = sorted({node.domain for node in nodes} - {""})
    opsets = [helper.make_opsetid("", OPSET), *(helper.make_opsetid(domain, 1) for domain in domains)]
    model = helper.make_model(body, opset_imports=opsets, producer_name="fitwright")
    model.ir_version = 10
    data: bytes = model.SerializeToString()
    return data


def _output_names(graph: Graph) -> list[str]:
    """Names of the outputs, none of them an input's."""
    taken = {spec.name for spec in graph.inputs}
    return [f"{name}_out" if name in taken else name for name in graph.output_names]


def _leave(emitter: Emitter, node: fx.Node, name: str) -> onnx.ValueInfoProto:
    """An output under its name, cast to the type that the network gives."""
    dtype, value = emitter.dtype(node), emitter.value(node)
    if inner(dtype) == dtype:
        emitter.emit_all("Identity", [value], [name])
    else:
        emitter.emit_all("Cast", [value], [name], to=element(dtype))
    shape = [BATCH if size == -1 else (None if size < 0 else size) for size in emitter.shape(node)]
    return helper.make_tensor_value_info(name, element(dtype), shape)


def _needed(nodes: list[onnx.NodeProto], wanted: set[str]) -> list[onnx.NodeProto]:
    """The nodes that the outputs depend on."""
    kept = []
    for node in reversed(nodes):
        if wanted & set(node.output):
            kept.append(node)
            wanted |= set(node.input)
    return kept[::-1]
