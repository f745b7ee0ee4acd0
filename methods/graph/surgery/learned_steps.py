"""Learned steps: quantisers whose scale training may change.

A scale stands in the graph as what it was set to, times a factor that starts at 1 and is a parameter: optimisers that
take steps of one size for everybody (Adam) then move small scales as carefully as large ones.

Reference: Esser et al., "Learned step size quantization", 2020, arXiv 1902.08153 (the gradient of a step,
and its factor).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod, sqrt

import torch
from torch import fx

from methods.graph.ir import Graph, value_shapes
from methods.graph.nodes import argument, name_of
from methods.graph.ops import TARGETS

FIXED = ("fake_quantize_per_tensor_affine", "fake_quantize_per_channel_affine")


def learn_steps(graph: Graph, quantisers: Sequence[fx.Node]) -> None:
    """Makes the scales of these quantisers trainable, in place. Quantisers of one value that was moved about in
    between, which have the same settings, keep one scale between them.
    """
    shapes = value_shapes(graph, 1)
    shared: dict[tuple[object, ...], tuple[fx.Node, fx.Node]] = {}
    for node in quantisers:
        channels = name_of(node) == FIXED[1]
        high = max(1, int(argument(node, "quant_max")))
        factor = 1.0 / sqrt(prod(shapes[node.name][0]) * high)
        key = (node.name,) if channels else tuple(node.args[1:])
        if key not in shared:
            shared[key] = _settings(graph, node, channels)
        rest = node.args[3:] if channels else node.args[3:5]
        name = f"aten._fake_quantize_learnable_per_{'channel' if channels else 'tensor'}_affine.default"
        with graph.module.graph.inserting_before(node):
            made = graph.module.graph.call_function(TARGETS[name], (node.args[0], *shared[key], *rest, factor))
        node.replace_all_uses_with(made)
        graph.module.graph.erase_node(node)


def _settings(graph: Graph, node: fx.Node, channels: bool) -> tuple[fx.Node, fx.Node]:
    """The nodes of scale and zero point; both must stand before whoever shares them."""
    if channels:
        scale, zero = (graph.tensor(str(argument(node, a).target)) for a in ("scale", "zero_point"))
        stem = str(argument(node, "scale").target).removesuffix("_scale")
    else:
        scale, zero = torch.tensor([float(node.args[1])]), torch.tensor([float(node.args[2])])  # type: ignore[arg-type]
        stem = node.all_input_nodes[0].name
    names = [f"{stem}_{part}" for part in ("scale", "step", "zero_point")]
    graph.set_tensor(names[0], scale.clone(), trainable=False)
    graph.set_tensor(names[1], torch.ones_like(scale), trainable=True)
    graph.set_tensor(names[2], zero.float(), trainable=False)
    with graph.module.graph.inserting_before(node):
        base, step, point = (graph.module.graph.get_attr(name) for name in names)
        return graph.module.graph.call_function(TARGETS["aten.mul.Tensor"], (step, base)), point
