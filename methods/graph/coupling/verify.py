"""The numeric check of a coupling: a network without some units against the same network with those units masked.

The masked network keeps its shapes. Every value is zero where a unit is gone; whatever is taken over an axis of
channels (normalisations, means) is taken over those that are left. Every node of the two is compared, so nothing can
be hidden by what comes after it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, fx

from methods.graph.coupling.groups import Coupling, Frozen, Gone
from methods.graph.coupling.trace import couple
from methods.graph.ir import Graph, GraphError
from methods.graph.nodes import argument
from methods.graph.ops import kind_of
from methods.graph.surgery.edit import gone_units, prune

TOLERANCE = 1e-4
"""Largest relative difference that rounding may make."""


_ERRORS: WeakKeyDictionary[Graph, dict[str, float]] = WeakKeyDictionary()


def checked(graph: Graph) -> dict[str, float]:
    """What `verify` finds, remembered with the graph."""
    if graph not in _ERRORS:
        _ERRORS[graph] = verify(graph)
    return _ERRORS[graph]


def trusted(graph: Graph) -> Coupling:
    """The coupling without the groups that fail the numeric check: those are frozen, with the figure."""
    coupling, errors = couple(graph), checked(graph)
    bad = {site: error for site, error in errors.items() if not error <= TOLERANCE}
    if not bad:
        return coupling
    reason = "removing it changes other values, by {:.2g}"
    failed = [Frozen(site, len(coupling.groups[site]), reason.format(error)) for site, error in bad.items()]
    groups = {site: group for site, group in coupling.groups.items() if site not in bad}
    return replace(coupling, groups=groups, frozen=(*coupling.frozen, *failed))


def verify(graph: Graph, coupling: Coupling | None = None, seed: int = 0) -> dict[str, float]:
    """Site -> largest relative difference, over all values, between removing half of its units and masking them.

    All sites are cut at once; only where that differs by more than rounding are they tried apart.
    """
    coupling = coupling or couple(graph)
    generator = torch.Generator().manual_seed(seed)
    removed = {
        site: torch.randperm(len(group), generator=generator)[: len(group) // 2].tolist()
        for site, group in coupling.groups.items()
        if len(group) > 1
    }
    errors = dict.fromkeys(coupling.groups, 0.0)
    errors.update(_bisect(graph, coupling, removed, graph.example(2, seed)))
    return errors


def _bisect(
    graph: Graph, coupling: Coupling, removed: Mapping[str, Sequence[int]], example: tuple[Tensor, ...]
) -> dict[str, float]:
    if not removed:
        return {}
    error = compare(graph, coupling, removed, example)
    sites = list(removed)
    if error <= TOLERANCE or len(sites) == 1:
        return dict.fromkeys(sites, error)
    half = len(sites) // 2
    parts = ({s: removed[s] for s in some} for some in (sites[:half], sites[half:]))
    return {site: e for part in parts for site, e in _bisect(graph, coupling, part, example).items()}


def compare(
    graph: Graph, coupling: Coupling, removed: Mapping[str, Sequence[int]], example: tuple[Tensor, ...]
) -> float:
    """Largest relative difference of any value when units are removed and when they are masked."""
    kept = {s: sorted(set(range(len(coupling.groups[s]))) - set(units)) for s, units in removed.items()}
    try:
        cut = prune(graph, kept, coupling)
        return _Pair(graph, cut, coupling, gone_units(coupling, removed)).run(example)
    except (RuntimeError, GraphError, IndexError, ValueError, TypeError):
        return float("inf")


class _Pair:
    """Runs the masked and the cut network side by side, and forgets values that nobody needs any more."""

    def __init__(self, graph: Graph, cut: Graph, coupling: Coupling, gone: Gone) -> None:
        self.coupling, self.gone = coupling, gone
        self.graph, self.cut = graph, cut
        self.twins = {node.name: node for node in cut.nodes}
        self.whole_values: dict[fx.Node, Any] = {}
        self.cut_values: dict[fx.Node, Any] = {}
        self.worst = 0.0

    def run(self, example: tuple[Tensor, ...]) -> float:
        inputs = dict(zip((n.name for n in self.graph.nodes if n.op == "placeholder"), example, strict=True))
        rest = iter(self.cut.nodes)
        last = {source: node for node in self.graph.nodes for source in node.all_input_nodes}
        with torch.no_grad():
            for node in self.graph.nodes[:-1]:
                self.whole_values[node] = self._masked(node, inputs)
                if node.name in self.twins:
                    self._catch_up(rest, node.name, inputs)
                    self._compare(node)
                for source in node.all_input_nodes:
                    if last[source] is node:
                        self._forget(source)
        return self.worst

    def _catch_up(self, rest: Iterator[fx.Node], name: str, inputs: Mapping[str, Tensor]) -> None:
        for node in rest:
            self.cut_values[node] = _value(node, self.cut, self.cut_values, inputs)
            if node.name == name:
                return

    def _forget(self, node: fx.Node) -> None:
        del self.whole_values[node]
        twin = self.twins.get(node.name)
        if twin is not None and all(reader in self.cut_values for reader in twin.users):
            self.cut_values.pop(twin, None)

    def _masked(self, node: fx.Node, inputs: Mapping[str, Tensor]) -> Any:
        if _averages(node) and node.name in self.twins and self._cut(node.args[0]):
            return self._over_the_rest(node)
        value = _value(node, self.graph, self.whole_values, inputs)
        if isinstance(value, list | tuple):
            return [self._mask(node, v, i) for i, v in enumerate(value)]
        return self._mask(node, value, 0)

    def _cut(self, value: Any) -> bool:
        return isinstance(value, fx.Node) and self.coupling.touches(value.name, self.gone)

    def _axes(self, node: fx.Node, output: int) -> list[tuple[int, Tensor]]:
        """The axes of a value that get shorter, with the places that stay."""
        axes = self.coupling.axes[node.name]
        found = axes[output] if output < len(axes) else {}
        stays = [(a, torch.from_numpy(self.coupling.stay(node.name, a, self.gone, output))) for a in found]
        return [(a, stay) for a, stay in stays if not bool(stay.all())]

    def _mask(self, node: fx.Node, value: Any, output: int) -> Any:
        if isinstance(value, Tensor):
            for axis, stay in self._axes(node, output):
                value = value.masked_fill(~stay.reshape([-1 if a == axis else 1 for a in range(value.dim())]), 0)
        return value

    def _select(self, node: fx.Node, value: Any, output: int = 0) -> Any:
        if isinstance(value, Tensor):
            for axis, stay in self._axes(node, output):
                value = value.index_select(axis, stay.nonzero().reshape(-1))
        return value

    def _over_the_rest(self, node: fx.Node) -> Tensor:
        """The operator on what is left, laid back into the full shape."""
        twin: fx.Node = self.twins[node.name]
        target: Any = twin.target
        real = {a.name: self._select(a, self.whole_values[a]) for a in node.all_input_nodes}
        made: Tensor = target(
            *fx.map_arg(twin.args, lambda a: real[a.name]), **fx.map_arg(twin.kwargs, lambda a: real[a.name])
        )
        for axis, stay in self._axes(node, 0):
            shape = list(made.shape)
            shape[axis] = len(stay)
            made = made.new_zeros(shape).index_copy(axis, stay.nonzero().reshape(-1), made)
        return made

    def _compare(self, node: fx.Node) -> None:
        whole, cut = self.whole_values[node], self.cut_values[self.twins[node.name]]
        pairs = zip(_several(whole), _several(cut), strict=True)
        for output, (left, right) in enumerate(pairs):
            if isinstance(left, Tensor) and left.is_floating_point():
                self.worst = max(self.worst, _relative(self._select(node, left, output), right))


def _averages(node: fx.Node) -> bool:
    """Whether an operator takes something over an axis that may have become shorter."""
    kind = kind_of(node.target)
    return kind in ("norm", "reduce") or (kind == "batch_norm" and argument(node, "running_mean") is None)


def _several(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _relative(want: Tensor, got: Tensor) -> float:
    if want.shape != got.shape:
        return float("inf")
    if not want.numel():
        return 0.0
    error = (want - got).abs().max() / want.abs().max().clamp_min(1e-6)
    return float(torch.nan_to_num(error, nan=float("inf") if not torch.equal(want.isnan(), got.isnan()) else 0.0))


def _value(node: fx.Node, graph: Graph, values: Mapping[fx.Node, Any], inputs: Mapping[str, Tensor]) -> Any:
    if node.op == "placeholder":
        return inputs[node.name]
    if node.op == "get_attr":
        return graph.tensor(str(node.target)).detach()
    target: Any = node.target
    return target(*fx.map_arg(node.args, values.__getitem__), **fx.map_arg(node.kwargs, values.__getitem__))
