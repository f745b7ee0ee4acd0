"""Capture: what a model computes, its graph computes too."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from methods.graph.capture import CaptureError, capture
from tests.zoo import EXAMPLES, network


@pytest.mark.parametrize("name", EXAMPLES)
def test_graph_computes_what_the_model_computes(name: str) -> None:
    """At batch size 5, which was never seen, outputs agree to rounding."""
    model, example = network(name)
    graph = capture(model, example)
    batch = torch.cat([example] * 5)
    with torch.no_grad():
        assert torch.allclose(graph(batch)[0], model.eval()(batch), atol=1e-5)


@pytest.mark.parametrize("name", ["plain", "residual", "dense"])
def test_training_steps_equal_the_models_own(name: str) -> None:
    """Three SGD steps in training mode give the same losses as eager PyTorch."""
    model, example = network(name)
    graph = capture(model, example)
    graph.set_training(True)
    model.train()
    losses = []
    for run, parameters in ((model, model.parameters()), (lambda x: graph(x)[0], graph.module.parameters())):
        optimiser = torch.optim.SGD(parameters, lr=0.05)
        torch.manual_seed(1)
        for _ in range(3):
            x = torch.randn(4, *example.shape[1:])
            loss = run(x).square().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(float(loss.detach()))
    assert losses[:3] == pytest.approx(losses[3:], rel=1e-5)


class FixedBatch(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(1, 4) if x.shape[0] == 1 else x.reshape(2, 4)


class BranchOnValue(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + 1 if float(x.sum()) > 0 else x - 1


class Fourier(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.fft.fft(x).real


@pytest.mark.parametrize(
    ("model", "says"),
    [(FixedBatch(), "batch"), (BranchOnValue(), "could not trace"), (Fourier(), "is not supported")],
    ids=["fixed batch", "branch on a value", "unknown operator"],
)
def test_what_cannot_be_captured_is_refused_in_words(model: nn.Module, says: str) -> None:
    """The message names the trouble; the model is not touched."""
    with pytest.raises(CaptureError, match=says):
        capture(model, torch.randn(1, 4))


def test_scalar_example_is_refused() -> None:
    """An example needs a batch axis."""
    with pytest.raises(CaptureError, match="batch axis"):
        capture(nn.Linear(2, 2), torch.tensor(1.0))
