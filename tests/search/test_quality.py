"""Accuracy with an interval, agreement without labels, and a loss that is smooth where they jump."""

import math

import pytest
import torch
from scipy.stats import binomtest
from torch import Tensor, nn

from examples.networks import digits_cnn
from examples.train import train
from methods.base import Data
from search.data import DataError, load_dataset
from search.quality import BrokenOutputs, distance, evaluate_quality, fits, outputs_of, score, wilson
from search.splits import split

SPLITS = split(load_dataset("digits"), 0)
MODEL = train(digits_cnn(), SPLITS.train, epochs=2)
REPORT = SPLITS.report
LOGITS = outputs_of(MODEL, REPORT)
UNLABELLED = Data(REPORT.inputs)


def softened(share: float) -> Tensor:
    """The model's outputs, mixed with their mean."""
    return (1 - share) * LOGITS + share * LOGITS.mean(1, keepdim=True)


def test_accuracy_is_the_share_of_hits() -> None:
    """Counted over batches of any size, without gradients."""
    assert REPORT.labels is not None
    quality = evaluate_quality(MODEL, REPORT, LOGITS, batch=37)
    hits = sum(int(row.argmax()) == label for row, label in zip(LOGITS, REPORT.labels.tolist(), strict=True))
    assert quality["score"] == quality["accuracy"] == hits / 288
    assert quality["samples"] == 288
    assert quality["loss"] == pytest.approx(0, abs=1e-9)
    assert not outputs_of(MODEL, REPORT).requires_grad


@pytest.mark.parametrize(("hits", "samples"), [(0, 10), (10, 10), (7, 10), (281, 288), (970, 1000)])
def test_the_interval_is_wilsons(hits: int, samples: int) -> None:
    """The same as SciPy's."""
    expected = binomtest(hits, samples).proportion_ci(method="wilson")
    assert wilson(hits, samples) == pytest.approx((expected.low, expected.high), abs=1e-6)


def test_without_a_teacher_the_loss_is_cross_entropy() -> None:
    """With labels alone."""
    expected = nn.CrossEntropyLoss()(LOGITS, REPORT.labels)
    assert score(LOGITS, REPORT, None)["loss"] == pytest.approx(float(expected))


def test_without_labels_quality_is_agreement_with_the_original() -> None:
    """The share of samples for which both name the same class."""
    changed = LOGITS.clone()
    changed[:72] = -changed[:72]
    quality = score(changed, UNLABELLED, LOGITS)
    assert quality["score"] == quality["agreement"] == 216 / 288
    assert quality["low"] < 0.75 < quality["high"]
    assert "accuracy" not in quality


def test_the_loss_grows_where_accuracy_does_not_move() -> None:
    """Softer outputs name the same classes, further and further from the original's distribution."""
    qualities = [score(softened(share), REPORT, LOGITS) for share in (0.0, 0.2, 0.4, 0.6)]
    assert len({quality["accuracy"] for quality in qualities}) == 1
    losses = [quality["loss"] for quality in qualities]
    assert losses == sorted(set(losses))


def test_the_loss_is_the_kullback_leibler_divergence() -> None:
    """Spelt out over softmax probabilities."""
    p, q = (x.double().softmax(1) for x in (LOGITS, softened(0.5)))
    assert distance(softened(0.5), LOGITS) == pytest.approx(float((p * (p / q).log()).sum(1).mean()))


def test_outputs_that_are_no_classes_agree_by_error_in_their_spread() -> None:
    """A tenth further from the mean is an agreement of 0.9, the mean alone 0, wherever zero lies."""
    images = REPORT.inputs[0]
    mean = images.mean(dim=0, keepdim=True)
    for zero in (0, 1000):
        original = zero + images.double()
        further, same = (zero + mean + share * (images - mean) for share in (1.1, 0.0))
        quality = score(further, UNLABELLED, original)
        assert [quality["agreement"], quality["loss"]] == pytest.approx([0.9, 0.1], abs=1e-4)
        assert score(same, UNLABELLED, original)["agreement"] == pytest.approx(0, abs=1e-4)
    assert score(-images, UNLABELLED, images)["agreement"] == 0


def test_a_silent_sample_does_not_outweigh_the_others() -> None:
    """An original output of zeros, or the same one for all samples, is measured against what is usual."""
    images = REPORT.inputs[0].clone()
    images[0] = 0
    assert math.isfinite(distance(images + 1e-3, images))
    assert float(fits(images + 1e-3, images)[0]) > 0.9
    assert float(fits(torch.full((5, 1), 7 + 1e-6), torch.full((5, 1), 7.0)).min()) > 0.5


def test_labels_beyond_the_outputs_are_refused() -> None:
    """Nine is no class of a network with five outputs."""
    with pytest.raises(DataError, match="labels go up to 9 but the model tells 5 classes apart"):
        score(LOGITS[:, :5], REPORT, None)


def test_token_labels_are_scored_token_by_token() -> None:
    """The share of a sample's tokens that are right, averaged over samples; negative labels don't count."""
    scores = torch.eye(3)[torch.tensor([[0, 1, 2, 2], [1, 1, 0, 0]])]
    labels = torch.tensor([[0, 1, 2, 0], [1, 1, -1, -1]])
    quality = score(scores, Data((torch.zeros(2),), labels), scores)
    assert quality["accuracy"] == quality["score"] == pytest.approx((3 / 4 + 1) / 2)
    assert quality["loss"] == pytest.approx(0, abs=1e-9)
    assert quality["low"] < quality["score"] < quality["high"]
    padded = scores.clone()
    padded[1, 2:] *= -5
    assert distance(padded, scores, labels) == pytest.approx(0, abs=1e-9)
    assert distance(padded, scores, labels.abs()) > 0.1
    with pytest.raises(DataError, match="labels go up to 3 but the model tells 3 classes apart"):
        score(scores, Data((torch.zeros(2),), labels + 1), None)


def test_values_are_scored_by_how_near_they_come() -> None:
    """1 - the error in units of the labels' spread: exact is 1, always saying the mean is 0, worse is 0 too."""
    labels = torch.tensor([10.0, 11.0, 13.0, 14.0])
    data = Data((torch.zeros(4),), labels)
    qualities = [score(x[:, None], data, None) for x in (labels, labels + 0.3, labels.mean().expand(4), -labels)]
    assert [q["fit"] for q in qualities] == pytest.approx([1, 0.8, 0, 0])
    assert qualities[1]["loss"] == pytest.approx(0.09, rel=1e-5)
    assert all(0 <= q["low"] <= q["score"] == q["fit"] <= q["high"] <= 1 for q in qualities)
    assert not any("accuracy" in q for q in qualities)
    assert score(labels[:, None] + 3, data, labels[:, None])["loss"] == pytest.approx(2)


def test_labels_for_outputs_that_are_no_classes_are_refused() -> None:
    """With the remedy: leave the labels out."""
    with pytest.raises(DataError, match=r"output for one sample is \[1, 8, 8\].*leave the labels out"):
        score(REPORT.inputs[0], REPORT, None)


def test_neither_labels_nor_original_is_refused() -> None:
    """There is nothing to compare with."""
    with pytest.raises(DataError, match="give the original's outputs"):
        score(LOGITS, UNLABELLED, None)


def test_broken_outputs_are_named() -> None:
    """NaN in three samples, one output too few, another shape."""
    broken = LOGITS.clone()
    broken[:3, 4] = torch.nan
    for outputs, says in [
        (broken, "NaN or infinite outputs for 3 of 288"),
        (LOGITS[1:], "287 outputs for 288"),
        (LOGITS[:, :9], r"\[288, 9\] but the original's are \[288, 10\]"),
    ]:
        with pytest.raises(BrokenOutputs, match=says):
            score(outputs, UNLABELLED, LOGITS)


def test_networks_with_several_outputs_are_scored_by_the_first() -> None:
    """A graph returns a tuple."""
    assert torch.equal(outputs_of(lambda x: (MODEL(x), x), REPORT), LOGITS)
