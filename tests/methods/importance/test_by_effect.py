"""Importances by effect against slow twins: activations and gradients sample by sample, and the loss itself."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from methods.base import Data
from methods.graph.intake.capture import capture
from methods.graph.ir import Graph
from methods.graph.surgery.edit import prune
from methods.importance.fisher import Fisher
from methods.importance.gradient import Gradient
from methods.importance.random import Random
from methods.importance.taylor import Taylor
from methods.losses import label_loss


class Mixed(nn.Module):
    """A convolution whose channels a second one and, flattened, a linear layer read."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(2, 4, 3), nn.Conv2d(4, 3, 3)
        self.flat, self.last = nn.Linear(4 * 16, 5), nn.Linear(3 * 4, 5)

    def hidden(self, x: Tensor) -> Tensor:
        return torch.tanh(self.first(x))

    def rest(self, a: Tensor) -> Tensor:
        scores: Tensor = self.flat(a.flatten(1)) + self.last(torch.relu(self.second(a)).flatten(1))
        return scores

    def forward(self, x: Tensor) -> Tensor:
        return self.rest(self.hidden(x))


@pytest.fixture(scope="module")
def case() -> tuple[Mixed, Graph, Data]:
    """The network, its graph and a dozen labelled samples."""
    torch.manual_seed(1)
    model = Mixed().eval()
    x = torch.randn(12, 2, 6, 6)
    return model, capture(model, (x[:2],)), Data((x,), torch.arange(12) % 5)


def effects(model: Mixed, data: Data) -> Tensor:
    """Activation times gradient of each sample's own loss, summed over positions: `[samples, channels]`."""
    rows = []
    for x, label in zip(data.inputs[0], data.labels if data.labels is not None else [], strict=True):
        a = model.hidden(x[None]).detach().requires_grad_()
        (slope,) = torch.autograd.grad(functional.cross_entropy(model.rest(a), label[None]), a)
        rows.append((a * slope).detach().sum((0, 2, 3)))
    return torch.stack(rows).double()


def test_taylor_is_activation_times_gradient(case: tuple[Mixed, Graph, Data]) -> None:
    """Weights that read a channel, times their gradients, add up to the same; sample by sample, then averaged."""
    model, graph, data = case
    found = Taylor(batch=1).score(graph, data)["channels:first"]
    torch.testing.assert_close(found, effects(model, data).abs().mean(0), rtol=1e-4, atol=1e-7)


def test_fisher_is_half_the_mean_squared_effect(case: tuple[Mixed, Graph, Data]) -> None:
    """As in Theis et al.: 1/2N times the squared sum of activation times gradient."""
    model, graph, data = case
    found = Fisher().score(graph, data)["channels:first"]
    torch.testing.assert_close(found, effects(model, data).square().mean(0) / 2, rtol=1e-4, atol=1e-9)


def test_single_weights_have_scores_of_their_own(case: tuple[Mixed, Graph, Data]) -> None:
    """From the gradients of single samples: |wg|, (wg)^2 / 2 and |g|, each averaged."""
    model, graph, data = case
    weight, slopes = model.second.weight.detach(), []
    for x, label in zip(data.inputs[0], torch.arange(12) % 5, strict=True):
        loss = functional.cross_entropy(model(x[None]), label[None])
        slopes.append(torch.autograd.grad(loss, model.second.weight)[0])
    g = torch.stack(slopes)
    for each, wanted in (
        (Taylor(batch=1), (g * weight).abs().mean(0)),
        (Fisher(), (g * weight).square().mean(0) / 2),
        (Gradient(batch=1), g.abs().mean(0)),
    ):
        torch.testing.assert_close(each.weights(graph, data)["second.weight"], wanted, rtol=1e-4, atol=1e-8)


@pytest.mark.seed("taylor-pruning")
def test_taylor_is_exact_where_the_loss_is_linear() -> None:
    """Samples that are far on the wrong side of a network without bends: the loss is a difference of scores, and the
    score of a channel is what its removal really changes."""
    torch.manual_seed(2)
    model = nn.Sequential(nn.Linear(6, 5), nn.Linear(5, 2))
    x = torch.randn(32, 6)
    with torch.no_grad():
        model[1].bias.copy_(torch.tensor([60.0, 0.0]))
    graph = capture(model, (x[:2],))
    right = x[((model(x)[:, 0] - model(x)[:, 1]) > 45)]
    data = Data((right,), torch.ones(len(right), dtype=torch.int64))
    score = Taylor(batch=len(right)).score(graph, data)["channels:0"]
    whole = label_loss(graph(right)[0], data.labels)
    for unit in range(5):
        cut = prune(graph, {"channels:0": [u for u in range(5) if u != unit]})
        change = (label_loss(cut(right)[0], data.labels) - whole).abs()
        assert float(score[unit]) == pytest.approx(change.item(), rel=1e-4, abs=1e-5)


def test_lots_follow_the_seed_and_the_name(case: tuple[Mixed, Graph, Data]) -> None:
    """Another seed, other lots; the same site in another network, the same lots."""
    _, graph, data = case
    first = Random().score(graph, data)["channels:first"]
    assert not torch.equal(first, Random(seed=1).score(graph, data)["channels:first"])
    torch.manual_seed(5)
    other = capture(Mixed().eval(), (data.inputs[0][:2],))
    assert torch.equal(first, Random().score(other, data)["channels:first"])
    assert Random().weights(graph, data)["second.weight"].shape == (3, 4, 3, 3)
