"""What has to hold for every network of the zoo, whole and pruned; the tests and the coverage table share it."""

from __future__ import annotations

import functools
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import ParametrizationList

from methods.graph import file
from methods.graph.coupling.groups import Coupling
from methods.graph.coupling.trace import couple
from methods.graph.intake.assemble import plain_names
from methods.graph.intake.capture import capture
from methods.graph.ir import Graph
from methods.graph.surgery.edit import prune
from tests.zoo.catalogue import network
from tests.zoo.llama import RmsNorm

Kept = dict[str, list[int]]


@functools.cache
def graph_of(name: str) -> Graph:
    """The network's graph, captured once per process; nobody may change it."""
    return capture(*network(name))


@functools.cache
def coupling_of(name: str) -> Coupling:
    """The coupling of `graph_of(name)`."""
    return couple(graph_of(name))


def random_kept(coupling: Coupling, share: float, seed: int) -> Kept:
    """Random units to keep at every site: all but `share` of them, and at least one."""
    generator = torch.Generator().manual_seed(seed)
    return {site: _some(len(group), share, generator) for site, group in coupling.groups.items()}


def random_pruning(coupling: Coupling, seed: int) -> Kept:
    """Random units at a random half of the sites (at least one site), a random share (up to 80 %) of them."""
    generator = torch.Generator().manual_seed(seed)
    sites = list(coupling.groups)
    order = torch.randperm(len(sites), generator=generator)[: max(1, len(sites) // 2)].tolist()
    shares = (0.8 * torch.rand(len(order), generator=generator)).tolist()
    return {sites[i]: _some(len(coupling.groups[sites[i]]), share, generator) for i, share in zip(order, shares)}


def _some(units: int, share: float, generator: torch.Generator) -> list[int]:
    kept = max(1, units - max(1, round(share * units)))
    return sorted(torch.randperm(units, generator=generator)[:kept].tolist())


@functools.cache
def pruned(name: str, share: float = 0.3, seed: int = 0) -> Graph:
    """The network without a random share of the units of every group."""
    return prune(graph_of(name), random_kept(coupling_of(name), share, seed), coupling_of(name))


def without(name: str, kept: Kept, inputs: tuple[Tensor, ...]) -> list[Tensor]:
    """The model's own outputs with zeros wherever a unit that isn't kept lives in its parameters and buffers."""
    model = network(name)[0].eval()
    found = dict(model.named_parameters()) | dict(model.named_buffers())
    tensors = {plain: found[name] for name, plain in plain_names(found).items()}
    with torch.no_grad():
        for site, units in kept.items():
            for place in coupling_of(name).groups[site].places:
                gone = place.index[~torch.isin(place.unit, torch.tensor(units))]
                tensors[place.parameter].index_fill_(place.dim, gone, 0.0)
        return flat(model(*inputs))


def plain_sites(name: str) -> list[str]:
    """Sites whose units go through no normalisation across channels: there, removing means exactly zeroing."""
    across = {
        f"{owner}.{leaf}"
        for owner, module in network(name)[0].named_modules()
        if isinstance(module, nn.LayerNorm | nn.GroupNorm | nn.RMSNorm | RmsNorm | ParametrizationList)
        for leaf, _ in module.named_parameters()
    }
    groups = coupling_of(name).groups
    return [site for site, group in groups.items() if not across & {place.parameter for place in group.places}]


def loss_of(outputs: Iterable[Tensor]) -> Tensor:
    """A number to train on: the mean square of all outputs."""
    return torch.stack([o.float().square().mean() for o in outputs]).sum()


def trained(graph: Graph) -> set[str]:
    """Takes a step in training mode on a copy; the names of the parameters that a finite gradient reached.

    Raises:
        ArithmeticError: the loss or a gradient isn't finite.
    """
    graph = graph.clone()
    graph.set_training(True)
    torch.manual_seed(0)
    optimiser = torch.optim.SGD(graph.module.parameters(), lr=1e-3)
    loss = loss_of(graph(*graph.example(4)))
    loss.backward()
    reached = {n: p.grad for n, p in graph.module.named_parameters() if p.grad is not None}
    if not all(bool(t.isfinite().all()) for t in (loss, *reached.values())):
        raise ArithmeticError("the loss or a gradient is not finite")
    optimiser.step()
    return set(reached)


def round_trip_differs(graph: Graph) -> list[str]:
    """What is not bit-identical after writing the graph to `.fwm` and reading it back; empty if all is."""
    again = file.from_bytes(file.to_bytes(graph))
    before, after = graph.module.state_dict(), again.module.state_dict()
    wrong = sorted(set(before) ^ set(after))
    wrong += [n for n in set(before) & set(after) if not torch.equal(before[n], after[n])]
    x = graph.example(3)
    with torch.no_grad():
        pairs = zip(graph(*x), again(*x), graph.output_names, strict=True)
        return wrong + [name for a, b, name in pairs if not torch.equal(a, b)]


def flat(value: object) -> list[Tensor]:
    """All tensors of a model's output, in order."""
    if isinstance(value, dict):
        return flat(list(value.values()))
    if isinstance(value, list | tuple):
        return [leaf for part in value for leaf in flat(part)]
    return [value] if isinstance(value, Tensor) else []
