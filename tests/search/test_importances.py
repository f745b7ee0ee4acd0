"""How well importances foretell what removals do."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from methods.base import Data, MethodError
from methods.graph.coupling.trace import couple
from methods.graph.intake.capture import capture
from methods.graph.ir import Graph
from methods.importance.catalogue import IMPORTANCES
from search.data import DataError, Dataset
from search.importances import NothingToRemove, compare, compare_on
from search.removals import RemovalLoss, drawn
from tests.zoo.catalogue import network


@cache
def captured(name: str) -> tuple[Graph, Data]:
    graph = capture(*network(name))
    return graph, Data(graph.example(40), torch.arange(40) % 5)


class Known:
    """An importance that gives what it was told, and can't score weights."""

    def __init__(self, name: str, scores: dict[str, Tensor]) -> None:
        self.name, self.scores = name, scores

    def score(self, graph: Graph, data: Data) -> dict[str, Tensor]:
        return self.scores

    def weights(self, graph: Graph, data: Data) -> dict[str, Tensor]:
        return {}


def test_the_truth_correlates_with_itself() -> None:
    """An importance that is the rise of the loss has correlation one, its opposite minus one, a constant none."""
    graph, data = captured("plain")
    loss = RemovalLoss(graph, data)
    rises = {
        site: torch.tensor([loss.without(graph, (site, u)) for u in range(len(group))])
        for site, group in couple(graph).groups.items()
    }
    told = {
        "truth": Known("truth", rises),
        "lie": Known("lie", {s: -r for s, r in rises.items()}),
        "none": Known("none", {s: torch.ones_like(r) for s, r in rises.items()}),
        "half": Known("half", {"channels:conv1": rises["channels:conv1"]}),
    }
    found = {line["name"]: line for line in compare(graph, data, removals=15, importances=told)["importances"]}
    for correlation in ("spearman", "kendall", "within_sites"):
        assert found["truth"][correlation] == pytest.approx(1.0)
        assert found["lie"][correlation] == pytest.approx(-1.0)
    assert found["none"]["spearman"] is None
    assert 0 < found["half"]["units"] < found["truth"]["units"] == 15


def test_a_removal_is_what_the_loss_says() -> None:
    """Setting the weights that read a unit to zero does the same; with labels, and against the model's own answers."""
    graph, data = captured("plain")
    silent = graph.clone()
    with torch.no_grad():
        silent.tensor("fc2.weight")[:, 3] = 0
        before, after = graph(*data.inputs)[0], silent(*data.inputs)[0]
    for labels in (data.labels, None):
        wanted = before.argmax(1) if labels is None else labels
        rise = functional.cross_entropy(after, wanted) - functional.cross_entropy(before, wanted)
        found = RemovalLoss(graph, Data(data.inputs, labels)).without(graph, ("channels:fc1", 3))
        assert found == pytest.approx(float(rise), abs=1e-6)


def test_outputs_that_are_no_classes_are_compared_by_distance() -> None:
    """Half the mean square distance from what the whole network gives."""
    graph, data = captured("super_resolution")
    loss = RemovalLoss(graph, Data(data.inputs))
    assert loss.whole == 0.0
    assert all(loss.without(graph, unit) >= 0 for unit in drawn(couple(graph).groups, 4, 0))


def test_the_same_seed_draws_the_same_units() -> None:
    """At most as many as asked for, several of each site, none twice; every importance has its line."""
    graph, data = captured("residual")
    units = drawn(couple(graph).groups, 12, 5)
    assert units == drawn(couple(graph).groups, 12, 5) != drawn(couple(graph).groups, 12, 6)
    assert len(set(units)) == len(units) == 12
    counts = [sum(site == s for s, _ in units) for site in {s for s, _ in units}]
    assert min(counts) >= 4
    steps: list[tuple[int, int]] = []
    found = compare(graph, data, removals=12, report=lambda *step: steps.append(step))
    assert steps == [(i, 12) for i in range(12)]
    assert {line["name"] for line in found["importances"]} == set(IMPORTANCES)
    order = [line["spearman"] for line in found["importances"] if line["spearman"] is not None]
    assert order == sorted(order, reverse=True)


def test_time_is_kept() -> None:
    """No second to spare: three removals, which is the least that makes an order."""
    graph, data = captured("plain")
    assert len(compare(graph, data, seconds=0.0)["removals"]) == 3


def test_what_cannot_be_compared_is_refused() -> None:
    """A model without units, data of another shape, weights that aren't numbers."""
    bare = capture(nn.Sequential(nn.Linear(4, 3)), (torch.zeros(2, 4),))
    with pytest.raises(NothingToRemove, match="no order to compare"):
        compare(bare, Data((torch.zeros(5, 4),)))
    graph, data = captured("plain")
    wrong = Dataset("mine", (np.zeros((50, 1, 5, 5), np.float32),), np.arange(50) % 5)
    with pytest.raises(DataError, match=r"samples are \[1, 5, 5\] but the model takes \[1, 12, 12\]"):
        compare_on(graph, wrong)
    broken = graph.clone()
    with torch.no_grad():
        broken.tensor("fc2.weight").fill_(float("nan"))
    with pytest.raises(MethodError, match="NaN"):
        compare(broken, data)


def test_a_data_set_is_taken_by_its_training_part() -> None:
    """Sixty per cent of the samples, in the types that the model takes."""
    graph, _ = captured("plain")
    rng = np.random.default_rng(0)
    mine = Dataset("mine", (rng.normal(size=(100, 1, 12, 12)).astype(np.float32),), np.arange(100) % 5)
    found = compare_on(graph, mine, removals=5)
    assert (found["samples"], found["labelled"], len(found["removals"])) == (60, True, 5)
