"""Surgery: removing units from a graph."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from methods.graph.coupling.groups import ChannelGroup, Coupling, Gone
from methods.graph.coupling.trace import couple
from methods.graph.ir import Graph, GraphError
from methods.graph.surgery.resize import resize


class BadEdit(GraphError):
    """A rewrite was asked for something that the graph doesn't have."""


def prune(graph: Graph, kept: Mapping[str, Sequence[int]], coupling: Coupling | None = None) -> Graph:
    """A new graph with only the units `kept[site]` of each site; sites that aren't named stay whole.

    Raises BadEdit for a site or a unit that isn't there, and where nothing would be left of a value.
    """
    coupling = coupling or couple(graph)
    removed = {site: _removed(coupling, site, units) for site, units in kept.items()}
    gone = gone_units(coupling, removed)
    drop: dict[tuple[str, int], set[int]] = defaultdict(set)
    for site, units in removed.items():
        for place in coupling.groups[site].places:
            hit = torch.isin(place.unit, torch.tensor(units, dtype=torch.int64))
            drop[place.parameter, place.dim].update(place.index[hit].tolist())
    result = graph.clone()
    for (name, dim), indices in drop.items():
        if indices:
            _slice(result, name, dim, indices)
    resize(result, coupling, gone)
    result.module.recompile()
    return result


def _removed(coupling: Coupling, site: str, units: Sequence[int]) -> list[int]:
    group = coupling.groups.get(site)
    if group is None:
        raise BadEdit(f"the model has no channel site {site!r}; it has {', '.join(coupling.groups) or 'none'}")
    stay = set(units)
    if not stay or not stay <= set(range(len(group))):
        raise BadEdit(f"{site} has units 0 to {len(group) - 1}; at least one of them must stay")
    return sorted(set(range(len(group))) - stay)


def gone_units(coupling: Coupling, removed: Mapping[str, Sequence[int]]) -> Gone:
    """For each unit of the coupling whether it is among those to be removed."""
    gone = np.zeros(coupling.units, dtype=bool)
    for site, units in removed.items():
        gone[[coupling.groups[site].roots[u] for u in units]] = True
    return gone


def _slice(graph: Graph, name: str, dim: int, indices: set[int]) -> None:
    value = graph.tensor(name)
    keep = [i for i in range(value.shape[dim]) if i not in indices]
    if not keep:
        raise BadEdit(f"nothing would be left of {name} along axis {dim}")
    before = kept_indices(graph, name, dim)
    graph.module.meta.setdefault("kept", {})[name, dim] = [before[i] for i in keep]
    graph.set_tensor(name, value.detach().index_select(dim, torch.tensor(keep)))


def kept_indices(graph: Graph, name: str, dim: int) -> list[int]:
    """For each entry along an axis of a parameter: where it stood before anything was pruned in this process."""
    whole = list(range(graph.tensor(name).shape[dim]))
    known: list[int] = graph.module.meta.get("kept", {}).get((name, dim), whole)
    return known


def prune_output(graph: Graph, kept: Sequence[int], output: int = 0) -> Graph:
    """A new graph with only the entries `kept` (in rising order) of the last axis of an output, such as its classes.

    Raises BadEdit where that axis can't be cut: the message says why.
    """
    coupling = couple(graph, free=(output,))
    outputs: Any = graph.nodes[-1].args[0]
    name: str = outputs[output].name
    axis = len(coupling.shapes[name][0]) - 1
    size = coupling.shapes[name][0][axis]
    stay = sorted(set(kept))
    if not stay or stay[0] < 0 or stay[-1] >= size:
        raise BadEdit(f"output {graph.output_names[output]!r} has the entries 0 to {size - 1}; at least one must stay")
    units = coupling.axes[name][0].get(axis)
    place = _place_of_units(coupling, [] if units is None else units[:, 0].tolist())
    if units is None or units.shape[1] > 1 or len(place) < size:
        reasons = "; ".join(f"{f.site}: {f.reason}" for f in coupling.frozen[-1:]) or "no layer makes it alone"
        raise BadEdit(f"the entries of output {graph.output_names[output]!r} can't be removed ({reasons})")
    wanted: dict[str, set[int]] = {}
    for entry in range(size):
        group, unit = place[entry]
        if entry not in stay:
            wanted.setdefault(group.site, set(range(len(group)))).discard(unit)
    return prune(graph, {site: sorted(units) for site, units in wanted.items()}, coupling)


def _place_of_units(coupling: Coupling, leaves: list[int]) -> dict[int, tuple[ChannelGroup, int]]:
    """Entry of an axis -> its group and its unit there."""
    known = {root: (group, unit) for group in coupling.groups.values() for unit, root in enumerate(group.roots)}
    return {entry: known[leaf] for entry, leaf in enumerate(leaves) if leaf in known}


def difference(a: Graph, b: Graph, example: tuple[torch.Tensor, ...]) -> float:
    """Largest difference of two graphs' outputs, relative to the largest output."""
    with torch.no_grad():
        pairs = list(zip(a(*example), b(*example), strict=True))
    if any(x.shape != y.shape for x, y in pairs):
        return float("inf")
    return max(float((x - y).abs().max() / x.abs().max().clamp_min(1e-12)) for x, y in pairs)
