"""Channels chosen by LASSO, with weights reconstructed by least squares."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from methods.base import Data
from methods.channel_pruning import ChannelPruning
from methods.graph.intake.capture import capture
from methods.graph.ir import Graph
from methods.graph.observe import observe
from methods.graph.surgery.edit import prune
from methods.importance.lasso import Lasso
from methods.importance.random import Random
from methods.recovery.least_squares import LeastSquares
from tests.methods.numerics.test_lasso_path import descended


@pytest.fixture(scope="module")
def case() -> tuple[Graph, Data]:
    """Two convolutions and a linear layer, with images that repeat a few patterns, as real ones do; no labels."""
    torch.manual_seed(4)
    layers = [nn.Conv2d(2, 12, 3, padding=1), nn.ReLU(), nn.Conv2d(12, 6, 3), nn.ReLU(), nn.Flatten()]
    graph = capture(nn.Sequential(*layers, nn.Linear(6 * 36, 4)), (torch.randn(2, 2, 8, 8),))
    x = torch.einsum("nk,kchw->nchw", torch.randn(64, 5), torch.randn(5, 2, 8, 8)) + 0.1 * torch.randn(64, 2, 8, 8)
    return graph, Data((x,))


def contributions(graph: Graph, data: Data) -> Tensor:
    """What each channel gives to the second convolution's outputs, at every place: `[places * out, channels]`."""
    weight = graph.tensor("2.weight").detach()
    a = torch.relu(functional.conv2d(data.inputs[0], graph.tensor("0.weight"), graph.tensor("0.bias"), padding=1))
    parts = [functional.conv2d(a[:, c : c + 1], weight[:, c : c + 1]).reshape(-1) for c in range(12)]
    return torch.stack(parts, 1).detach().double()


@pytest.mark.seed("lasso-channel-pruning")
@pytest.mark.parametrize("target", [3, 6, 9])
def test_as_many_factors_as_wanted_are_left(case: tuple[Graph, Data], target: int) -> None:
    """Raising the penalty until so many are left leaves just the channels with the largest scores."""
    graph, data = case
    z = contributions(graph, data)
    gram = (z.T @ z / z.sum(1).square().sum()).numpy()
    scores = Lasso(rows=10**6).score(graph, data)["channels:0"]
    order = scores.sort(descending=True)
    penalty = float(order.values[target - 1 : target + 1].mean())
    left = abs(descended(gram, gram.sum(axis=1), penalty)) > 1e-9
    assert int(left.sum()) == target
    assert set(left.nonzero()[0].tolist()) == set(order.indices[:target].tolist())


@pytest.mark.seed("lasso-channel-pruning")
def test_least_squares_repairs_what_the_choice_costs(case: tuple[Graph, Data]) -> None:
    """On what the reading layer writes: closer to the whole network's than without, and without any labels."""
    graph, data = case
    cut = ChannelPruning("lasso").apply(graph, {"channels:0": 0.5}, data)
    repaired = LeastSquares().recover(cut, graph, data, seed=0)
    assert cut.tensor("2.weight").shape == repaired.tensor("2.weight").shape == (6, 6, 3, 3)
    node = {use.weight: use.node.name for use in graph.weight_uses()}["2.weight"]
    whole, masked, mended = (written(g, data, node) for g in (graph, cut, repaired))
    assert (mended - whole).square().mean() < 0.5 * (masked - whole).square().mean()


def test_it_chooses_better_than_a_lot_does(case: tuple[Graph, Data]) -> None:
    """After the same repair, what is left writes something closer to the whole network's than eight drawn sets do."""
    graph, data = case
    node = {use.weight: use.node.name for use in graph.weight_uses()}["2.weight"]
    errors = []
    for scores in (Lasso().score(graph, data), *(Random(seed).score(graph, data) for seed in range(8))):
        kept = scores["channels:0"].argsort(descending=True)[:6].sort().values.tolist()
        mended = LeastSquares().recover(prune(graph, {"channels:0": kept}), graph, data, seed=0)
        errors.append(float((written(mended, data, node) - written(graph, data, node)).square().mean()))
    assert errors[0] < sum(errors[1:]) / 8 * 0.8


def test_all_readers_of_a_group_count() -> None:
    """A channel that only the second reader uses is worth something; one that none uses, nothing."""
    torch.manual_seed(0)

    class Forked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.make, self.one, self.two = nn.Linear(4, 3), nn.Linear(3, 2), nn.Linear(3, 2)

        def forward(self, x: Tensor) -> Tensor:
            h = torch.relu(self.make(x))
            return torch.cat([self.one(h), self.two(h)], 1)

    graph = capture(Forked(), (torch.randn(2, 4),))
    with torch.no_grad():
        graph.tensor("one.weight")[:, :2] = 0
        graph.tensor("two.weight")[:, 1] = 0
    scores = Lasso().score(graph, Data((torch.randn(50, 4),)))["channels:make"]
    assert scores[1] == 0 < min(scores[0], scores[2])


def written(graph: Graph, data: Data, node: str) -> Tensor:
    """What a node writes for all samples."""
    return torch.cat([seen[node] for seen in observe(graph, data.inputs, [node])])
