"""FormTarget: the forms of a recipe as something that schedules can walk towards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from methods.base import Data, Method, Value
from methods.graph.ir import Graph, WeightUse
from methods.graph.sites import surviving
from methods.graph.values import value_of
from methods.weight_method import WeightMethod

FormStep = tuple[Method, Mapping[str, Value]]


class FormTarget:
    """Steps that give weights another form, in their order; `original` is the network that the recipe was written
    for, `data` what the methods look at."""

    def __init__(self, steps: Sequence[FormStep], original: Graph, data: Data) -> None:
        self.steps, self.original, self.data = tuple(steps), original, data

    def apply(self, graph: Graph, progress: float = 1.0) -> Graph:
        """The forms on a graph. Below 1 only those that can grow: their methods say how far they are by then."""
        for method, choices in self.steps:
            now = choices if progress >= 1.0 else _eased(method, choices, progress)
            graph = method.apply(graph, surviving(now, graph, self.original), self.data) if now else graph
        return graph

    def project(self, graph: Graph) -> dict[str, Tensor]:
        """Parameter -> the weight nearest to it that the forms allow, for every weight that gets one.

        Of a layer that is to be factorised that is the product of its factors, whatever they get on top.
        """
        factored = self._factored(graph)
        sites = {site for method, choices in self.steps if method.stage != "factor" for site in choices}
        forms = [(m, {s: v for s, v in c.items() if s not in factored}) for m, c in self.steps if m.stage != "factor"]
        formed = FormTarget(forms, self.original, self.data).apply(graph)
        made = {use.node.name: use for use in formed.weight_uses()}
        uses = [use for use in graph.weight_uses() if use.site in sites - set(factored) and use.node.name in made]
        return {use.weight: _value(formed, made[use.node.name]) for use in uses} | dict(factored.values())

    def _factored(self, graph: Graph) -> dict[str, tuple[str, Tensor]]:
        """Site -> parameter and projected weight, for the layers that are to be factorised."""
        found: dict[str, tuple[str, Tensor]] = {}
        for method, choices in self.steps:
            if method.stage == "factor" and isinstance(method, WeightMethod):
                for use in [u for u in graph.weight_uses() if u.site in choices]:
                    value = method.checked(use.site, choices[use.site])
                    if value is not None:
                        found[use.site] = use.weight, method.project(graph.tensor(use.weight).detach(), value)
        return found


def _value(graph: Graph, use: WeightUse) -> Tensor:
    return value_of(graph, use.node.args[1])


def _eased(method: Any, choices: Mapping[str, Value], progress: float) -> dict[str, Value]:
    """The choices on the way; none of a method that only can be there or not."""
    ease = getattr(method, "eased", None)
    return {} if ease is None else {site: ease(value, progress) for site, value in choices.items()}
