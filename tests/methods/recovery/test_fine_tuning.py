"""Fine-tuning."""

from __future__ import annotations

import pytest
import torch

from methods.base import Data, MethodError
from methods.channel_pruning import ChannelPruning
from methods.graph.surgery.edit import difference
from methods.recovery.fine_tuning import FineTuning
from tests.methods.recovery.students import captured, compressed, loss, same


@pytest.mark.parametrize("labelled", [True, False])
def test_fine_tuning_learns_from_the_teacher(labelled: bool) -> None:
    """With labels and without, a compressed network ends nearer to its teacher, in every form that it has."""
    teacher, data = captured("plain", 320)
    data = data if labelled else Data(data.inputs)
    student = compressed(teacher, data)
    result = FineTuning(epochs=6, learning_rate=3e-3).recover(student, teacher, data, 0)
    assert loss(result, teacher, data) < 0.7 * loss(student, teacher, data)
    assert not torch.equal(result.tensor("conv2.weight.codebook"), student.tensor("conv2.weight.codebook"))
    torch.testing.assert_close(result.tensor("conv1.weight_scale"), student.tensor("conv1.weight_scale"))


def test_fine_tuning_never_ends_worse_than_it_began() -> None:
    """At an absurd rate the weights from before training come back, and waiting ends after `patience` epochs."""
    teacher, data = captured("plain")
    epochs: list[int] = []
    wild = FineTuning(epochs=9, learning_rate=50.0, patience=2, on_epoch=lambda done, of, loss: epochs.append(done))
    result = wild.recover(teacher, teacher, data, 0)
    assert difference(teacher, result, data.inputs) == 0
    assert epochs == [1, 2]


def test_fine_tuning_depends_on_its_seed_alone() -> None:
    """Dropout included; whatever the global generator was left at, which stays untouched."""
    teacher, data = captured("dense")
    student = ChannelPruning().apply(teacher, {"channels:b": 0.5}, data)
    torch.manual_seed(1)
    first = FineTuning(epochs=1, learning_rate=1e-2).recover(student, teacher, data, 7)
    drawn = torch.rand(1)
    torch.manual_seed(1)
    assert torch.equal(drawn, torch.rand(1))
    assert same(first, FineTuning(epochs=1, learning_rate=1e-2).recover(student, teacher, data, 7))
    assert not same(first, FineTuning(epochs=1, learning_rate=1e-2).recover(student, teacher, data, 8))


def test_too_little_to_learn_from_is_refused() -> None:
    """One sample is none."""
    teacher, data = captured("plain", 1)
    with pytest.raises(MethodError, match="1 are not enough"):
        FineTuning().recover(teacher, teacher, data, 0)
