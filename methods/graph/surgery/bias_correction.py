"""Bias correction: rounding weights shifts the mean of what a layer computes; its bias takes the shift back.

Reference: Nagel et al., "Data-free quantization through weight equalization and bias correction", 2019, arXiv
1906.04721, section 4.2 and appendix D (means measured on data, layer by layer).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, fx

from methods.graph.ir import Graph, WeightUse
from methods.graph.nodes import argument
from methods.graph.observe import observe, step_through
from methods.graph.ops import kind_of
from methods.graph.surgery.forms import set_bias
from methods.graph.values import value_of


def correct_biases(graph: Graph, exact: Graph, uses: Sequence[WeightUse], inputs: tuple[Tensor, ...]) -> None:
    """Moves the biases of these layers, in order, so that each channel has the mean that it has in `exact`.

    `exact` is the graph before rounding, with the same node names. `inputs` are the samples (`[n, ...]` each).
    """
    for use in uses:
        if argument(use.node, "bias") is None:
            set_bias(graph, use, torch.zeros(value_of(graph, use.node.args[1]).shape[0]))
    graph.module.recompile()
    names = [use.node.name for use in uses]
    targets = _means(exact, names, inputs)
    step_through(graph, inputs, before={use.node.name: _shift(graph, use, targets[use.node.name]) for use in uses})


def _means(graph: Graph, names: Sequence[str], inputs: tuple[Tensor, ...]) -> dict[str, Tensor]:
    """Node name -> mean of its value for each channel."""
    sums: dict[str, Tensor] = {}
    count = len(inputs[0])
    for seen in observe(graph, inputs, names):
        for name, value in seen.items():
            part = _mean(graph.node(name), value) * len(value) / count
            sums[name] = sums[name] + part if name in sums else part
    return sums


def _shift(graph: Graph, use: WeightUse, target: Tensor) -> Callable[[Tensor], None]:
    """Told the layer's input, moves its bias by what the mean of its output is off."""
    bias = graph.tensor(str(argument(use.node, "bias").target))

    def correct(value: Tensor) -> None:
        rest = fx.map_arg(use.node.args[1:], lambda n: value_of(graph, n))
        output = use.node.target(value, *rest, **use.node.kwargs)  # type: ignore[operator]
        bias.add_(target - _mean(use.node, output))

    return correct


def _mean(node: fx.Node, value: Tensor) -> Tensor:
    axis = value.dim() - 1 if kind_of(node.target) == "linear" else 1
    return value.mean([a for a in range(value.dim()) if a != axis])
