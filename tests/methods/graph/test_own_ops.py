"""snap, the operator of our own."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from methods.graph.own_ops import FEW, SNAP, cells


def example(count: int, per_row: bool, seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Values `[3, 7]` of which some lie on edges, `count` levels and the edges between them."""
    generator = torch.Generator().manual_seed(seed)
    shape = (3,) if per_row else ()
    levels = torch.randn(*shape, count, generator=generator).sort(-1).values
    edges = torch.randn(*shape, count - 1, generator=generator).sort(-1).values
    values = torch.randn(3, 7, generator=generator)
    values[:, 0] = edges[..., 0] if count > 1 else values[:, 0]
    return values, levels, edges


@settings(max_examples=60, deadline=None)
@given(count=st.integers(1, FEW + 4), per_row=st.booleans(), seed=st.integers(0, 10**6))
def test_counting_edges_finds_the_cell_that_searching_finds(count: int, per_row: bool, seed: int) -> None:
    """For few edges and for many; a number on an edge belongs to the cell above."""
    values, _, edges = example(count, per_row, seed)
    flat = values if per_row else values.reshape(-1)
    assert torch.equal(cells(values, edges), torch.searchsorted(edges, flat, right=True))


@pytest.mark.parametrize("per_row", [False, True])
def test_gradients_go_straight_through_and_add_up_at_the_levels(per_row: bool) -> None:
    """To a number as they come; to a level the sum over its members; to edges none."""
    values, levels, edges = (t.requires_grad_() for t in example(4, per_row, 1))
    weights = torch.randn(3, 7)
    (SNAP(values, levels, edges) * weights).sum().backward()
    member = torch.nn.functional.one_hot(cells(values, edges).reshape(3, 7), 4).float()
    expected = (member * weights[..., None]).sum(1)
    torch.testing.assert_close(levels.grad, expected if per_row else expected.sum(0))
    assert torch.equal(values.grad, weights)  # type: ignore[arg-type]
    assert edges.grad is None
