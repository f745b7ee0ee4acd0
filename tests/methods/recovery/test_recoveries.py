"""The catalogue's words, and batch-norm recalibration (what every recovery promises: tests/contracts)."""

from __future__ import annotations

import pytest
import torch

from methods.base import MethodError
from methods.recovery.batch_norm import BatchNormRecalibration
from methods.recovery.catalogue import recovery
from tests.methods.recovery.students import captured


def test_batch_norm_statistics_are_those_of_the_data() -> None:
    """The first normalisation sees the mean and variance of its own inputs."""
    graph, data = captured("residual", 256)
    result = BatchNormRecalibration(batch=256).recover(graph, graph, data, 0)
    seen = torch.nn.functional.conv2d(data.inputs[0], graph.tensor("stem.weight"), graph.tensor("stem.bias"), padding=1)
    torch.testing.assert_close(result.tensor("norm0.running_mean"), seen.mean((0, 2, 3)), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(result.tensor("norm0.running_var"), seen.var((0, 2, 3)), atol=1e-4, rtol=1e-3)


def test_an_unknown_recovery_is_refused() -> None:
    """With all that there are."""
    with pytest.raises(MethodError, match="batch-norm, least-squares, fine-tuning, plain, distillation"):
        recovery("prayer")
