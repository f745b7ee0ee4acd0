"""WeightMethod: a Method that gives single weights another form. A plug-in says what the form is, this is the rest."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from hwmodels.device import Device
from hwmodels.workload import Op
from methods.base import BadChoice, Data, MethodError, Space, Value
from methods.choices import check_sites
from methods.graph.ir import Graph, WeightUse
from methods.graph.ops import kind_of
from methods.graph.surgery.forms import groups_of, is_plain
from methods.graph.values import value_of

KINDS = ("conv", "linear")


@dataclass(frozen=True)
class Layer:
    """What a form may depend on: `shape` of the weight `[out, in / groups, ...]`, and `kind` "conv" or "linear"."""

    site: str
    kind: str
    shape: tuple[int, ...]
    groups: int = 1

    @property
    def elements(self) -> int:
        return int(torch.Size(self.shape).numel())

    @property
    def inputs(self) -> int:
        """Weights of one output: channels times kernel."""
        return self.elements // self.shape[0]


@dataclass(frozen=True)
class WeightMethod(ABC):
    """A form for the weights of convolutions and linear layers, chosen at each weight site by itself."""

    stage: ClassVar[str]
    runs: ClassVar[bool] = False
    helps: ClassVar[frozenset[str]] = frozenset()
    kinds: ClassVar[tuple[str, ...]] = KINDS

    @property
    @abstractmethod
    def name(self) -> str:
        """The catalogue key. In a plug-in a field: `name: str = "circulant"`."""

    @abstractmethod
    def values(self, layer: Layer, device: Device) -> Sequence[Value]:
        """What a search may choose for a layer; the first leaves it as it is. One value or none: not applicable."""

    @abstractmethod
    def checked(self, site: str, value: Value) -> Value | None:
        """The value, None where it leaves the weight as it is. Raises BadChoice, naming site and remedy."""

    @abstractmethod
    def project(self, weight: Tensor, value: Value) -> Tensor:
        """The nearest weight of this form, dense and of the same shape. Raises ValueError where there is none."""

    @abstractmethod
    def install(self, graph: Graph, use: WeightUse, value: Value) -> None:
        """Gives one layer's weight the form, in place. Raises ValueError where it can't be."""

    @abstractmethod
    def made(self, op: Op, value: Value) -> tuple[Op, ...]:
        """What the form makes of one operator of the Workload."""

    def fits(self, graph: Graph, use: WeightUse) -> bool:  # noqa: ARG002
        """Whether a layer's weight can take the form: by default those that are plain parameters of their own."""
        return is_plain(use)

    def prepared(self, graph: Graph, uses: Mapping[str, Sequence[WeightUse]], data: Data) -> WeightMethod:  # noqa: ARG002
        """The method with whatever it needs to see on data before weights are changed; by default itself."""
        return self

    def space(self, graph: Graph, device: Device) -> Space:
        """Every site whose layers can all take the form, with the values that all of them offer."""
        sites: dict[str, list[Value]] = {}
        for site, uses in self._uses(graph).items():
            offers = [list(self.values(layer_of(graph, use), device)) for use in uses]
            common = [value for value in offers[0] if all(value in offer for offer in offers)]
            if len(common) > 1:
                sites[site] = common
        return Space({site: tuple(values) for site, values in sites.items()})

    def apply(self, graph: Graph, choices: Mapping[str, Value], data: Data) -> Graph:
        """A new graph with the form at each chosen site. Raises BadChoice, and MethodError for a broken weight."""
        check_sites(self.name, choices, self._uses(graph))
        wanted = {site: self.checked(site, value) for site, value in choices.items()}
        result = graph.clone()
        chosen = {site: uses for site, uses in self._uses(result).items() if wanted.get(site) is not None}
        for site, uses in chosen.items():
            _check_finite(result, site, uses)
        ready = self.prepared(result, chosen, data)
        for site, uses in chosen.items():
            for use in uses:
                self._put(ready, result, use, wanted[site])  # type: ignore[arg-type]
        result.remove_unused()
        return result

    def rewrite(self, op: Op, choices: Mapping[str, Value]) -> tuple[Op, ...]:
        """The operators that take the place of one."""
        value = self.checked(op.site, choices[op.site]) if op.site in choices and op.weights else None
        return (op,) if value is None else self.made(op, value)

    def _uses(self, graph: Graph) -> dict[str, list[WeightUse]]:
        """Site -> its layers that can take the form, in execution order."""
        found: dict[str, list[WeightUse]] = {}
        for use in graph.weight_uses():
            if kind_of(use.node.target) in self.kinds and self.fits(graph, use):
                found.setdefault(use.site, []).append(use)
        return found

    def _put(self, ready: WeightMethod, graph: Graph, use: WeightUse, value: Value) -> None:
        try:
            ready.install(graph, use, value)
        except ValueError as error:
            raise MethodError(f"{self.name} can't act at {use.site} with {value!r}: {error}") from error


def layer_of(graph: Graph, use: WeightUse) -> Layer:
    """What a form may depend on, of one layer."""
    shape = tuple(value_of(graph, use.node.args[1]).shape)
    return Layer(use.site, kind_of(use.node.target), shape, groups_of(use))


def refuse(method: str, site: str, value: Value, takes: str) -> BadChoice:
    """What a value is answered with that a form doesn't have: `takes` says what would be right."""
    return BadChoice(f"{method} at {site} takes {takes}, not {value!r:.40}")


def _check_finite(graph: Graph, site: str, uses: Sequence[WeightUse]) -> None:
    for use in uses:
        broken = int((~torch.isfinite(value_of(graph, use.node.args[1]))).sum())
        if broken:
            raise MethodError(f"the weight at {site} holds {broken} numbers that are NaN or infinite; train it again")
