"""Keeping some of the classes: the numbers of those that stay, and refusals where that can't be."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.graph.file import from_bytes, to_bytes
from methods.graph.intake.capture import capture
from methods.graph.ir import Graph
from methods.graph.module import GraphModule
from methods.graph.surgery.classes import keep_outputs
from methods.graph.surgery.edit import BadEdit

torch.set_num_threads(1)

Tail = Callable[["Classifier", Tensor], Tensor]
KEPT = (0, 3)


class Classifier(nn.Module):
    """Five classes of six numbers, and something behind the last layer."""

    def __init__(self, tail: Tail) -> None:
        super().__init__()
        self.body, self.head, self.back = nn.Linear(6, 8), nn.Linear(8, 5), nn.Linear(5, 5)
        self.scale, self.batch, self.layer = nn.Parameter(torch.rand(5) + 1), nn.BatchNorm1d(5), nn.LayerNorm(5)
        self.tail = tail

    def forward(self, x: Tensor) -> Tensor:
        return self.tail(self, self.head(F.relu(self.body(x))))


class Convolution(nn.Module):
    """SqueezeNet's way: the last layer is a convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Conv2d(1, 4, 3), nn.Conv2d(4, 5, 1)

    def forward(self, x: Tensor) -> Tensor:
        return F.adaptive_avg_pool2d(self.head(F.relu(self.body(x))), 1).flatten(1)


class Tied(nn.Module):
    """The last layer is the table of the words that come in."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.body = nn.Embedding(10, 4), nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(self.body(self.words(x)), self.words.weight)


class Two(nn.Module):
    """The second output is computed from the first."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Linear(6, 5), nn.Linear(5, 4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.body(x)
        return x, self.head(F.relu(x))


def classifier(tail: Tail) -> Graph:
    torch.manual_seed(0)
    model = Classifier(tail)
    model.batch.running_mean.normal_()
    return capture(model, torch.randn(2, 6))


def values(graph: Graph) -> tuple[Tensor, ...]:
    with torch.no_grad():
        return graph(*graph.example(4))


def test_the_classes_that_stay_have_the_same_scores() -> None:
    """And the last layer has only their rows."""
    graph = classifier(lambda _, x: x)
    small = keep_outputs(graph, KEPT)
    torch.testing.assert_close(values(small)[0], values(graph)[0][:, list(KEPT)])
    assert tuple(small.tensor("head.weight").shape) == (2, 8)
    assert tuple(small.tensor("body.weight").shape) == (8, 6)
    assert tuple(graph.tensor("head.weight").shape) == (5, 8)


def test_what_scales_and_shifts_the_scores_is_cut_with_them() -> None:
    """Temperatures, batch normalisation, a sigmoid per class."""
    graph = classifier(lambda m, x: torch.sigmoid(m.batch(x * m.scale)))
    small = keep_outputs(graph, KEPT)
    torch.testing.assert_close(values(small)[0], values(graph)[0][:, list(KEPT)])
    assert len(small.tensor("scale")) == len(small.tensor("batch.running_mean")) == 2


@pytest.mark.parametrize("axis", [1, -1])
def test_probabilities_are_shared_among_those_that_stay(axis: int) -> None:
    """Softmax over the rest: what Bayes would say once the other classes are ruled out."""
    graph = classifier(lambda _, x: x.softmax(axis))
    left = values(graph)[0][:, list(KEPT)]
    torch.testing.assert_close(values(keep_outputs(graph, KEPT))[0], left / left.sum(1, keepdim=True))


def test_log_probabilities_are_those_of_the_rest() -> None:
    """Their exponentials add up to one."""
    small = keep_outputs(classifier(lambda _, x: x.log_softmax(-1)), KEPT)
    torch.testing.assert_close(values(small)[0].exp().sum(1), torch.ones(4))


def test_the_last_layer_may_be_a_convolution() -> None:
    """With pooling behind it."""
    graph = capture(Convolution(), torch.randn(2, 1, 8, 8))
    small = keep_outputs(graph, KEPT)
    torch.testing.assert_close(values(small)[0], values(graph)[0][:, list(KEPT)])


def test_it_trains_on_and_comes_back_from_its_file() -> None:
    """Like any other graph."""
    small = from_bytes(to_bytes(keep_outputs(classifier(lambda _, x: x.softmax(-1)), KEPT)))
    small.check()
    module = GraphModule(small).train()
    module(torch.randn(3, 6)).square().sum().backward()
    assert all(p.grad is not None for p in module.network.body.parameters())


def test_the_other_outputs_stay() -> None:
    """The second output is cut, the first is whole."""
    graph = capture(Two(), torch.randn(2, 6))
    first, second = values(keep_outputs(graph, (1, 2), graph.output_names[1]))
    assert torch.equal(first, values(graph)[0])
    torch.testing.assert_close(second, values(graph)[1][:, 1:3])


@pytest.mark.parametrize(
    "tail",
    [
        lambda m, x: m.layer(x),
        lambda _, x: x - x.mean(-1, keepdim=True),
        lambda m, x: x + m.back(F.relu(x)),
        lambda _, x: x.cumsum(-1),
    ],
    ids=["layer-norm", "centred", "residual", "running-sum"],
)
def test_classes_that_are_mixed_can_not_go(tail: Tail) -> None:
    """The refusal names the output."""
    with pytest.raises(BadEdit, match="output 'output' can't be removed"):
        keep_outputs(classifier(tail), KEPT)


def test_classes_that_are_read_elsewhere_can_not_go() -> None:
    """By another output, or as the table of what comes in."""
    with pytest.raises(BadEdit, match="output 'output_1' would change"):
        keep_outputs(capture(Two(), torch.randn(2, 6)), KEPT)
    with pytest.raises(BadEdit, match="looked up by number"):
        keep_outputs(capture(Tied(), torch.randint(0, 10, (2, 3))), KEPT)


@pytest.mark.parametrize(
    ("kept", "message"),
    [((), "at least one"), ((3, 0), "rising order"), ((0, 0), "rising order"), ((0, 5), "0 to 4"), ((-1,), "0 to 4")],
)
def test_classes_that_are_not_there_are_refused(kept: tuple[int, ...], message: str) -> None:
    """Before anything is cut."""
    with pytest.raises(BadEdit, match=message):
        keep_outputs(classifier(lambda _, x: x), kept)


def test_an_unknown_output_is_answered_with_those_that_there_are() -> None:
    """By name."""
    with pytest.raises(BadEdit, match=r"no output 'logits'; it has output$"):
        keep_outputs(classifier(lambda _, x: x), KEPT, "logits")
