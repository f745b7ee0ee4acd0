"""What removing single units really does to the loss: the truth that importances are held against."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import zip_longest
from math import isfinite

import numpy as np
from torch import Tensor

from methods.base import Data, MethodError
from methods.graph.coupling.groups import ChannelGroup
from methods.graph.coupling.verify import trusted
from methods.graph.ir import Graph, GraphError
from methods.graph.observe import outputs
from methods.graph.surgery.edit import prune
from methods.losses import class_axis, label_loss

Unit = tuple[str, int]
"""A channel site and the number of a unit there."""

UNITS_A_SITE = 5
"""Fewest units that are removed of a site, where it has them: orders within sites are compared too."""


def drawn(groups: Mapping[str, ChannelGroup], removals: int, seed: int) -> list[Unit]:
    """At most `removals` units, by lot: of so few sites that each has several, and as many of each as there are."""
    generator = np.random.default_rng(seed)
    sites = [site for site, group in groups.items() if len(group) > 1]
    waiting: dict[str, list[int]] = {}
    for place in generator.permutation(len(sites)).tolist():
        if sum(min(UNITS_A_SITE, len(units)) for units in waiting.values()) < removals:
            waiting[sites[place]] = generator.permutation(len(groups[sites[place]])).tolist()
    rounds = zip_longest(*([(site, unit) for unit in units] for site, units in waiting.items()))
    units = [unit for these in rounds for unit in these if unit is not None]
    return units[:removals]


class RemovalLoss:
    """The loss of a network on held samples: against labels, or against the whole network's own answers."""

    def __init__(self, graph: Graph, data: Data) -> None:
        self.data, self.own = data, outputs(graph, data.inputs)
        self.whole = self._of(self.own)

    def without(self, graph: Graph, unit: Unit) -> float:
        """How much the loss rises when a unit goes."""
        site, number = unit
        stay = [u for u in range(len(trusted(graph).groups[site])) if u != number]
        try:
            cut = prune(graph, {site: stay})
        except GraphError as error:
            raise MethodError(f"unit {number} of {site} can't be removed: {error}") from error
        return self._of(outputs(cut, self.data.inputs)) - self.whole

    def _of(self, found: tuple[Tensor, ...]) -> float:
        if self.data.labels is not None:
            loss = float(label_loss(found[0], self.data.labels))
        else:
            loss = sum(_distance(o, own) for o, own in zip(found, self.own, strict=True))
        if not isfinite(loss):
            raise MethodError(
                "the loss is not a number: look for NaN or infinite values in the weights and the samples"
            )
        return loss


def _distance(output: Tensor, own: Tensor) -> float:
    """Cross-entropy with the whole network's most likely classes; half the mean square distance for other outputs."""
    if class_axis(own) is None:
        return float((output - own).square().mean() / 2)
    return float(label_loss(output, own.argmax(dim=1)))
