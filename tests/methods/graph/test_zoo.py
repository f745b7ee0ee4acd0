"""Every architecture of the zoo: captured, coupled, verified, pruned, trained, stored and exported."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from methods.graph.coupling.verify import compare, verify
from methods.graph.onnx_out.export import check_export, export
from methods.graph.surgery.edit import prune
from tests.zoo import checks
from tests.zoo.catalogue import ZOO, network


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Tiny networks run fastest on one thread, and sums keep their order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("name", ZOO)
def test_graph_computes_what_the_model_computes(name: str) -> None:
    """At batch size 2, which capture does not compare at, all outputs agree to rounding."""
    graph, (model, _) = checks.graph_of(name), network(name)
    x = graph.example(2, seed=7)
    with torch.no_grad():
        expected, actual = checks.flat(model.eval()(*x)), graph(*x)
    for want, got in zip(expected, actual, strict=True):
        assert torch.allclose(want, got, atol=1e-5 * float(want.abs().max()), rtol=1e-4)


@pytest.mark.parametrize("name", ZOO)
def test_removed_equals_zeroed(name: str) -> None:
    """There are units to remove, and every group's removal is checked by numbers."""
    errors = verify(checks.graph_of(name), checks.coupling_of(name))
    assert errors
    assert max(errors.values()) < 1e-4, errors


@pytest.mark.parametrize("name", sorted(set(ZOO) - {"temporal_normalised", "gates"}))
def test_the_model_itself_agrees_that_removed_is_zeroed(name: str) -> None:
    """The user's own code with zeros in its parameters gives what the pruned graph gives."""
    sites, kept = checks.plain_sites(name), checks.random_kept(checks.coupling_of(name), 0.3, seed=1)
    kept = {site: kept[site] for site in sites}
    x = checks.graph_of(name).example(2, seed=3)
    smaller = prune(checks.graph_of(name), kept, checks.coupling_of(name))
    with torch.no_grad():
        pairs = list(zip(checks.without(name, kept, x), smaller(*x), strict=True))
    assert sites
    assert all(torch.allclose(a, b, atol=1e-5 * float(a.abs().max()), rtol=1e-4) for a, b in pairs)


@pytest.mark.parametrize("name", ZOO)
def test_pruned_at_random_it_runs_and_trains(name: str) -> None:
    """Without 30 % of the units of every group it is smaller, runs at batch 1 and 3, and gradients reach as far."""
    graph, smaller = checks.graph_of(name), checks.pruned(name)
    smaller.check()
    assert smaller.parameter_count < graph.parameter_count
    assert checks.trained(smaller) == checks.trained(graph)


@pytest.mark.parametrize("name", ZOO)
def test_pruned_it_is_stored_bit_by_bit(name: str) -> None:
    """Weights and outputs survive the `.fwm` file."""
    assert checks.round_trip_differs(checks.pruned(name)) == []


@pytest.mark.parametrize("name", ZOO)
def test_pruned_it_is_exported(name: str) -> None:
    """onnxruntime agrees with the whole and with the pruned graph."""
    for graph in (checks.graph_of(name), checks.pruned(name)):
        assert check_export(graph, export(graph)) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("name", ZOO)
def test_twenty_random_prunings(name: str) -> None:
    """Random units at random sites, all removed at once: equal to masking them at every value, and it runs."""
    graph, coupling = checks.graph_of(name), checks.coupling_of(name)
    for seed in range(20):
        kept = checks.random_pruning(coupling, seed)
        removed = {site: sorted(set(range(len(coupling.groups[site]))) - set(units)) for site, units in kept.items()}
        assert compare(graph, coupling, removed, graph.example(2, seed)) < 1e-4
        prune(graph, kept, coupling).check()
