"""Coupling and pruning: what goes together is found, checked numerically, and really removed."""

from __future__ import annotations

import pytest
import torch

from methods.graph.capture import capture
from methods.graph.edit import BadEdit, prune, verify
from methods.graph.lower import lower
from methods.graph.trace import couple
from tests.zoo import EXAMPLES, EXPORTABLE, network

GROUPS = {
    "plain": {"channels:conv1": 8, "channels:conv2": 12, "channels:fc1": 20},
    "residual": {"channels:stem": 8, "channels:conv1": 6, "channels:squeeze": 4},
    "depthwise": {"channels:stem": 6, "channels:expand": 12},
    "dense": {"channels:a": 8, "channels:b": 6, "channels:c": 4, "channels:c#2": 4},
    "shuffle": {"channels:b": 8},
    "transformer": {"channels:layer.linear1": 32},
    "recurrent": {"channels:hidden": 12},
}


@pytest.mark.parametrize("name", GROUPS)
def test_groups_are_those_that_a_person_would_name(name: str) -> None:
    """Residual sums unite channels, depthwise layers follow, splits and concatenations are told apart."""
    coupling = couple(capture(*network(name)))
    assert {site: len(group) for site, group in coupling.groups.items()} == GROUPS[name]


@pytest.mark.parametrize("name", GROUPS)
def test_removed_equals_zeroed(name: str) -> None:
    """Deleting half of any group changes the outputs no more than zeroing it: rounding only."""
    errors = verify(capture(*network(name)))
    assert errors
    assert max(errors.values()) < 1e-5


def test_a_wrong_coupling_is_noticed() -> None:
    """The numeric check can fail: with one slot left out, removal and zeroing differ."""
    graph = capture(*network("plain"))
    coupling = couple(graph)
    group = coupling.groups["channels:conv1"]
    broken = [tuple(s for s in unit if s.role != "along") for unit in group.units]
    coupling.groups["channels:conv1"] = type(group)(group.site, tuple(broken), group.roots)
    assert verify(graph, coupling)["channels:conv1"] > 1e-3


@pytest.mark.parametrize("name", GROUPS)
def test_pruned_networks_run_and_train(name: str) -> None:
    """With half of every group gone the graph passes its check, trains, and has fewer parameters."""
    graph = capture(*network(name))
    kept = {site: range(len(g) // 2) for site, g in couple(graph).groups.items()}
    pruned = prune(graph, kept)
    pruned.check()
    pruned.set_training(True)
    pruned(*pruned.example(4))[0].sum().backward()
    assert pruned.parameter_count < graph.parameter_count


@pytest.mark.parametrize("name", GROUPS)
def test_plans_see_what_pruning_does(name: str) -> None:
    """Rewriting the Workload's shapes gives the MACs and bytes that the pruned graph really has."""
    graph = capture(*network(name))
    groups = couple(graph).groups
    widths = {site: (len(g), max(1, len(g) // 3)) for site, g in groups.items()}
    planned = [op.with_widths(widths) for op in lower(graph, dims=True).ops]
    real = lower(prune(graph, {site: range(kept) for site, (_, kept) in widths.items()})).ops
    assert [(o.macs, o.weight_bytes) for o in planned] == [(o.macs, o.weight_bytes) for o in real]


def test_frozen_channels_say_why() -> None:
    """Everything that stays has a reason in words."""
    frozen = {f.site: f.reason for name in EXAMPLES for f in couple(capture(*network(name))).frozen}
    assert "output" in frozen["channels:head"]
    assert "splits its channels" in frozen["channels:a"]
    assert "layer_norm" in frozen["channels:embed"]


def test_pruning_nothing_changes_nothing() -> None:
    """Keeping every unit leaves the outputs bit by bit."""
    for name in EXPORTABLE:
        graph = capture(*network(name))
        same = prune(graph, {site: range(len(g)) for site, g in couple(graph).groups.items()})
        x = graph.example(3)
        assert torch.equal(graph(*x)[0], same(*x)[0])


@pytest.mark.parametrize("kept", [[], [99]], ids=["none left", "unit out of range"])
def test_impossible_prunings_are_refused(kept: list[int]) -> None:
    """At least one unit must stay, and only units that exist can."""
    graph = capture(*network("plain"))
    with pytest.raises(BadEdit, match="at least one"):
        prune(graph, {"channels:conv1": kept})
    with pytest.raises(BadEdit, match="no channel site"):
        prune(graph, {"channels:nowhere": [0]})
