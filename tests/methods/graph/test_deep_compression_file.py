"""Deep Compression's last two stages on LeNet-5: the file holds what its own arithmetic counts, and nothing is lost."""

from __future__ import annotations

import heapq
import io
import zipfile
from collections import Counter
from functools import cache

import pytest
import torch

from examples.networks import lenet5
from methods.graph.file import from_bytes, packed_bytes, to_bytes
from methods.graph.intake.capture import capture
from methods.graph.ir import Graph, WeightUse
from methods.graph.surgery.forms import form_of, mask_weight, share_weight
from methods.graph.values import value_of

KEPT = {"conv1.weight": 0.66, "conv2.weight": 0.12, "fc1.weight": 0.08, "fc2.weight": 0.19}
"""Shares of weights that the paper keeps (table 3)."""
CONV_BITS, FC_BITS = 8, 5


@cache
def original() -> Graph:
    torch.manual_seed(0)
    return capture(lenet5(), torch.zeros(1, 1, 28, 28))


@cache
def compressed() -> Graph:
    """Pruned by magnitude to the paper's shares, weights of each layer shared: 256 values (conv) and 32 (fc)."""
    graph = original().clone()
    for name, share in KEPT.items():
        use = next(u for u in graph.weight_uses() if u.weight == name)
        weight = graph.tensor(name).detach()
        shape = torch.randn(weight.shape, generator=torch.Generator().manual_seed(1)) * weight.std()
        entries = min(2 ** (CONV_BITS if "conv" in name else FC_BITS), int(weight.numel() * share) // 2)
        book = torch.linspace(float(shape.min()), float(shape.max()), entries)
        mask = shape.abs() >= shape.abs().flatten().kthvalue(int(weight.numel() * (1 - share))).values
        mask_weight(graph, use, mask)
        use = next(u for u in graph.weight_uses() if u.weight == name)
        share_weight(graph, use, book, (shape[..., None] - book).abs().argmin(-1))
    graph.remove_unused()
    return graph


def coded_bits(symbols: list[int]) -> int:
    """Bits of a Huffman code by its own construction, with a table of 4 bits for each symbol up to the highest."""
    heap = list(Counter(symbols).values())
    heapq.heapify(heap)
    total = 4 * (max(symbols) + 1)
    while len(heap) > 1:
        merged = heapq.heappop(heap) + heapq.heappop(heap)
        total += merged
        heapq.heappush(heap, merged)
    return total


def gap_bits(mask: list[bool], bits: int) -> int:
    """Bits of Huffman-coded gaps between kept weights, bridged by fillers where they are wider than `bits`."""
    filler, symbols, skipped = 2**bits - 1, [], 0
    for kept in mask:
        if kept:
            symbols += [filler] * (skipped // filler) + [skipped % filler]
        skipped = 0 if kept else skipped + 1
    return min(coded_bits(symbols), bits * len(symbols))


def counted_bytes(graph: Graph, use: WeightUse) -> float:
    """What a layer takes on paper: its book, an index for each kept weight, the gaps between; its bias."""
    chain = form_of(use)
    mask = graph.tensor(chain.mask).flatten()
    indices = graph.tensor(chain.indices)[mask].tolist()
    book = graph.tensor(use.weight)
    places = min(*(gap_bits(mask.tolist(), bits) for bits in range(2, 9)), mask.numel())
    values = min(coded_bits(indices), (len(book) - 1).bit_length() * len(indices))
    return 4 * len(book) + (values + places) / 8 + 4 * graph.tensor(use.weight.split(".")[0] + ".bias").numel()


@pytest.mark.seed("deep-compression")
def test_weights_come_back_bit_for_bit() -> None:
    """Every weight of the four layers, and the outputs."""
    graph, again = compressed(), from_bytes(to_bytes(compressed()))
    for one, other in zip(graph.weight_uses(), again.weight_uses(), strict=True):
        assert torch.equal(value_of(graph, one.node.args[1]), value_of(again, other.node.args[1]))
        assert torch.equal(graph.tensor(form_of(one).mask), again.tensor(form_of(other).mask))
    x = graph.example(4)
    assert torch.equal(graph(*x)[0], again(*x)[0])


@pytest.mark.seed("deep-compression", "sparse-storage", "huffman-coding")
def test_the_file_is_as_large_as_the_count_on_paper() -> None:
    """Within 1 %, with the network's description as it is; nothing is counted that the file does not hold."""
    graph = compressed()
    data = to_bytes(graph)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        description = len(data) - archive.getinfo("weights.bin").file_size
    counted = sum(counted_bytes(graph, use) for use in graph.weight_uses())
    assert description < 1000
    assert len(data) == pytest.approx(counted + description, rel=0.01)


@pytest.mark.seed("deep-compression")
def test_the_file_is_35_times_smaller() -> None:
    """At the paper's shares and bits, against the full network's file."""
    assert packed_bytes(original()) > 35 * packed_bytes(compressed())
