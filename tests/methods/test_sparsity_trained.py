"""Sparsity on LeNet-5 and MNIST: what the papers claim holds."""

from __future__ import annotations

import pytest
import torch

from benchmarks.sparsity import BRIEF, LONG, everywhere, step
from methods.graph.values import value_of
from methods.sparsity import Sparsity

pytestmark = pytest.mark.slow


@pytest.mark.seed("han-magnitude")
def test_nine_of_ten_weights_can_go() -> None:
    """Retrained, LeNet-5 with a tenth of its weights is within half a point; each step checks that zeros are exact."""
    row = step(Sparsity(ranking="global"), everywhere(0.1, 0.1), LONG)
    assert row.kept == pytest.approx(0.1, abs=1e-4)
    assert row.recovered >= row.before - 0.005


@pytest.mark.seed("nm-sparsity")
def test_two_of_four_costs_nothing() -> None:
    """Fine-tuned, LeNet-5 is within half a point, and no four neighbours have more than two non-zeros."""
    row = step(Sparsity(), everywhere("2:4", "2:4"), BRIEF)
    assert row.recovered >= row.before - 0.005
    for use in row.graph.weight_uses():
        matrix = value_of(row.graph, use.node.args[1]).flatten(1)
        groups = torch.nn.functional.pad(matrix, (0, -matrix.shape[1] % 4)).reshape(-1, 4)
        assert int(groups.count_nonzero(dim=1).max()) <= 2


@pytest.mark.seed("random-pruning", "magnitude-no-retrain")
def test_size_says_more_than_chance() -> None:
    """With a fifth of the weights left and no retraining, the largest beat random ones by more than two points; and
    retraining doesn't cost any."""
    largest, random = (step(Sparsity(importance=name), everywhere(0.2, 0.2), BRIEF) for name in ("magnitude", "random"))
    assert largest.after > random.after + 0.02
    assert largest.recovered >= largest.after - 0.003
