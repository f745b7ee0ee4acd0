"""Importance scores."""

from __future__ import annotations

import pytest
import torch

from methods.base import Data, MethodError
from methods.graph.coupling.trace import couple
from methods.graph.intake.capture import capture
from methods.graph.ir import Graph
from methods.importance.catalogue import IMPORTANCES, importance
from methods.importance.taylor import Taylor
from methods.losses import answer_loss
from tests.zoo.catalogue import network


def captured(name: str) -> tuple[Graph, Data]:
    graph = capture(*network(name))
    return graph, Data(graph.example(8), torch.arange(8) % 5)


@pytest.mark.parametrize("name", ["taylor", "magnitude"])
@pytest.mark.parametrize("model", ["plain", "residual", "dense", "transformer"])
def test_every_unit_of_every_site_is_scored(name: str, model: str) -> None:
    """One finite number each, never below zero, and not all the same."""
    graph, data = captured(model)
    scores = importance(name).score(graph, data)
    for site, group in couple(graph).groups.items():
        assert scores[site].shape == (len(group),)
        assert torch.isfinite(scores[site]).all()
        assert (scores[site] >= 0).all()
    assert max(float(s.std()) for s in scores.values()) > 0


def test_magnitude_is_the_norm_of_what_makes_a_channel() -> None:
    """For a layer on its own: its filters. For a residual sum: all that is added up."""
    graph, data = captured("plain")
    expected = graph.tensor("conv1.weight").detach().flatten(1).norm(dim=1)
    torch.testing.assert_close(importance("magnitude").score(graph, data)["channels:conv1"].float(), expected)
    graph, data = captured("residual")
    makers = [graph.tensor(f"{n}.weight").detach().flatten(1) for n in ("stem", "conv2", "excite")]
    found = importance("magnitude").score(graph, data)["channels:stem"].float()
    torch.testing.assert_close(found, torch.cat(makers, dim=1).norm(dim=1))


@pytest.mark.parametrize("labelled", [True, False])
def test_taylor_is_the_slope_of_the_loss(labelled: bool) -> None:
    """Fading a channel out by a hundredth changes the loss as the score says, with labels and without."""
    graph, data = captured("plain")
    data = data if labelled else Data(data.inputs)
    score = Taylor(batch=8).score(graph, data)["channels:fc1"][3]
    faded = graph.clone()
    with torch.no_grad():
        faded.tensor("fc2.weight")[:, 3] *= 0.99
        answers = data.labels if labelled else graph(*data.inputs)[0].argmax(dim=1)
        change = answer_loss(faded(*data.inputs), answers) - answer_loss(graph(*data.inputs), answers)
    assert float(change.abs()) * 100 == pytest.approx(float(score), rel=0.03, abs=1e-4)


def test_a_channel_that_nobody_listens_to_is_worth_nothing() -> None:
    """Zero weights behind it, zero Taylor score."""
    graph, data = captured("plain")
    with torch.no_grad():
        graph.tensor("fc2.weight")[:, 3] = 0
    scores = Taylor().score(graph, data)["channels:fc1"]
    assert float(scores[3]) == 0
    assert float(scores.max()) > 0


def test_taylor_without_samples_is_refused() -> None:
    """The message names what would work."""
    graph, data = captured("plain")
    with pytest.raises(MethodError, match=r"needs samples.*magnitude"):
        Taylor().score(graph, data.head(0))


def test_batch_norm_scale_adds_the_gammas_of_a_group() -> None:
    """Both normalisations in a residual sum; groups without one have no score."""
    graph, data = captured("residual")
    with torch.no_grad():
        graph.tensor("norm0.weight").copy_(torch.arange(8.0))
        graph.tensor("norm2.weight").fill_(-2.0)
    scores = importance("batch-norm-scale").score(graph, data)
    assert scores["channels:stem"].tolist() == [u + 2.0 for u in range(8)]
    assert "channels:squeeze" not in scores
    assert "channels:squeeze" in couple(graph).groups


def test_an_unknown_importance_is_refused() -> None:
    """With all that there are."""
    with pytest.raises(MethodError, match="taylor, magnitude, magnitude-l1, group-magnitude, batch-norm-scale"):
        importance("size")
    assert [i.name for i in IMPORTANCES.values()] == list(IMPORTANCES)
