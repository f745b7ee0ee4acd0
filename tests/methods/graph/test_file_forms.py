"""Model files of weights in every form: the same network comes back, in the bytes that its forms should take."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import log2

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from methods.graph.file import from_bytes, packed_bytes, to_bytes
from methods.graph.intake.capture import capture
from methods.graph.ir import Graph, WeightUse
from methods.graph.surgery import forms, rounding
from methods.graph.values import value_of
from methods.numerics.circulant import blocks_shape, diagonals
from methods.numerics.hashing import hashed

INPUTS, UNITS = 64, 96


@cache
def network() -> Graph:
    """Two linear layers and a convolution, of 6,144 + 192 + 2,304 weights."""
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Linear(INPUTS, UNITS), nn.ReLU(), nn.Unflatten(1, (6, 4, 4)), nn.Conv2d(6, 8, 3))
    return capture(nn.Sequential(layers, nn.Flatten(), nn.Linear(32, 6)), torch.zeros(1, INPUTS))


def use_of(graph: Graph, place: int = 0) -> WeightUse:
    """One layer, the first unless another is asked for."""
    return list(graph.weight_uses())[place]


def free_mask(weight: Tensor, share: float = 0.1) -> Tensor:
    """The largest entries."""
    return weight.abs() >= weight.abs().flatten().kthvalue(int(weight.numel() * (1 - share))).values


def shared(graph: Graph, use: WeightUse, entries: int = 16) -> None:
    weight = graph.tensor(use.weight).detach()
    book = torch.linspace(float(weight.min()), float(weight.max()), entries)
    forms.share_weight(graph, use, book, (weight[..., None] - book).abs().argmin(-1))


def masked(graph: Graph, use: WeightUse) -> None:
    forms.mask_weight(graph, use, free_mask(graph.tensor(use.weight).detach()))


def both(graph: Graph, use: WeightUse) -> None:
    masked(graph, use)
    shared(graph, use_of(graph))


def quantised(graph: Graph, use: WeightUse, bits: int = 4, zero: bool = False) -> None:
    weight = value_of(graph, use.node.args[1])
    scale = weight.flatten(1).abs().amax(1) / (2 ** (bits - 1) - 1)
    points = torch.arange(len(scale)) % 3 if zero else None
    rounding.quantise_weight(graph, use, scale, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1, points)


def masked_codes(graph: Graph, use: WeightUse) -> None:
    masked(graph, use)
    quantised(graph, use_of(graph))


def everything(graph: Graph, use: WeightUse) -> None:
    both(graph, use)
    forms.scale_weight(graph, use_of(graph), torch.linspace(0.3, 2.0, UNITS)[:, None])
    quantised(graph, use_of(graph), 8)


def grouped(graph: Graph, use: WeightUse) -> None:
    weight = graph.tensor(use.weight).detach()
    scale = weight.reshape(-1, 16).abs().amax(1) / 7
    rounding.quantise_groups(graph, use, scale, torch.zeros(len(scale)), (-8, 7))


def scaled(graph: Graph, use: WeightUse) -> None:
    forms.scale_weight(graph, use, torch.linspace(0.3, 2.0, UNITS)[:, None])
    quantised(graph, use_of(graph), 8)


def snapped(graph: Graph, use: WeightUse) -> None:
    edges = torch.tensor([-0.05, 0.05])
    rounding.snap_weight(graph, use, torch.tensor([0.07]), torch.tensor([-1.0, 0.0, 1.0]), edges)


def hashing(graph: Graph, use: WeightUse) -> None:
    made = hashed((UNITS, INPUTS), 400, 1)
    values = torch.randn(400, generator=torch.Generator().manual_seed(0))
    indices, signs = torch.from_numpy(made.indices), torch.from_numpy(made.signs)
    forms.look_up(graph, use, "buckets", values, indices, signs)


def circulant(graph: Graph, use: WeightUse) -> None:
    count = int(np.prod(blocks_shape((UNITS, INPUTS), 8)))
    flips = torch.where(torch.arange(INPUTS) % 3 == 0, -1, 1).expand(UNITS, INPUTS)
    forms.look_up(graph, use, "circulant", torch.randn(count), diagonals((UNITS, INPUTS), 8), flips)


PLACES = 0.1 * log2(10) + 0.9 * log2(10 / 9)
"""Bits of each place of a mask that keeps a tenth."""
FORMS: dict[str, tuple[Callable[[Graph, WeightUse], None], float]] = {
    "codebook": (shared, 4.0),
    "mask": (masked, 3.2 + PLACES),
    "mask and codebook": (both, 0.4 + PLACES),
    "4-bit channels": (quantised, 4.0 + 32 / INPUTS),
    "8-bit channels with zero points": (lambda g, u: quantised(g, u, 8, zero=True), 8.0 + 34 / INPUTS),
    "16-bit channels": (lambda g, u: quantised(g, u, 16), 16.0 + 32 / INPUTS),
    "mask and 4-bit channels": (masked_codes, 0.4 + PLACES + 32 / INPUTS),
    "mask, codebook, factors and rounding": (everything, 0.4 + PLACES + 96 / INPUTS),
    "4-bit groups": (grouped, 4.0 + 32 / 16),
    "codes of scaled weights": (scaled, 8.0 + 64 / INPUTS),
    "ternary": (snapped, 1.6),
    "hashed": (hashing, 32 * 400 / 6144),
    "circulant": (circulant, 32 / 8 + 1 / UNITS),
}


def formed(name: str) -> Graph:
    """The network with its first layer in one form."""
    graph = network().clone()
    torch.manual_seed(1)
    FORMS[name][0](graph, use_of(graph))
    graph.remove_unused()
    return graph


@pytest.mark.seed("deep-compression", "sparse-storage")
@pytest.mark.parametrize("name", FORMS)
def test_every_form_comes_back(name: str) -> None:
    """Weights as the layers see them and outputs are equal bit for bit, and so is a second file."""
    graph = formed(name)
    data = to_bytes(graph)
    again = from_bytes(data)
    for one, other in zip(graph.weight_uses(), again.weight_uses(), strict=True):
        assert torch.equal(value_of(graph, one.node.args[1]), value_of(again, other.node.args[1]))
    x = graph.example(5)
    assert torch.equal(graph(*x)[0], again(*x)[0])
    assert to_bytes(again) == data


@pytest.mark.parametrize("name", FORMS)
def test_every_form_takes_the_bytes_that_it_should(name: str) -> None:
    """Against the full network: so many bits a weight for 32, and at most 240 bytes for tables and names."""
    expected = packed_bytes(network()) - INPUTS * UNITS * (32 - FORMS[name][1]) / 8
    assert packed_bytes(formed(name)) <= expected * 1.01 + 240


def test_a_mask_is_kept_where_a_kept_weight_is_zero() -> None:
    """Trained on, such a weight may grow; its places are the mask's, not those of its zeros."""
    graph = network().clone()
    weight = graph.tensor(use_of(graph).weight).detach().clone()
    mask = free_mask(weight)
    weight[mask] = 0.0
    graph.set_tensor(use_of(graph).weight, weight)
    forms.mask_weight(graph, use_of(graph), mask, "2:4")
    again = from_bytes(to_bytes(graph))
    name = forms.form_of(use_of(again)).mask
    assert torch.equal(again.tensor(name), mask)
    assert again.patterns == graph.patterns


def test_a_reloaded_network_trains_on_under_its_forms() -> None:
    """Gradients reach codebook and masked weights; what is masked stays zero."""
    again = from_bytes(to_bytes(formed("mask and codebook")))
    book = dict(again.module.named_parameters())[use_of(again).weight]
    again(*again.example(4))[0].sum().backward()
    assert book.grad is not None
    assert bool((value_of(again, use_of(again).node.args[1]) == 0).sum() >= 5500)


def test_a_weight_that_somebody_else_reads_too_is_kept_whole() -> None:
    """Codes would take the full numbers from the second reader."""
    graph = network().clone()
    quantised(graph, use_of(graph))
    source = use_of(graph).source
    output = graph.nodes[-1]
    with graph.module.graph.inserting_before(output):
        total = graph.module.graph.call_function(torch.ops.aten.sum.default, (source,))
        made = graph.module.graph.call_function(torch.ops.aten.add.Tensor, (output.args[0][0], total))  # type: ignore[index]
    output.args = ((made,),)
    graph.module.recompile()
    again = from_bytes(to_bytes(graph))
    assert torch.equal(again.tensor(str(source.target)), graph.tensor(str(source.target)))


def test_little_else_is_in_a_file() -> None:
    """Beside its weights, a file of three layers takes less than 700 bytes."""
    numbers = sum(p.numel() * 4 for p in network().module.parameters())
    assert packed_bytes(network()) < numbers + 700
