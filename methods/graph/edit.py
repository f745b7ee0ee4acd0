"""Surgery: the small safe moves that methods are made of, and the numeric check of every coupled group."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, fx

from methods.graph.coupling import Coupling, Vector
from methods.graph.ir import Graph, GraphError
from methods.graph.ops import TARGETS, kind_of
from methods.graph.trace import couple


class BadEdit(GraphError):
    """A rewrite was asked for something that the graph doesn't have."""


def prune(graph: Graph, kept: Mapping[str, Sequence[int]]) -> Graph:
    """A new graph with only the units `kept[site]` of each channel site; sites that aren't named stay whole."""
    coupling = couple(graph)
    gone: set[int] = set()
    drop: dict[tuple[str, int], set[int]] = defaultdict(set)
    for site, units in kept.items():
        group = coupling.groups.get(site)
        if group is None:
            raise BadEdit(f"the model has no channel site {site!r}; it has {', '.join(coupling.groups) or 'none'}")
        stay = set(units)
        if not stay or not stay <= set(range(len(group))):
            raise BadEdit(f"{site} has units 0 to {len(group) - 1}; at least one of them must stay")
        for index in set(range(len(group))) - stay:
            gone.add(group.roots[index])
            for slot in group.units[index]:
                drop[(slot.parameter, slot.dim)].add(slot.index)
    result = graph.clone()
    for (name, dim), indices in drop.items():
        _slice(result, name, dim, indices)
    for node in result.nodes:
        if node.op == "call_function":
            _rewrite_sizes(node, coupling, gone)
    result.module.recompile()
    return result


def _slice(graph: Graph, name: str, dim: int, indices: set[int]) -> None:
    value = graph.tensor(name)
    keep = [i for i in range(value.shape[dim]) if i not in indices]
    before = kept_indices(graph, name, dim)
    graph.module.meta.setdefault("kept", {})[name, dim] = [before[i] for i in keep]
    graph.set_tensor(name, value.detach().index_select(dim, torch.tensor(keep)))


def kept_indices(graph: Graph, name: str, dim: int) -> list[int]:
    """For each entry along an axis of a parameter: where it stood before anything was pruned in this process."""
    whole = list(range(graph.tensor(name).shape[dim]))
    known: list[int] = graph.module.meta.get("kept", {}).get((name, dim), whole)
    return known


def _rewrite_sizes(node: fx.Node, coupling: Coupling, gone: set[int]) -> None:
    """Adapts channel counts that stand as literals in a node's arguments."""
    out = coupling.vectors.get(node.name) or [None]
    source = node.args[0].name if node.args and isinstance(node.args[0], fx.Node) else ""
    into = (coupling.vectors.get(source) or [None])[0]
    kind, name = kind_of(node.target), str(node.target).removeprefix("aten.").split(".")[0]
    if kind == "conv" and len(node.args) > 6 and into is not None and int(node.args[6]) > 1:  # type: ignore[arg-type]
        node.update_arg(6, _left(into, gone))
    elif name in ("view", "reshape", "expand") and out[0] is not None:
        shape = coupling.shapes[node.name][0]
        sizes = list(node.args[1])  # type: ignore[arg-type]
        if sizes[out[0].axis] == shape[out[0].axis]:
            sizes[out[0].axis] = _left(out[0], gone)
            node.update_arg(1, sizes)
    elif name in ("split", "split_with_sizes", "chunk") and into is not None:
        _rewrite_split(node, into, out, gone)
    elif name == "slice" and into is not None:
        _rewrite_slice(node, into, gone)


def _rewrite_split(node: fx.Node, into: Vector, out: list[Vector | None], gone: set[int]) -> None:
    dim = int(node.args[2]) if len(node.args) > 2 else 0  # type: ignore[arg-type]
    rank_axis = into.axis
    if dim != rank_axis and dim >= 0:
        return
    sizes = [_left(v, gone) if v is not None else 0 for v in out]
    node.target = TARGETS["aten.split_with_sizes.default"]
    node.args = (node.args[0], sizes, rank_axis)


def _rewrite_slice(node: fx.Node, into: Vector, gone: set[int]) -> None:
    dim = int(node.args[1]) if len(node.args) > 1 else 0  # type: ignore[arg-type]
    if dim != into.axis:
        return
    bounds = [node.args[i] if len(node.args) > i else None for i in (2, 3)]
    total = len(into.ids)
    for position, bound in enumerate(bounds):
        if isinstance(bound, int) and abs(bound) <= total:
            absolute = bound + total if bound < 0 else bound
            node.update_arg(2 + position, _left(Vector(0, into.ids[:absolute]), gone))


def _left(vector: Vector, gone: set[int]) -> int:
    return sum(1 for unit in vector.ids.tolist() if unit not in gone)


def verify(graph: Graph, coupling: Coupling | None = None, seed: int = 0) -> dict[str, float]:
    """Site -> relative difference between removing half of its units and zeroing what reads them.

    Rounding leaves about 1e-6; anything larger means that the coupling is wrong.
    """
    coupling = coupling or couple(graph)
    example = graph.example(2, seed)
    generator = torch.Generator().manual_seed(seed)
    errors = {}
    for site, group in coupling.groups.items():
        order = torch.randperm(len(group), generator=generator).tolist()
        kept, removed = sorted(order[len(group) // 2 :]), order[: len(group) // 2]
        try:
            errors[site] = difference(_zeroed(graph, coupling, site, removed), prune(graph, {site: kept}), example)
        except (RuntimeError, GraphError):
            errors[site] = float("inf")
    return errors


def _zeroed(graph: Graph, coupling: Coupling, site: str, removed: Sequence[int]) -> Graph:
    result = graph.clone()
    with torch.no_grad():
        for index in removed:
            for slot in coupling.groups[site].units[index]:
                if slot.role == "in":
                    result.tensor(slot.parameter).select(slot.dim, slot.index).zero_()
    return result


def difference(a: Graph, b: Graph, example: tuple[Tensor, ...]) -> float:
    """Largest difference of two graphs' outputs, relative to the largest output."""
    with torch.no_grad():
        pairs = list(zip(a(*example), b(*example), strict=True))
    if any(x.shape != y.shape for x, y in pairs):
        return float("inf")
    return max(float((x - y).abs().max() / x.abs().max().clamp_min(1e-12)) for x, y in pairs)
