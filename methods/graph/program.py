"""program_for: a Graph in the form in which a device's runtime is given networks to run and to time.

ONNX, or a program of torch.export with its batch fixed. Compilers of such programs have no kernels for codebooks,
levels and steps of weights: what they execute is the weights that these stand for, so those are written out. Rounding
of activations would make integer kernels elsewhere; here there are none, and it is refused.
"""

from __future__ import annotations

import io

import torch
from torch import Tensor, fx

from hwmodels.base import UnsupportedOp
from hwmodels.device import Device
from methods.graph.ir import Graph, GraphError, first_line
from methods.graph.nodes import name_of
from methods.graph.onnx_out.export import export
from methods.graph.ops import kind_of
from methods.graph.surgery.settle import settled
from methods.graph.values import value_of

ROUNDING = ("quantize", "snap")


def program_for(graph: Graph, device: Device) -> bytes:
    """The graph in evaluation mode as bytes in the device's form (`Device.form`).

    Raises:
        UnsupportedOp: the graph rounds activations and the device's runtime has no integer kernels; the node is named.
        GraphError: an operator has no such form.
    """
    return _exported(graph, device) if device.form == "pt2" else export(graph)


def _exported(graph: Graph, device: Device) -> bytes:
    plain = written_out(settled(graph))
    for node in plain.nodes:
        if node.op == "call_function" and kind_of(node.target) in ROUNDING:
            raise UnsupportedOp(
                f"{node.name} ({name_of(node)}) rounds activations, and {device.id} has no integer kernels: it "
                f"computes in {', '.join(device.precisions)}; leave the layer in fp32, or round its weights alone"
            )
    try:
        with torch.no_grad():
            program = torch.export.export(plain.module, plain.example(device.batch), strict=False)
        buffer = io.BytesIO()
        torch.export.save(program, buffer)
    except Exception as error:  # torch's exporter raises errors of many kinds, none of them with a common base
        raise GraphError(f"torch.export has no program for the network: {first_line(error)}") from error
    return buffer.getvalue()


def written_out(graph: Graph) -> Graph:
    """A graph whose weights are full tensors: what parameters alone lead to is computed once and stands there."""
    result = graph.clone()
    constant: set[fx.Node] = set()
    for node in result.nodes:
        inputs = node.all_input_nodes
        if node.op == "get_attr" or (node.op == "call_function" and inputs and constant.issuperset(inputs)):
            constant.add(node)
    for node in result.nodes:
        if node in constant and node.op == "call_function" and not constant.issuperset(node.users):
            _write_out(result, node)
    result.remove_unused()
    return result


def _write_out(graph: Graph, node: fx.Node) -> None:
    """Puts the value of a node in its place; lists and sizes stay as they are."""
    value = value_of(graph, node)
    if not isinstance(value, Tensor):
        return
    name = f"{node.name}_value"
    graph.set_tensor(name, value, trainable=False)
    with graph.module.graph.inserting_before(node):
        fixed = graph.module.graph.get_attr(name)
    node.replace_all_uses_with(fixed)
