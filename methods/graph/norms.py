"""Batch normalisations: which nodes hold running statistics, what they do to a channel, and measuring them anew."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import torch
from torch import Tensor, fx

from methods.graph.ir import Graph
from methods.graph.observe import batches
from methods.graph.ops import kind_of

MEAN, VARIANCE, TRAINING, MOMENTUM = 3, 4, 5, 6
"""Positions of ATen batch_norm's arguments."""


def norms_of(graph: Graph) -> list[fx.Node]:
    """The batch normalisations that keep running statistics."""
    return [n for n in graph.nodes if kind_of(n.target) == "batch_norm" and isinstance(n.args[MEAN], fx.Node)]


def scale_and_shift(graph: Graph, norm: fx.Node) -> tuple[Tensor, Tensor]:
    """What a batch normalisation does to each channel in evaluation mode: `[channels]` factors and offsets."""

    def tensor(position: int) -> Tensor | None:
        value = norm.args[position]
        return graph.tensor(str(value.target)).detach() if isinstance(value, fx.Node) else None

    gamma, beta, mean, variance = (tensor(i) for i in range(1, 5))
    assert mean is not None
    assert variance is not None
    scale = (variance + float(norm.args[7])).rsqrt()  # type: ignore[arg-type]
    scale = scale if gamma is None else scale * gamma
    shift = -mean * scale
    return scale, shift if beta is None else shift + beta


def measure_statistics(graph: Graph, inputs: tuple[Tensor, ...], size: int) -> None:
    """Replaces running means and variances by their average over batches of `size`; changes `graph` itself.

    Everything else runs in evaluation mode. A last batch that is smaller is left out, where it isn't the only one.
    """
    norms = norms_of(graph)
    before = {node: node.args[TRAINING : MOMENTUM + 1] for node in norms}
    _set(graph, dict.fromkeys(norms, (True, 1.0)))
    sums: dict[str, Tensor] = defaultdict(lambda: torch.zeros(()))
    count = 0
    with torch.no_grad():
        for batch in batches(inputs, size):
            if count and len(batch[0]) < size:
                continue
            graph(*batch)
            count += 1
            for name in {str(n.args[place].target) for n in norms for place in (MEAN, VARIANCE)}:  # type: ignore[union-attr]
                sums[name] = sums[name] + graph.tensor(name)
    for name, total in sums.items():
        graph.tensor(name).copy_(total / count)
    _set(graph, before)


def _set(graph: Graph, values: Mapping[fx.Node, tuple[object, ...]]) -> None:
    for node, (training, momentum) in values.items():
        node.update_arg(TRAINING, training)  # type: ignore[arg-type]
        node.update_arg(MOMENTUM, momentum)  # type: ignore[arg-type]
    graph.module.recompile()
