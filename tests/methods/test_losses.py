"""Losses: which axis holds classes, labels of every kind, and the teacher's softened answers."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from methods.base import Data, MethodError
from methods.losses import answer_loss, class_axis, label_loss, relative_square, soft_distance
from methods.recovery.losses_answers import Answers


def whole(*shape: int, below: int = 5) -> Tensor:
    return torch.randint(0, below, shape)


@pytest.mark.parametrize(
    ("output", "labels", "axis"),
    [
        ((4, 5), (4,), 1),
        ((4, 6, 5), (4, 6), 2),
        ((4, 5, 6), (4, 6), 1),
        ((4, 5, 5), (4, 5), 2),
        ((2, 5, 3, 4), (2, 3, 4), 1),
    ],
)
def test_labels_say_which_axis_holds_the_classes(output: tuple[int, ...], labels: tuple[int, ...], axis: int) -> None:
    """One sample, tokens with the classes last or second, and pixels."""
    assert class_axis(torch.zeros(output), whole(*labels)) == axis


def test_without_labels_only_rows_of_scores_are_classes() -> None:
    """An image's channels, a token's features and a single number are values to imitate; so are float labels."""
    assert class_axis(torch.zeros(4, 5)) == 1
    assert [class_axis(torch.zeros(s)) for s in ((4, 3, 8, 8), (4, 6, 5), (4, 1), (4,))] == [None] * 4
    assert class_axis(torch.zeros(4, 5), torch.zeros(4, 5)) is None


@given(n=st.integers(1, 3), tokens=st.integers(2, 4), classes=st.integers(5, 7), seed=st.integers(0, 99))
def test_token_labels_cost_what_each_token_costs(n: int, tokens: int, classes: int, seed: int) -> None:
    """The mean over tokens that count; negative labels don't."""
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(n, tokens, classes, generator=generator)
    labels = torch.randint(-1, classes, (n, tokens), generator=generator)
    labels[0, 0] = 1
    each = [
        -float(scores[i, t].log_softmax(0)[int(labels[i, t])])
        for i in range(n)
        for t in range(tokens)
        if labels[i, t] >= 0
    ]
    assert float(label_loss(scores, labels)) == pytest.approx(sum(each) / len(each), rel=1e-5)
    assert float(label_loss(scores.movedim(2, 1), labels)) == pytest.approx(sum(each) / len(each), rel=1e-5)


def test_float_labels_cost_their_mean_square() -> None:
    """Of the output's shape, or `[n]` for one number a sample; a label of another shape is refused."""
    output = torch.randn(6, 1)
    assert float(label_loss(output, output[:, 0] + 2)) == pytest.approx(4)
    with pytest.raises(MethodError, match=r"labels \[2\] per sample don't fit outputs \[1\]"):
        label_loss(output, torch.zeros(6, 2))


@pytest.mark.parametrize(("output", "labels"), [((4, 5, 6), (4,)), ((4, 1), (4,)), ((4, 5), (4, 5))])
def test_whole_labels_that_fit_no_axis_are_refused(output: tuple[int, ...], labels: tuple[int, ...]) -> None:
    """With what would be right."""
    with pytest.raises(MethodError, match="values need floats of the output's shape"):
        answer_loss((torch.zeros(output),), whole(*labels))


def test_labels_beyond_the_classes_are_refused() -> None:
    """Seven is no class of five."""
    with pytest.raises(MethodError, match="go up to 7 but the output has 5"):
        label_loss(torch.zeros(2, 5), torch.tensor([1, 7]))


def test_imitating_values_counts_in_units_of_their_variance() -> None:
    """The target's mean has an error of 1, in whatever unit; images are no classes."""
    target = torch.randn(8, 3, 4, 4)
    flat = target.mean().expand_as(target)
    assert float(relative_square(1000 * flat, 1000 * target)) == pytest.approx(1, rel=1e-4)


def mixed(a: float, targets: Tensor, temperature: float = 4.0, logits: bool = False) -> Answers:
    return Answers((targets,), (targets.var(),), 1.0, a, 1 - a, temperature, logits)


@pytest.mark.seed("hinton-kd")
def test_distillation_without_teacher_is_cross_entropy() -> None:
    """A share of 0 for the teacher leaves the labels, exactly; a share of 1 leaves the softened answers."""
    scores, targets, data = torch.randn(9, 5), torch.randn(9, 5), Data((torch.zeros(9),), whole(9))
    index = torch.arange(9)
    assert data.labels is not None
    expected = functional.cross_entropy(scores, data.labels)
    torch.testing.assert_close(mixed(0.0, targets)((scores,), index, data, 1), expected)
    p, q = (targets / 4).softmax(1), (scores / 4).softmax(1)
    expected = 16 * (p * (p / q).log()).sum(1).mean()
    torch.testing.assert_close(mixed(1.0, targets)((scores,), index, data, 1), expected)


@pytest.mark.seed("hinton-kd")
def test_at_high_temperature_distillation_matches_scores() -> None:
    """The gradient of the squared-temperature loss is (z - v) / classes for scores without mean, within 1 %."""
    z, v = (x - x.mean() for x in torch.randn(2, 1, 8))
    z = z - z.mean()
    v = v - v.mean()
    z.requires_grad_()
    soft_distance(z, v, 1000.0).backward()
    assert z.grad is not None
    expected = (z.detach() - v) / 8
    assert float((z.grad - expected).norm() / expected.norm()) < 0.01


@pytest.mark.seed("ba-caruana-shallow")
def test_matching_logits_is_their_mean_square() -> None:
    """Before any softmax."""
    scores, targets, data = torch.randn(9, 5), torch.randn(9, 5), Data((torch.zeros(9),))
    found = mixed(1.0, targets, logits=True)((scores,), torch.arange(9), data, 1)
    torch.testing.assert_close(found, (scores - targets).square().mean())
