"""Values that depend on parameters alone."""

from __future__ import annotations

import torch
from torch import Tensor, fx

from methods.graph.ir import Graph


def value_of(graph: Graph, node: object) -> Tensor:
    """The value of a node that depends on parameters alone; no gradients."""
    assert isinstance(node, fx.Node)
    if node.op == "get_attr":
        return graph.tensor(str(node.target)).detach()
    with torch.no_grad():
        args, kwargs = fx.map_arg((node.args, node.kwargs), lambda n: value_of(graph, n))
        value: Tensor = node.target(*args, **kwargs)  # type: ignore[operator]
    return value
