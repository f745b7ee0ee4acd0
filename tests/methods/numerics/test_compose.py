"""Rows of layers as one weight."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import conv2d

from methods.numerics.compose import composed, dense


def test_a_row_of_convolutions_is_the_one_that_is_composed() -> None:
    """1x1 to few channels, a filter each down, a filter each across, 1x1 back, as a CP decomposition has it."""
    torch.manual_seed(0)
    shapes, groups = ((3, 5, 1, 1), (3, 1, 3, 1), (3, 1, 1, 2), (4, 3, 1, 1)), (1, 3, 3, 1)
    weights = [torch.randn(shape) for shape in shapes]
    x = made = torch.randn(2, 5, 8, 9)
    for weight, count in zip(weights, groups, strict=True):
        made = conv2d(made, weight, groups=count)
    one = composed(weights, groups)
    assert one.shape == (4, 5, 3, 2)
    torch.testing.assert_close(conv2d(x, one), made, atol=1e-4, rtol=1e-4)


def test_a_grouped_weight_with_its_zeros() -> None:
    """It does what the grouped one does."""
    weight, x = torch.randn(6, 2, 3, 3), torch.randn(1, 4, 5, 5)
    torch.testing.assert_close(conv2d(x, dense(weight, 2)), conv2d(x, weight, groups=2))


def test_two_kernels_along_one_axis_are_refused() -> None:
    """Between them they would reach further than either."""
    with pytest.raises(ValueError, match="kernels of 3 and 3 along one axis"):
        composed([torch.ones(2, 2, 3, 1), torch.ones(2, 2, 3, 1)], [1, 1])
