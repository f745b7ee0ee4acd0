"""Least-squares reconstruction: compressed layers get the weights that best repeat what the teacher's layers wrote.

Layer by layer, in one pass, each with the inputs that the compressed network really gives it; some random positions
of each image are enough. Solved in closed form with a pull towards the present weights, no training.

Reference: He, Zhang and Sun, "Channel pruning for accelerating very deep neural networks", 2017, arXiv 1707.06168,
section 3.1; used for quick candidates by He et al., "AMC", 2018, arXiv 1802.03494. The last piece of a layer that
became several is repaired the same way (Zhang et al., 2015, arXiv 1505.06798, section 2.3).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, fx

from methods.base import Data
from methods.graph.ir import Graph, WeightUse
from methods.graph.observe import step_through
from methods.graph.ops import kind_of
from methods.graph.rows import Places, places_shape, read, written
from methods.graph.surgery.chains import is_last_piece, is_piece
from methods.graph.surgery.edit import kept_indices
from methods.graph.surgery.forms import groups_of, is_plain
from methods.graph.values import value_of

LAYERS = ("aten.linear.default", "aten.conv2d.default")
MOST_VALUES = 1 << 23
"""Input values looked at in all, to bound the memory; at least 32 samples."""


@dataclass(frozen=True)
class LeastSquares:
    """Acts on linear layers and ungrouped 2-D convolutions that lost inputs, or that are the last factor of a layer.

    Attributes:
        samples: how many samples are looked at. rows: how many places of a layer's output in all.
        pull: weight of staying as is, relative to the mean square of the inputs.
        most_inputs: layers with more inputs (channels times kernel) than this are left alone: the time grows with the
            cube of it.
    """

    samples: int = 1024
    rows: int = 8192
    pull: float = 1e-3
    most_inputs: int = 2500
    name: str = "least-squares"

    def recover(self, graph: Graph, teacher: Graph, data: Data, seed: int) -> Graph:
        """A new graph. Layers that the teacher doesn't have at the same site are left alone."""
        result = graph.clone()
        originals = {use.site: use for use in teacher.weight_uses()}
        pairs = [(u, originals[u.site]) for u in result.weight_uses() if u.site in originals and self._fits(result, u)]
        if not pairs or not len(data):
            return result
        each = int(data.inputs[0][0].numel())
        inputs = data.head(min(self.samples, max(32, MOST_VALUES // each))).inputs
        wanted = _Targets(self.rows, seed)
        step_through(teacher, inputs, after={o.node.name: partial(wanted.remember, o) for _, o in pairs})
        hooks = {use.node.name: partial(self._repair, result, use, wanted) for use, _ in pairs}
        step_through(result, inputs, before=hooks)
        return result

    def _fits(self, graph: Graph, use: WeightUse) -> bool:
        """Whether a layer can be solved for, and has anything to repair."""
        if not is_plain(use) or str(use.node.target) not in LAYERS or groups_of(use) != 1:
            return False
        inputs = kept_indices(graph, use.weight, 1)
        pruned = inputs != list(range(len(inputs)))
        lacking = is_last_piece(graph, use.weight) if is_piece(graph, use.weight) else pruned
        return lacking and graph.tensor(use.weight)[0].numel() <= self.most_inputs

    def _repair(self, graph: Graph, use: WeightUse, wanted: _Targets, value: Tensor) -> None:
        """Adds the best change to the weight and to whatever shifts its outputs, in place."""
        weight, shift = graph.tensor(use.weight), _shift(graph, use)
        places, target = wanted.known[use.site]
        x = read(use.node, value, tuple(weight.shape[2:]), places).double()
        bias = use.node.args[2] if len(use.node.args) > 2 else None
        present = x @ weight.flatten(1).double().T + (0.0 if bias is None else value_of(graph, bias).double())
        if shift is not None:
            x = torch.cat([x, torch.ones(len(x), 1, dtype=x.dtype)], dim=1)
        change = _solve(x, target[:, _outputs(graph, use)].double() - present, self.pull).T.float()
        weight.add_(change[:, : weight[0].numel()].reshape(weight.shape))
        if shift is not None:
            shift[0].add_(shift[1] * change[:, -1])


class _Targets:
    """What the teacher's layers wrote at random places: site -> places and values `[rows, out]`."""

    def __init__(self, rows: int, seed: int) -> None:
        self.rows = rows
        self.generator = torch.Generator().manual_seed(seed)
        self.known: dict[str, tuple[Places, Tensor]] = {}

    def remember(self, use: WeightUse, value: Tensor) -> None:
        places = Places.random(places_shape(use.node, tuple(value.shape)), self.rows, self.generator)
        self.known[use.site] = (places, written(use.node, value, places))


def _shift(graph: Graph, use: WeightUse) -> tuple[Tensor, float] | None:
    """What adds to every output, and its sign: the bias, or the mean that a batch normalisation takes off."""
    bias = use.node.args[2] if len(use.node.args) > 2 else None
    if isinstance(bias, fx.Node) and bias.op == "get_attr":
        return graph.tensor(str(bias.target)), 1.0
    readers = list(use.node.users)
    if bias is None and len(readers) == 1 and kind_of(readers[0].target) == "batch_norm":
        mean = readers[0].args[3]
        return (graph.tensor(str(mean.target)), -1.0) if isinstance(mean, fx.Node) else None
    return None


def _outputs(graph: Graph, use: WeightUse) -> Tensor:
    """The teacher's output channels that the layer still has."""
    return torch.tensor(kept_indices(graph, use.weight, 0))


def _solve(x: Tensor, lacking: Tensor, pull: float) -> Tensor:
    """The change `[in, out]` that, added to the present factors, brings `x` closest to what is lacking."""
    squares = x.T @ x
    anchor = pull * squares.diagonal().mean().clamp_min(1e-12) * torch.eye(len(squares), dtype=x.dtype)
    change: Tensor = torch.linalg.solve(squares + anchor, x.T @ lacking)
    return change
