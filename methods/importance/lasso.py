"""Importance by reconstruction: which channels repeat best what the layers that read them write.

Each channel gets a factor in what its readers write, and the factors are made sparse by a LASSO penalty; the channel
that stays in the longest as the penalty rises is worth the most. The recovery "least-squares" then finds the weights
that go with the channels that are left. No labels, no gradients; non-linearities don't matter.

Reference: He, Zhang and Sun, "Channel pruning for accelerating very deep neural networks", 2017, arXiv 1707.06168,
section 3.1. Here all layers that read a coupled group take part, each in proportion to what it writes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from methods.base import Data
from methods.graph.coupling.groups import ChannelGroup, Place
from methods.graph.coupling.trace import couple
from methods.graph.ir import Graph, WeightUse
from methods.graph.observe import step_through
from methods.graph.rows import Places, places_shape, read
from methods.graph.surgery.forms import groups_of, is_plain
from methods.importance.checks import at_least, finite, samples, units_only
from methods.numerics.lasso import lasso_entries

Read = tuple[Place, Tensor]
"""Where a layer reads a group, and the group's Gram matrix `[units, units]`."""

LAYERS = ("aten.linear.default", "aten.conv2d.default")
MOST_VALUES = 1 << 23
"""Input values looked at in all, to bound the memory; at least 32 samples."""


@dataclass(frozen=True)
class Lasso:
    """Scores units that plain linear layers or ungrouped 2-D convolutions read; it says nothing about others.

    Attributes:
        samples: how many samples are looked at. rows: how many places of a layer's output, at random, from `seed`.
        most_inputs: readers with more inputs (channels times kernel) than this are left out: memory grows with the
            square of it.
    """

    samples: int = 256
    rows: int = 2048
    most_inputs: int = 5000
    seed: int = 0
    name: str = "lasso"

    def __post_init__(self) -> None:
        at_least(self.name, 1, samples=self.samples, rows=self.rows, most_inputs=self.most_inputs)

    def score(self, graph: Graph, data: Data) -> dict[str, Tensor]:
        """Channel site -> penalty at which the unit leaves, as a share of its readers' power, `[units]`."""
        few, groups = samples(self.name, graph, data, self.samples), couple(graph).groups
        few = few.head(max(32, MOST_VALUES // max(1, int(few.inputs[0][0].numel()))))
        uses = {use.weight: use for use in graph.weight_uses() if self._fits(graph, use)}
        reads = {site: found for site, group in groups.items() if (found := _read_by(group, uses))}
        grams = {site: torch.zeros((len(groups[site]),) * 2, dtype=torch.float64) for site in reads}
        readers = {}
        for weight, use in uses.items():
            mine = [(places[weight], grams[site]) for site, places in reads.items() if weight in places]
            if mine:
                readers[use.node.name] = _Reader(graph, use, mine, self.rows, self.seed)
        before = {name: reader.keep for name, reader in readers.items()}
        step_through(graph, few.inputs, before, {name: reader.add for name, reader in readers.items()})
        finite(self.name, grams)
        entries = {site: lasso_entries(gram.numpy(), gram.sum(dim=1).numpy()) for site, gram in grams.items()}
        return {site: torch.from_numpy(entry) for site, entry in entries.items()}

    def weights(self, graph: Graph, data: Data) -> dict[str, Tensor]:  # noqa: ARG002
        """Raises MethodError: what is selected are whole inputs of a layer."""
        units_only(self.name, "it selects whole inputs of a layer")

    def _fits(self, graph: Graph, use: WeightUse) -> bool:
        return (
            is_plain(use)
            and str(use.node.target) in LAYERS
            and groups_of(use) == 1
            and graph.tensor(use.weight)[0].numel() <= self.most_inputs
        )


class _Reader:
    """One layer while the network runs: adds what it says to the Gram matrices of the groups that it reads."""

    def __init__(self, graph: Graph, use: WeightUse, reads: Sequence[Read], rows: int, seed: int) -> None:
        self.weight, self.node, self.rows, self.reads = graph.tensor(use.weight).detach(), use.node, rows, reads
        self.generator = torch.Generator().manual_seed(seed)
        self.given = torch.zeros(0)

    def keep(self, given: Tensor) -> None:
        """Takes what the layer reads."""
        self.given = given

    def add(self, made: Tensor) -> None:
        """Takes what it writes: only its shape counts, as the target is the sum of what the units give."""
        places = Places.random(places_shape(self.node, tuple(made.shape)), self.rows, self.generator)
        x = read(self.node, self.given, tuple(self.weight.shape[2:]), places).double()
        w = self.weight.flatten(1).double()
        products = (x.T @ x) * (w.T @ w)
        power, self.given = products.sum(), torch.zeros(0)
        for place, gram in self.reads:
            gram += _by_unit(products, place, len(gram), self.weight[0, 0].numel()) / power.clamp_min(1e-300)


def _read_by(group: ChannelGroup, uses: Mapping[str, WeightUse]) -> dict[str, Place]:
    return {p.parameter: p for p in group.places if p.role == "in" and p.dim == 1 and p.parameter in uses}


def _by_unit(products: Tensor, place: Place, units: int, kernel: int) -> Tensor:
    """`[units, units]`: products of single inputs, `[in * kernel, in * kernel]`, summed over each unit's inputs."""
    inputs = (place.index[:, None] * kernel + torch.arange(kernel)).reshape(-1)
    unit = place.unit.repeat_interleave(kernel)
    rows = torch.zeros(units, len(products), dtype=products.dtype).index_add_(0, unit, products[inputs])
    return torch.zeros(units, units, dtype=products.dtype).index_add_(1, unit, rows[:, inputs])
