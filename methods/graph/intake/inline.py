"""A torch.export program as one flat graph: parameters by the model's own names, nested graphs put in place."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, fx

from methods.graph.ir import GraphError

INLINED = {"wrap_with_set_grad_enabled", "wrap_with_autocast", "tag_activation_checkpoint"}
INLINED |= {"wrap_activation_checkpoint", "hints_wrapper", "invoke_subgraph"}
"""Operators around a nested graph that may be left away: what is in it is computed all the same."""

aten = torch.ops.aten


def inline(program: Any, names: dict[str, str], inputs: list[str]) -> fx.Graph:
    """The program's graph.

    Args:
        program: a torch.export.ExportedProgram. names: what its signature calls a tensor -> the tensor's name here.
        inputs: names for its user inputs, in order.

    Raises GraphError, naming the operator, for control flow that can't be put in place.
    """
    graph = fx.Graph()
    new: dict[fx.Node, Any] = {}
    targets = {s.arg.name: s.target for s in program.graph_signature.input_specs if s.target is not None}
    waiting = iter(inputs)
    placeholders = [n for n in program.graph.nodes if n.op == "placeholder"]
    for node in placeholders:
        if node.name not in targets:
            new[node] = _traced(graph.placeholder(next(waiting)), node)
    for node in placeholders:
        if node.name in targets and node.users:
            new[node] = _traced(graph.create_node("get_attr", names[targets[node.name]]), node)
    outputs = _copy_calls(program.graph_module, graph, new)
    graph.output(tuple(v for v in outputs if isinstance(v, fx.Node)))
    return graph


def _copy_calls(module: fx.GraphModule, graph: fx.Graph, new: dict[fx.Node, Any]) -> list[Any]:
    """Copies the calls of a (nested) graph; gives its outputs."""
    for node in module.graph.nodes:
        if node.op == "output":
            found = fx.map_arg(node.args[0], lambda n: new[n])
            return list(found) if isinstance(found, list | tuple) else [found]
        if node.op == "call_function":
            new[node] = _call(module, graph, node, new)
    raise GraphError("the exported program has no output")


def _call(module: fx.GraphModule, graph: fx.Graph, node: fx.Node, new: dict[fx.Node, Any]) -> Any:
    target = node.target
    source = node.args[0] if node.args else None
    if getattr(target, "__name__", "") == "getitem" and isinstance(new.get(source), list):  # type: ignore[arg-type]
        return new[source][node.args[1]]  # type: ignore[index]
    if isinstance(target, torch._ops.HigherOrderOperator):
        return _nested(module, graph, node, new)
    return _traced(graph.node_copy(node, lambda n: new[n]), node)


def _traced(made: fx.Node, node: fx.Node) -> fx.Node:
    """The new node with the shapes that tracing found, and nothing else that it noted."""
    made.meta = {"val": node.meta["val"]} if "val" in node.meta else {}
    return made


def _nested(module: fx.GraphModule, graph: fx.Graph, node: fx.Node, new: dict[fx.Node, Any]) -> list[Any]:
    """The outputs of a nested graph that is put in place; without gradient they are detached."""
    name = str(getattr(node.target, "__name__", node.target))
    bodies = [a for a in node.args if isinstance(a, fx.Node) and a.op == "get_attr"]
    if name not in INLINED or len(bodies) != 1 or (name == "wrap_with_autocast" and _autocasts(node)):
        raise GraphError(
            f"operator {name} (node {node.name}) is not supported; write the branch or loop in tensor operators"
        )
    body = getattr(module, str(bodies[0].target))
    given = [new[a] for a in node.args[node.args.index(bodies[0]) + 1 :] if isinstance(a, fx.Node)]
    placeholders = [n for n in body.graph.nodes if n.op == "placeholder"]
    inner = dict(zip(placeholders, given, strict=False))
    outputs = _copy_calls(body, graph, inner)
    if name == "wrap_with_set_grad_enabled" and not node.args[0]:
        outputs = [graph.call_function(aten.detach.default, (v,)) if isinstance(v, fx.Node) else v for v in outputs]
    return outputs


def _autocasts(node: fx.Node) -> bool:
    """Whether a nested graph runs in lower precision, which its operators don't show."""
    return len(node.args) > 2 and bool(node.args[2])


def own_names(tensors: dict[str, Tensor]) -> dict[str, str]:
    """Name of each tensor -> the one name of all that are the same tensor (the first): weights stay tied."""
    first: dict[int, str] = {}
    return {name: first.setdefault(id(value), name) for name, value in tensors.items()}
