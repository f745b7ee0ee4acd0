"""Coupling and pruning: what goes together is found, checked numerically, and really removed."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from methods.graph.coupling.trace import couple
from methods.graph.coupling.verify import TOLERANCE, trusted, verify
from methods.graph.intake.capture import capture
from methods.graph.ir import Graph
from methods.graph.lower import lower
from methods.graph.surgery.edit import BadEdit, difference, prune, prune_output
from tests.zoo.catalogue import SEVEN, network

GROUPS = {
    "plain": {"channels:conv1": 8, "channels:conv2": 12, "channels:fc1": 20},
    "residual": {"channels:stem": 8, "channels:conv1": 6, "channels:squeeze": 4},
    "depthwise": {"channels:stem": 6, "channels:expand": 12},
    "dense": {"channels:a": 8, "channels:b": 6, "channels:c": 4, "channels:c#2": 4},
    "shuffle": {"channels:a": 8, "channels:b": 8},
    "transformer": {
        "channels:embed": 16,
        "channels:layer.linear1": 32,
        "heads:layer.self_attn.in_proj": 2,
        "channels:layer.self_attn.in_proj": 8,
    },
    "recurrent": {"hidden:lstm": 8, "channels:hidden": 12},
    "grouped_queries": {"channels:embed": 12, "heads:q": 2, "channels:q": 4, "channels:v": 4},
    "lstm_deep": {"hidden:rnn": 8, "channels:hidden": 10},
    "temporal_normalised": {
        **{f"channels:blocks.0.conv{i}": 8 for i in (1, 2)},
        **{f"channels:blocks.2.conv{i}": 12 for i in (1, 2)},
        "channels:blocks.1.conv1": 8,
    },
    "generator": {"channels:start": 12, "channels:up1": 8},
    "gpt": {
        "channels:tokens": 16,
        **{f"channels:blocks.{i}.up": 64 for i in range(2)},
        **{f"heads:blocks.{i}.attend": 4 for i in range(2)},
        **{f"channels:blocks.{i}.attend{copy}": 4 for i in range(2) for copy in ("", "#2")},
    },
}


@cache
def captured(name: str) -> Graph:
    """A network of the zoo, captured once."""
    return capture(*network(name))


def halves(graph: Graph) -> dict[str, range]:
    """The first half of every group's units."""
    return {site: range((len(g) + 1) // 2) for site, g in couple(graph).groups.items()}


@pytest.mark.parametrize("name", GROUPS)
def test_groups_are_those_that_a_person_would_name(name: str) -> None:
    """Residual sums unite channels, depthwise layers follow, heads, widths, groups and hidden units are found."""
    assert {site: len(group) for site, group in couple(captured(name)).groups.items()} == GROUPS[name]


@pytest.mark.parametrize("name", GROUPS)
def test_removed_equals_masked(name: str) -> None:
    """Deleting half of all groups changes no value more than masking them: rounding only."""
    errors = verify(captured(name))
    assert set(errors) == set(GROUPS[name])
    assert max(errors.values()) < 1e-5


@pytest.mark.parametrize("name", GROUPS)
def test_pruned_networks_run_and_train(name: str) -> None:
    """With half of every group gone the graph passes its check, trains, and has fewer parameters."""
    graph = captured(name)
    pruned = prune(graph, halves(graph))
    pruned.check()
    pruned.set_training(True)
    pruned(*pruned.example(4))[0].sum().backward()
    assert pruned.parameter_count < graph.parameter_count


@pytest.mark.parametrize("name", GROUPS)
def test_pruned_networks_can_be_pruned_again(name: str) -> None:
    """What is left is coupled, checked and cut like any other network, picked entries and all."""
    once = prune(captured(name), halves(captured(name)))
    assert max(verify(once).values(), default=0.0) < 1e-5
    prune(once, halves(once)).check()


@pytest.mark.parametrize("name", GROUPS)
def test_plans_see_what_pruning_does(name: str) -> None:
    """Rewriting the Workload's shapes gives the MACs and bytes that the pruned graph really has."""
    graph = captured(name)
    groups = couple(graph).groups
    widths = {site: (len(g), max(1, len(g) // 3)) for site, g in groups.items()}
    planned = [op.with_widths(widths) for op in lower(graph, dims=True).ops]
    real = lower(prune(graph, {site: range(kept) for site, (_, kept) in widths.items()})).ops
    found = [[(o.name, o.macs, o.weight_bytes) for o in ops if o.macs or o.site] for ops in (planned, real)]
    assert found[0] == found[1]


@pytest.mark.parametrize("role", ["along", "in"])
def test_a_wrong_coupling_is_noticed(role: str) -> None:
    """The numeric check can fail: with one place left out, it does; the group is then frozen, with the figure."""
    graph = captured("residual").clone()
    coupling = couple(graph)
    group = coupling.groups["channels:conv1"]
    broken = replace(group, places=tuple(p for p in group.places if p.role != role))
    coupling.groups["channels:conv1"] = broken  # type: ignore[index]
    assert verify(graph, coupling)["channels:conv1"] > 1e-3
    kept = trusted(graph)
    assert "channels:conv1" not in kept.groups
    assert "removing it changes other values" in next(f.reason for f in kept.frozen if f.site == "channels:conv1")


def test_a_unit_in_the_wrong_place_is_noticed() -> None:
    """Not only sizes are held against each other: units that change places show as figures."""
    graph = captured("plain").clone()
    coupling = couple(graph)
    group = coupling.groups["channels:conv1"]
    turned = [replace(p, unit=p.unit.roll(1)) if p.role == "in" else p for p in group.places]
    coupling.groups["channels:conv1"] = replace(group, places=tuple(turned))  # type: ignore[index]
    errors = verify(graph, coupling)
    assert TOLERANCE < errors["channels:conv1"] < float("inf")
    assert errors["channels:fc1"] < TOLERANCE


def test_frozen_channels_say_why() -> None:
    """Everything that stays has a reason in words."""
    reasons = {f.site: f.reason for name in SEVEN for f in couple(captured(name)).frozen}
    assert "output" in reasons["channels:head"]
    assert "channels:layer.self_attn.in_proj" not in reasons, "heads and their channels may go: nothing is frozen"
    gpt = {f.site: f.reason for f in couple(captured("gpt")).frozen}
    assert "looked up by number" in gpt["channels:tokens"]


def test_pruning_nothing_changes_nothing() -> None:
    """Keeping every unit leaves the outputs bit by bit."""
    for name in SEVEN:
        graph = captured(name)
        same = prune(graph, {site: range(len(g)) for site, g in couple(graph).groups.items()})
        x = graph.example(3)
        assert torch.equal(graph(*x)[0], same(*x)[0])


@pytest.mark.parametrize("kept", [[], [99]], ids=["none left", "unit out of range"])
def test_impossible_prunings_are_refused(kept: list[int]) -> None:
    """At least one unit must stay, and only units that exist can."""
    graph = captured("plain")
    with pytest.raises(BadEdit, match="at least one"):
        prune(graph, {"channels:conv1": kept})
    with pytest.raises(BadEdit, match="no channel site"):
        prune(graph, {"channels:nowhere": [0]})


def test_a_narrower_attention_keeps_its_scale() -> None:
    """Scores are divided by the root of the width that the network was trained with."""
    graph = captured("transformer")
    site = "channels:layer.self_attn.in_proj"
    pruned = prune(graph, {site: range(2)})
    scales = [n.kwargs["scale"] for n in pruned.nodes if "attention" in str(n.target)]
    assert scales == [pytest.approx(8**-0.5)]


def test_a_cut_shuffle_is_still_a_shuffle() -> None:
    """Any channels may go, in numbers that the shuffle's groups don't divide; the rest keep their order."""
    graph = captured("shuffle")
    pruned = prune(graph, {"channels:a": [0, 1, 2, 5, 7]})
    assert any("index_select" in str(n.target) for n in pruned.nodes)
    pruned.check()


@pytest.mark.parametrize("name", ["plain", "residual", "transformer", "recurrent"])
def test_classes_can_be_kept(name: str) -> None:
    """Cutting an output keeps exactly the entries asked for."""
    graph = captured(name)
    few = prune_output(graph, [0, 3])
    x = graph.example(3)
    assert torch.allclose(graph(*x)[0][:, [0, 3]], few(*x)[0], atol=1e-6)
    assert difference(few, few.clone(), x) == 0.0


def test_an_output_that_is_not_a_layer_of_its_own_is_not_cut() -> None:
    """Tied embeddings look their entries up by number: the message says so."""
    with pytest.raises(BadEdit, match="looked up by number"):
        prune_output(captured("gpt"), [0, 1, 2])


class Standardised(nn.Module):
    """A convolution whose weight is brought to mean 0 and variance 1 wherever it is used."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.conv, self.head = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 8, 3), nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        flat = self.conv.weight.reshape(1, 8, -1)
        weight = F.batch_norm(flat, None, None, training=True).reshape_as(self.conv.weight)
        return self.head(F.conv2d(torch.relu(self.stem(x)), weight, self.conv.bias).mean((2, 3)))


def test_weights_that_are_standardised_are_cut() -> None:
    """Their mean is taken over what is left; channels on both sides may go."""
    graph = capture(Standardised(), torch.randn(1, 3, 8, 8))
    assert {site: len(g) for site, g in couple(graph).groups.items()} == {"channels:stem": 6, "channels:conv": 8}
    assert max(verify(graph).values()) < 1e-5
