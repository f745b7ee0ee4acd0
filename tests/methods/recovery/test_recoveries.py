"""What every recovery promises; and batch-norm recalibration, which has little more to it."""

from __future__ import annotations

import pytest
import torch

from methods.base import MethodError, Recovery
from methods.graph.file import to_bytes
from methods.graph.lower import lower
from methods.recovery.batch_norm import BatchNormRecalibration
from methods.recovery.catalogue import RECOVERIES, recovery
from tests.methods.recovery.students import captured, compressed

EVERY_RECOVERY = pytest.mark.parametrize("each", RECOVERIES.values(), ids=lambda r: r.name)


@EVERY_RECOVERY
@pytest.mark.parametrize("name", ["plain", "residual"])
def test_forms_and_shapes_stay_and_so_do_both_graphs(each: Recovery, name: str) -> None:
    """Only numbers change, the same way every time, and only in the new graph."""
    teacher, data = captured(name)
    student = compressed(teacher, data)
    before = to_bytes(student), to_bytes(teacher)
    result = each.recover(student, teacher, data, seed=3)
    assert lower(result) == lower(student)
    assert (to_bytes(student), to_bytes(teacher)) == before
    assert to_bytes(each.recover(student, teacher, data, seed=3)) == to_bytes(result)


def test_batch_norm_statistics_are_those_of_the_data() -> None:
    """The first normalisation sees the mean and variance of its own inputs."""
    graph, data = captured("residual", 256)
    result = BatchNormRecalibration(batch=256).recover(graph, graph, data, 0)
    seen = torch.nn.functional.conv2d(data.inputs[0], graph.tensor("stem.weight"), graph.tensor("stem.bias"), padding=1)
    torch.testing.assert_close(result.tensor("norm0.running_mean"), seen.mean((0, 2, 3)), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(result.tensor("norm0.running_var"), seen.var((0, 2, 3)), atol=1e-4, rtol=1e-3)


def test_an_unknown_recovery_is_refused() -> None:
    """With all that there are."""
    with pytest.raises(MethodError, match="batch-norm, least-squares, fine-tuning"):
        recovery("prayer")
