"""Channel pruning: the least important units of each coupled group are cut out, so that every runtime gets faster.

Units are channels, attention heads and their width, groups of convolutions, hidden units of recurrent layers.

Reference: Li et al., "Pruning filters for efficient ConvNets", 2017, arXiv 1608.08710; groups of coupled layers as in
Fang et al., "DepGraph: towards any structural pruning", 2023, arXiv 2301.12900.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from hwmodels.device import Device
from hwmodels.workload import Op
from methods.base import EVERYTHING, Data, MethodError, Space, Value
from methods.choices import as_share, check_sites
from methods.graph.coupling.trace import couple
from methods.graph.coupling.verify import trusted
from methods.graph.ir import Graph
from methods.graph.surgery.edit import prune
from methods.importance.catalogue import importance

SHARES = (1.0, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125)

ANYWHERE = ("taylor", "magnitude")
"""Importances that are known to score every group."""

_SCORES: WeakKeyDictionary[Graph, tuple[str, Data, dict[str, Tensor]]] = WeakKeyDictionary()
"""The last scores of a graph: one network is pruned in many ways on the same data."""


@dataclass(frozen=True)
class ChannelPruning:
    """Choices: the share of a group's units that stays.

    Attributes:
        importance: what decides which units stay; a name of the importance catalogue.
        multiple: channels are rounded down to a multiple of this (a device's `channel_multiple`), where one fits;
            heads and groups of a convolution are not, as what is counted in them is not the width of a product.
    """

    importance: str = "taylor"
    multiple: int = 1
    name: str = "channel-pruning"
    stage: ClassVar[str] = "shape"
    runs: ClassVar[bool] = True
    helps: ClassVar[frozenset[str]] = EVERYTHING

    def space(self, graph: Graph, device: Device) -> Space:  # noqa: ARG002
        """Every coupled group of two units and more that the importance can score, with shares that really differ
        after rounding."""
        groups = trusted(graph).groups
        if self.importance not in ANYWHERE:
            scored = importance(self.importance).score(graph, Data(graph.example(32)))
            groups = {site: group for site, group in groups.items() if site in scored}
        return Space({site: self.shares(site, len(group)) for site, group in groups.items() if len(group) > 1})

    def shares(self, site: str, units: int) -> tuple[Value, ...]:
        """The shares of a group of `units` that leave different numbers of them: 1, 0.75 and 0.375 of three heads."""
        widths: dict[int, float] = {}
        for share in SHARES:
            widths.setdefault(self._kept(site, units, share), share)
        return tuple(widths.values())

    def _kept(self, site: str, units: int, share: float) -> int:
        return units_kept(units, share, self.multiple if site.startswith("channels:") else 1)

    def apply(self, graph: Graph, choices: Mapping[str, Value], data: Data) -> Graph:
        """A graph with fewer channels. `data` is what the importance looks at.

        Raises BadChoice, and MethodError where the importance has no score for a chosen site.
        """
        groups = couple(graph).groups
        check_sites(self.name, choices, groups)
        shares = {site: as_share(self.name, site, value) for site, value in choices.items()}
        counts = {site: self._kept(site, len(groups[site]), share) for site, share in shares.items()}
        wanted = {site: count for site, count in counts.items() if count < len(groups[site])}
        if not wanted:
            return graph.clone()
        scores = self._scores(graph, data)
        return prune(graph, {site: _best(self._score(scores, site), count) for site, count in wanted.items()})

    def _scores(self, graph: Graph, data: Data) -> dict[str, Tensor]:
        known = _SCORES.get(graph)
        if known is None or known[0] != self.importance or known[1] is not data:
            known = _SCORES[graph] = (self.importance, data, importance(self.importance).score(graph, data))
        return known[2]

    def _score(self, scores: Mapping[str, Tensor], site: str) -> Tensor:
        if site not in scores:
            raise MethodError(
                f"the importance {self.importance!r} has no score for {site}: nothing that it looks at (scales of "
                "batch normalisations, plain layers that read) belongs to these units. Use the importance 'taylor' or "
                "'magnitude', or leave this site as it is"
            )
        return scores[site]

    def rewrite(self, op: Op, choices: Mapping[str, Value]) -> tuple[Op, ...]:
        """The operator with the widths that the choices leave it."""
        units = {site: n for d in op.dims for site, n in d.factors if site in choices}
        kept = {site: (n, self._kept(site, n, as_share(self.name, site, choices[site]))) for site, n in units.items()}
        if not any(before != after for before, after in kept.values()):
            return (op,)
        return (_with_groups(op.with_widths(kept)),)


def units_kept(units: int, share: float, multiple: int = 1) -> int:
    """How many of `units` stay: at least one, and a multiple of `multiple` unless that would leave none."""
    count = max(1, min(units, round(share * units)))
    if share >= 1.0 or count < multiple:
        return count
    return count // multiple * multiple


def _best(scores: Tensor, count: int) -> list[int]:
    """The `count` units with the highest scores, in their old order; of equals, the earlier ones."""
    order = torch.argsort(scores, descending=True, stable=True)
    return sorted(order[:count].tolist())


def _with_groups(op: Op) -> Op:
    """The group count that the new shapes come to: that of a depthwise convolution falls with its channels, others
    only where whole groups were cut."""
    attributes = dict(op.attributes)
    if attributes.get("groups", "1") == "1":
        return op
    grouped = op.outputs[0] if attributes.get("transposed") == "1" else op.inputs[0]
    groups = str(grouped.shape[1] // op.weights[0].shape[1])
    changed = attributes | {"groups": groups}
    if attributes.get("geometry"):
        changed["geometry"] = _regrouped(attributes["geometry"], groups)
    return replace(op, attributes=tuple(changed.items()))


def _regrouped(geometry: str, groups: str) -> str:
    """A convolution's arguments (`[1, 1] [0, 0] [1, 1] 4`) with another group count, the fourth of them."""
    arguments = re.split(r" (?![^\[]*\])", geometry)
    return " ".join([*arguments[:3], groups, *arguments[4:]])
