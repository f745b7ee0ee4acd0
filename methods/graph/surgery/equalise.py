"""Cross-layer equalisation: neighbouring layers share out the ranges of their channels, so that one scale fits all.

Between two layers with nothing but a ReLU (or pooling) in between, a channel may be divided by any positive number in
the first and multiplied by it in the second: the network computes the same.

Reference: Nagel et al., "Data-free quantization through weight equalization and bias correction", 2019, arXiv
1906.04721, section 4.1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, fx

from methods.graph.ir import Graph, WeightUse, value_shapes
from methods.graph.nodes import argument, name_of
from methods.graph.surgery.forms import groups_of, is_full

ENTRIES = {"relu", "leaky_relu", "dropout", "clone", "contiguous", "alias", "detach"}
"""Operators on single numbers that commute with a positive factor."""
POOLS = {"max_pool1d", "max_pool2d", "avg_pool1d", "avg_pool2d", "adaptive_avg_pool1d", "adaptive_avg_pool2d"}
"""The same for channels on the second axis."""
FLATTENS = {"view", "reshape", "flatten"}
ROUNDS = 20
LIMIT = 1e-4
"""Rounds over all pairs, and the largest change of a factor at which they are settled."""
Shapes = Mapping[str, list[tuple[int, ...]]]
WIDEST = 1e4
"""Largest factor of one round."""


@dataclass(frozen=True)
class Pair:
    """Two layers, and how many inputs of the second each channel of the first has: more than 1 behind a flatten."""

    first: WeightUse
    second: WeightUse
    repeats: int = 1


def equalise(graph: Graph, uses: Sequence[WeightUse]) -> int:
    """Equalises all the pairs among these layers, in place; returns how many there are."""
    pairs = pairs_among(graph, uses)
    for _ in range(ROUNDS):
        if max((_balance(graph, pair) for pair in pairs), default=0.0) < LIMIT:
            break
    return len(pairs)


def pairs_among(graph: Graph, uses: Sequence[WeightUse]) -> list[Pair]:
    """The neighbours whose weights are parameters of their own, and whose channels meet one to one."""
    free = {use.node: use for use in uses if is_full(use) and _owns_bias(use)}
    shapes = value_shapes(graph, 1)
    found = [_pair(graph, use, free, shapes) for use in free.values()]
    return [pair for pair in found if pair is not None]


def _pair(graph: Graph, first: WeightUse, free: Mapping[fx.Node, WeightUse], shapes: Shapes) -> Pair | None:
    node, flat = first.node, False
    allowed = ENTRIES if name_of(node) == "linear" else ENTRIES | POOLS | FLATTENS
    while len(node.users) == 1:
        node = next(iter(node.users))
        if node in free:
            return _fitting(graph, first, free[node], flat)
        if name_of(node) not in allowed:
            return None
        if name_of(node) in FLATTENS:
            flat, allowed = True, ENTRIES
            if len(shapes[node.name][0]) != 2:
                return None
    return None


def _fitting(graph: Graph, first: WeightUse, second: WeightUse, flat: bool) -> Pair | None:
    """The pair, unless the second mixes channels in groups, or reads them in an order that isn't known."""
    channels, shape = len(graph.tensor(first.weight)), graph.tensor(second.weight).shape
    kinds = [name_of(use.node) for use in (first, second)]
    if kinds[1] == "linear":
        meets = flat or kinds[0] == "linear"
        return Pair(first, second, shape[1] // channels) if meets and shape[1] % channels == 0 else None
    if flat or kinds[0] != kinds[1]:
        return None
    depthwise = groups_of(second) == shape[0] == channels and shape[1] == 1
    return Pair(first, second) if depthwise or (groups_of(second) == 1 and shape[1] == channels) else None


def _owns_bias(use: WeightUse) -> bool:
    bias = argument(use.node, "bias")
    return bias is None or (bias.op == "get_attr" and len(bias.users) == 1)


def _balance(graph: Graph, pair: Pair) -> float:
    """One step for one pair; returns the largest change of a channel, as a logarithm."""
    first, second = (graph.tensor(use.weight) for use in (pair.first, pair.second))
    above, below = first.detach().flatten(1).abs().amax(1), _columns(pair, second.detach()).abs().amax(1)
    factors = (above / below).sqrt().clamp(1 / WIDEST, WIDEST)
    factors = torch.where((above > 0) & (below > 0), factors, torch.ones_like(factors))
    bias = argument(pair.first.node, "bias")
    with torch.no_grad():
        first.div_(factors.view(-1, *[1] * (first.dim() - 1)))
        if bias is not None:
            graph.tensor(str(bias.target)).div_(factors)
        second.mul_(_spread(pair, second, factors))
    return float(factors.log().abs().max())


def _columns(pair: Pair, weight: Tensor) -> Tensor:
    """The second layer's weight with a row for each channel of the first."""
    if _is_depthwise(pair, weight):
        return weight.flatten(1)
    return weight.transpose(0, 1).reshape(weight.shape[1] // pair.repeats, -1)


def _spread(pair: Pair, weight: Tensor, factors: Tensor) -> Tensor:
    """A factor for each channel of the first layer, in the shape that multiplies the second layer's weight."""
    if _is_depthwise(pair, weight):
        return factors.view(-1, *[1] * (weight.dim() - 1))
    return factors.repeat_interleave(pair.repeats).view(1, -1, *[1] * (weight.dim() - 2))


def _is_depthwise(pair: Pair, weight: Tensor) -> bool:
    return groups_of(pair.second) > 1 and weight.shape[1] == 1
