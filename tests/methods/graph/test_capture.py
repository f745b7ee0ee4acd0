"""Capture: what a model computes, its graph computes too, in evaluation and in training."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from methods.graph import file
from methods.graph.intake.capture import CaptureError, capture
from methods.graph.ir import Graph
from tests.methods.graph.networks_capture import Cnn, Decoder, Helped, Recurrent, Skipping, Uncopyable
from tests.zoo.catalogue import EXAMPLES, network

NETWORKS: dict[str, tuple[Callable[[], nn.Module], Callable[[int], Tensor]]] = {
    "cnn": (Cnn, lambda n: torch.randn(n, 1, 7, 7)),
    "decoder": (Decoder, lambda n: torch.randint(0, 20, (n, 6))),
    "recurrent": (Recurrent, lambda n: torch.randn(n, 5, 4)),
}
"""Name -> how to make a network and a batch for it."""


@pytest.mark.parametrize("name", EXAMPLES)
def test_graph_computes_what_the_model_computes(name: str) -> None:
    """At batch size 5, which was never seen, outputs agree to rounding."""
    model, example = network(name)
    graph = capture(model, example)
    batch = torch.cat([example] * 5)
    with torch.no_grad():
        assert torch.allclose(graph(batch)[0], model.eval()(batch), atol=1e-5)


def steps(run: Callable[[Tensor], Tensor], parameters: Any, batches: list[Tensor]) -> list[float]:
    """Losses of one SGD step per batch."""
    optimiser = torch.optim.SGD(parameters, lr=0.05, momentum=0.9)
    losses = []
    for x in batches:
        loss = run(x).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    return losses


@pytest.mark.parametrize("name", NETWORKS)
def test_fine_tuning_equals_the_models_own(name: str) -> None:
    """Eight SGD steps in training mode give the losses and, in evaluation mode, the outputs of eager PyTorch."""
    torch.manual_seed(0)
    make, batch = NETWORKS[name]
    model = make()
    graph = capture(model.eval(), batch(1))
    graph.set_training(True)
    batches = [batch(4) for _ in range(8)]
    captured = steps(lambda x: graph(x)[0], graph.module.parameters(), batches)
    assert captured == pytest.approx(steps(model.train(), model.parameters(), batches), rel=1e-5)
    graph.set_training(False)
    with torch.no_grad():
        assert torch.allclose(graph(batches[0])[0], model.eval()(batches[0]), atol=1e-5)


def test_dropout_draws_as_the_models_own() -> None:
    """In training mode and from the same seed, attention and plain dropout drop the same numbers."""
    model = Decoder(dropout=0.3)
    graph = capture(model, torch.randint(0, 20, (1, 6)))
    graph.set_training(True)
    ids = torch.randint(0, 20, (4, 6))
    torch.manual_seed(3)
    expected = model.train()(ids)
    torch.manual_seed(3)
    assert torch.allclose(graph(ids)[0], expected, atol=1e-6)


def trained_a_step(graph: Graph) -> Graph:
    """The graph after one step."""
    graph.set_training(True)
    steps(lambda x: graph(x)[0], graph.module.parameters(), [graph.example(4)[0]])
    graph.set_training(False)
    return graph


def test_tied_weights_stay_tied() -> None:
    """One tensor under the first of its names, counted once, through a file and a step of training."""
    graph = capture(Decoder(), torch.randint(0, 20, (1, 6)))
    graph = trained_a_step(file.from_bytes(file.to_bytes(trained_a_step(graph))))
    readers = {str(n.target): [u.name for u in n.users] for n in graph.nodes if n.op == "get_attr"}
    assert set(readers["tokens.weight"]) == {"embedding", "linear_4"}
    assert "head.weight" not in readers
    assert graph.parameter_count == sum(p.numel() for p in Decoder().parameters())


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_the_model_stays_as_it_was(training: bool) -> None:
    """Weights, buffers, attributes, modes, gradients and the random generator; what can't be copied is no trouble."""
    model = Uncopyable().train(training)
    model.norm.eval()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    example, modes, random = torch.randn(3, 4), [m.training for m in model.modules()], torch.get_rng_state()
    names = [n for n, _ in capture(model, example).module.named_parameters()]
    assert names == ["layer_1.weight", "layer_1.bias", "norm.weight", "norm.bias"]
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert (modes, model.seen) == ([m.training for m in model.modules()], 0)
    assert torch.equal(random, torch.get_rng_state())
    assert all(p.grad is None and p.requires_grad for p in model.parameters())


def test_outputs_of_training_alone_are_left_out() -> None:
    """A model with an auxiliary head in training keeps the outputs, and the dropout, of evaluation mode."""
    graph = capture(Helped(), torch.randn(1, 4))
    assert graph.output_names == ("output",)
    graph.set_training(True)
    x = torch.randn(64, 4)
    assert not torch.equal(graph(x)[0], graph(x)[0])


def test_stochastic_depth_is_switched_like_dropout() -> None:
    """Off in evaluation mode; in training mode a layer is left out for some samples and right on average."""
    torch.manual_seed(0)
    graph = capture(Skipping(), torch.randn(1, 4))
    x = torch.randn(1, 4).expand(4000, 4)
    expected = graph(x)[0][0]
    graph.set_training(True)
    drawn = graph(x)[0]
    assert len(drawn.unique(dim=0)) == 4
    assert torch.allclose(drawn.mean(0), expected, atol=0.1)


class Given(nn.Module):
    """A function as a module, with layers of its own."""

    def __init__(self, function: Callable[..., Any], *layers: nn.Module) -> None:
        super().__init__()
        self.function, self.layers = function, nn.ModuleList(layers)

    def forward(self, x: Tensor) -> Any:
        return self.function(x, *self.layers)


def test_state_between_calls_is_taken_as_it_is_in_evaluation() -> None:
    """Spectral normalisation, which updates its buffers in training, is captured as evaluation computes it."""
    model = Given(lambda x, layer: layer(x), nn.utils.parametrizations.spectral_norm(nn.Linear(4, 4)))
    x = torch.randn(5, 4)
    before = copy.deepcopy(model.state_dict())
    graph = capture(model, x)
    assert torch.allclose(graph(x)[0], model.eval()(x), atol=1e-5)
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())


class FixedBatch(nn.Module):
    """Works with two samples only."""

    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(2, 2, 2).flatten(1)


class BranchOnValue(nn.Module):
    """Decides by a value."""

    def forward(self, x: Tensor) -> Tensor:
        return x + 1 if float(x.sum()) > 0 else x - 1


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (FixedBatch(), r"batch size is fixed by `return x.reshape\(2, 2, 2\).flatten\(1\)` \(test_capture.py:\d+\)"),
        (BranchOnValue(), r"computed value .line .* of test_capture.py: `return x \+ 1 if"),
        (Given(lambda x: torch.fft.fft(x).real), r"operator aten._fft\w+.default \(node _fft\w+\) is not supported"),
        (Given(lambda x: x.mean()), r"output output has the shape \[\] for 1 sample"),
        (Given(lambda x: [1, None]), "returns no tensor"),
        (Given(lambda x: x + torch.rand(4)), r"operator aten.rand.default \(node rand\) is not supported"),
        (
            Given(lambda x, layer: layer(x), nn.Linear(3, 3)),
            "not run on the example .*shapes cannot be multiplied",
        ),
        (Given(lambda x, layer: layer(x), nn.LazyLinear(3)), "run the model on the example once"),
        (Given(lambda x, layer: layer(x), nn.Linear(4, 4).bfloat16()), "bfloat16"),
    ],
    ids=["batch", "branch", "operator", "scalar", "nothing", "random", "shapes", "lazy", "bfloat16"],
)
def test_what_cannot_be_captured_is_refused_in_words(model: nn.Module, says: str) -> None:
    """The message names the operator, the node or the user's own line."""
    with pytest.raises(CaptureError, match=says):
        capture(model, torch.randn(1, 4))
