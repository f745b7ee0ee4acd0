"""Operators that a Graph doesn't hold become ones that it does: in-place ones, other spellings, decompositions."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.graph.intake.capture import CaptureError, capture
from methods.graph.intake.spellings import is_in_place
from methods.graph.ops import NAMES


class Given(nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def _column(x: Tensor) -> Tensor:
    y = x * 1
    y[:, 0] = 1.0
    return y


def _shift(x: Tensor) -> Tensor:
    y = torch.zeros_like(x)
    y[:, 1:, :2].copy_(x[:, :-1, :2])
    y[:, :, 2:].add_(x[:, :, 2:])
    return y


def _through_views(x: Tensor) -> Tensor:
    y = x + 0
    turned, flat = y.transpose(1, 2), y.view(y.shape[0], -1)
    turned.mul_(2)
    flat[:, 3:7].sub_(1)
    y.chunk(2, 2)[1].relu_()
    return turned.sum(1) + flat.mean(1, keepdim=True) + y[:, 0].sum(1, keepdim=True)


def _reads_before_and_after(x: Tensor) -> Tensor:
    y = x + 1
    before, part = y * 2, y[:, 0]
    copy = y.reshape(x.shape[0], -1).contiguous().clone()
    y.sigmoid_().add_(part.unsqueeze(1) * 1, alpha=0.5)
    return before + y + copy.view_as(y) + part.unsqueeze(1)


def _masked(x: Tensor) -> Tensor:
    y = x.clone()
    y[y < 0] = 0.0
    y.masked_fill_(y > 1, 1.0).clamp_(max=0.9)
    y[:, [0, 2]] = 0.5
    return y


WRITES = [_column, _shift, _through_views, _reads_before_and_after, _masked]


@pytest.mark.parametrize("function", WRITES, ids=lambda f: f.__name__)
def test_writes_in_place_give_what_pytorch_gives(function: Callable[[Tensor], Tensor]) -> None:
    """To views, through views, with readers before and after; the graph itself writes nothing."""
    graph = capture(Given(function), torch.randn(1, 4, 6))
    x = torch.randn(3, 4, 6)
    assert torch.allclose(graph(x)[0], function(x.clone()), atol=1e-6)
    assert not any(is_in_place(n.target) for n in graph.nodes if n.op == "call_function")


def test_a_write_to_the_models_own_state_is_refused() -> None:
    """A buffer that changes from call to call would be lost; the operator and the buffer are named."""

    class Counting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("calls", torch.zeros(4))

        def forward(self, x: Tensor) -> Tensor:
            return x + self.calls.add_(1)

    with pytest.raises(CaptureError, match=r"add_\.Tensor writes to calls: the model keeps state"):
        capture(Counting(), torch.randn(1, 4))


def test_a_normalisation_used_twice_is_captured_in_training_mode() -> None:
    """Its step counter is no state that matters; dropout given to attention, which evaluation drops, is still there."""
    norm = nn.BatchNorm1d(4)
    drop = nn.MultiheadAttention(6, 2, dropout=0.5, batch_first=True)

    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm, self.drop = norm, drop

        def forward(self, x: Tensor) -> Tensor:
            x = self.norm(self.norm(x) * 2)
            return self.drop(x, x, x, need_weights=False)[0]

    assert set(capture(Twice(), torch.randn(1, 4, 6)).rates.values()) == {0.5}


OTHERS: dict[str, Callable[[Tensor], Tensor]] = {
    "pairs": lambda x: torch.cdist(x, x[:, :2]),
    "cosine": lambda x: F.cosine_similarity(x, x.roll(1, 1), dim=-1),
    "baddbmm": lambda x: torch.baddbmm(x @ x.mT, x, x.mT, alpha=0.5),
    "spread": lambda x: (x.std((1, 2), keepdim=True) + x.var(1, unbiased=False, keepdim=True)).expand_as(x),
    "largest": lambda x: x.max(1)[0] + x.min(dim=1).values + F.adaptive_max_pool1d(x, 3)[:, 0, :1],
    "casts": lambda x: x.to(torch.int64).type_as(x) + x.to("cpu").double().float() + (x > 0).to(x.dtype),
    "words": lambda x: torch.concat([x.absolute().multiply(2), x.swapaxes(1, 2).swapaxes(1, 2).clip(0, 1)], -1),
    "logic": lambda x: torch.where((x > 0) & ~(x > 1) | (x < -1), x, torch.tensor([1.0, 2, 3, 4, 5, 6])),
    "unfolded": lambda x: F.fold(F.unfold(x.unsqueeze(1), 3, padding=1), (4, 6), 3, padding=1).squeeze(1),
    "sampled": lambda x: F.grid_sample(
        x[:, None], x[:, :2, :2, None].expand(-1, -1, -1, 2), align_corners=False
    ).flatten(1),
    "resized": lambda x: F.interpolate(x, size=4, mode="linear") + F.interpolate(x, scale_factor=0.67, mode="nearest"),
    "reflected": lambda x: F.pad(x, (2, 1), mode="reflect") + F.pad(x, (2, 1), mode="circular"),
    "without gradient": lambda x: _untracked(x) * x,
}
"""What users write beyond the table."""


def _untracked(x: Tensor) -> Tensor:
    with torch.no_grad(), torch.autocast("cpu", enabled=False):
        return x.exp().sum(-1, keepdim=True)


@pytest.mark.parametrize("name", OTHERS)
def test_operators_outside_the_table_are_replaced(name: str) -> None:
    """By other spellings, rewrites and torch's decompositions: same values, same gradients, listed operators only."""
    graph = capture(Given(OTHERS[name]), torch.randn(1, 4, 6))
    x = torch.randn(3, 4, 6)
    one, other = x.clone().requires_grad_(), x.clone().requires_grad_()
    got, want = graph(one)[0], OTHERS[name](other)
    assert torch.allclose(got, want, atol=1e-5)
    torch.autograd.backward([got.sum(), want.sum()])
    assert torch.allclose(one.grad, other.grad, atol=1e-4)
    assert all(n.target in NAMES for n in graph.nodes if n.op == "call_function")
