"""Masks stay: through training, files, export, sharing, quantising; and a masked channel is as good as gone."""

from __future__ import annotations

from functools import cache

import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import numpy_helper
from torch import Tensor
from torch.nn import functional as F

from methods.base import Data, Value
from methods.graph.coupling.groups import ChannelGroup
from methods.graph.coupling.verify import trusted
from methods.graph.file import from_bytes, packed_bytes, to_bytes
from methods.graph.intake.capture import capture
from methods.graph.ir import Graph, WeightUse
from methods.graph.lower import lower
from methods.graph.onnx_out.export import check_export, export
from methods.graph.surgery.edit import difference, prune
from methods.graph.surgery.forms import is_full, mask_of, mask_weight
from methods.graph.values import value_of
from methods.numerics.kernel_patterns import strided
from methods.numerics.patterns import columns, rows
from methods.quantization import Quantization
from methods.recovery.fine_tuning import FineTuning
from methods.sparsity import Sparsity
from methods.weight_sharing import WeightSharing
from tests.zoo.catalogue import network

NONE = Data((torch.zeros(0),))
CHOICES: dict[str, Value] = {"weight:conv1": 0.5, "weight:conv2": "pattern:4+kernel:0.5", "weight:fc1": 0.1}
CHOICES |= {"weight:fc2": "2:4"}


@cache
def captured(name: str) -> Graph:
    """A network of the zoo."""
    return capture(*network(name))


@cache
def sparse() -> Graph:
    """A network with a mask of another kind at each of its layers."""
    return Sparsity().apply(captured("plain"), CHOICES, NONE)


def samples() -> Data:
    """Labelled noise, enough to move every weight."""
    return Data(captured("plain").example(32), torch.arange(32) % 5)


def zeros(graph: Graph) -> dict[str, Tensor]:
    """Site -> where the weight that its layer computes with is exactly zero."""
    return {use.site: value_of(graph, use.node.args[1]) == 0 for use in graph.weight_uses()}


def same_zeros(graph: Graph) -> bool:
    """Whether every weight is zero exactly where the masks of `sparse` are."""
    wanted = zeros(sparse())
    return all(torch.equal(found, wanted[site]) for site, found in zeros(graph).items())


@pytest.mark.seed("han-magnitude")
def test_zeros_stay_zero_through_training() -> None:
    """Retraining moves the weights that are left and no other, to the last bit."""
    trained = FineTuning(epochs=2, learning_rate=0.01, held_out=0.0).recover(sparse(), captured("plain"), samples(), 0)
    assert same_zeros(trained)
    assert all(not torch.equal(a, b) for a, b in zip(*(list(g.module.parameters()) for g in (sparse(), trained))))


@pytest.mark.seed("nm-sparsity")
def test_two_of_four_stay_two_of_four_through_training() -> None:
    """Every four neighbours hold two non-zeros before and after."""
    trained = FineTuning(epochs=1).recover(sparse(), captured("plain"), samples(), 0)
    for graph in (sparse(), trained):
        weight = next(value_of(graph, use.node.args[1]) for use in graph.weight_uses() if use.site == "weight:fc2")
        assert bool((weight.reshape(-1, 4).count_nonzero(dim=1) == 2).all())


def test_masks_come_back_from_a_file() -> None:
    """Values to the last bit, zeros, and the names of the patterns; and the file is smaller."""
    again = from_bytes(to_bytes(sparse()))
    assert difference(sparse(), again, captured("plain").example(3)) == 0.0
    assert same_zeros(again)
    assert [(op.density, op.pattern) for op in lower(again).ops] == [
        (o.density, o.pattern) for o in lower(sparse()).ops
    ]
    assert packed_bytes(sparse()) < 0.4 * packed_bytes(captured("plain"))
    trained = FineTuning(epochs=1).recover(again, captured("plain"), samples(), 0)
    assert same_zeros(trained)


def test_the_exported_file_holds_plain_weights_with_exact_zeros() -> None:
    """No mask is multiplied at run time, and the counts are those of the masks."""
    data = export(sparse())
    model = onnx.load_from_string(data)
    assert "Mul" not in [node.op_type for node in model.graph.node]
    tensors = [numpy_helper.to_array(t) for t in model.graph.initializer]
    found = sorted(int((t == 0).sum()) for t in tensors if t.ndim > 1)
    assert found == sorted(int(mask.sum()) for mask in zeros(sparse()).values())
    check_export(sparse(), data)


def test_sharing_behind_a_mask_shares_what_is_left() -> None:
    """Zeros stay, no centre is spent on them, and training keeps both forms."""
    chosen: dict[str, Value] = dict.fromkeys(CHOICES, 2)
    shared = WeightSharing().apply(sparse(), chosen, NONE)
    for graph in (shared, FineTuning(epochs=1).recover(shared, captured("plain"), samples(), 0)):
        assert same_zeros(graph)
        for use in graph.weight_uses():
            assert len(value_of(graph, use.node.args[1]).unique()) == 5
    assert [op.pattern for op in lower(shared).ops] == [op.pattern for op in lower(sparse()).ops]


def test_zeros_stay_zero_through_quantising() -> None:
    """Zero is a code of its own: no weight that was masked comes back, at eight bits behind a mask or a codebook."""
    coded = Quantization().apply(sparse(), dict.fromkeys(CHOICES, "int8"), samples())
    masks = zeros(sparse())
    assert all(bool(found[masks[site]].all()) for site, found in zeros(coded).items())
    trained = FineTuning(epochs=1).recover(coded, captured("plain"), samples(), 0)
    assert all(bool(found[masks[site]].all()) for site, found in zeros(trained).items())


def readers(graph: Graph, group: ChannelGroup) -> list[tuple[WeightUse, int, Tensor, Tensor]]:
    """The layers that read a group: use, axis, entries and the unit of each; nothing where others read it too."""
    uses = {use.weight: use for use in graph.weight_uses() if is_full(use)}
    places = [p for p in group.places if p.role == "in"]
    if not all(p.parameter in uses for p in places):
        return []
    return [(uses[p.parameter], p.dim, p.index, p.unit) for p in places]


@pytest.mark.seed("row-column-pruning", "pruning-granularity")
@settings(max_examples=30, deadline=None)
@given(st.sampled_from(["plain", "residual", "depthwise", "dense", "vgg", "resnet_basic", "mlp"]), st.data())
def test_shrunk_equals_masked(name: str, draw: st.DataObject) -> None:
    """Masking all weights that read some channels gives the outputs of the network without those channels."""
    graph = captured(name)
    known = {site: readers(graph, group) for site, group in trusted(graph).groups.items() if len(group) > 1}
    site = draw.draw(st.sampled_from([site for site, found in known.items() if found]))
    units = len(trusted(graph).groups[site])
    gone = torch.tensor(sorted(draw.draw(st.sets(st.integers(0, units - 1), min_size=1, max_size=units - 1))))
    masked = graph.clone()
    for use, axis, index, unit in readers(masked, trusted(graph).groups[site]):
        known_mask = mask_of(masked, use)
        mask = (
            torch.ones_like(masked.tensor(use.weight), dtype=torch.bool) if known_mask is None else known_mask.clone()
        )
        mask.index_fill_(axis, index[torch.isin(unit, gone)], False)
        mask_weight(masked, use, mask)
    masked.module.recompile()
    shrunk = prune(graph, {site: [u for u in range(units) if u not in gone.tolist()]})
    assert difference(masked, shrunk, graph.example(2)) < 1e-5


def test_a_masked_row_is_a_channel_that_can_go() -> None:
    """Rows chosen by the method, their bias at zero: the network without those channels computes the same."""
    graph = captured("plain").clone()
    masked = Sparsity().apply(graph, {"weight:conv2": "row:0.5"}, NONE)
    dead = zeros(masked)["weight:conv2"].flatten(1).all(1)
    for each in (graph, masked):
        each.tensor("conv2.bias").data[dead] = 0
    shrunk = prune(graph, {"channels:conv2": (~dead).nonzero().flatten().tolist()})
    assert difference(masked, shrunk, graph.example(4)) < 1e-5


@pytest.mark.seed("row-column-pruning", "intra-kernel-strided", "group-brain-damage")
@settings(deadline=None)
@given(st.integers(1, 6), st.integers(1, 5), st.integers(2, 4), st.sampled_from(["column", "row", "strided"]))
def test_a_smaller_product_equals_the_masked_one(out: int, into: int, size: int, kind: str) -> None:
    """Dropping the empty rows or columns of the unfolded matrix, and those inputs, computes the same convolution."""
    torch.manual_seed(out * 100 + into * 10 + size)
    weight, image = torch.randn(out, into, size, size).double(), torch.randn(2, into, 6, 6).double()
    scores = weight.square().numpy()
    half = {"column": lambda: columns(scores, into), "row": lambda: rows(scores, (out + 1) // 2)}
    mask = torch.from_numpy(half[kind]() if kind in half else strided(scores, 2))
    matrix, unfolded = (weight * mask).flatten(1), F.unfold(image, size)
    some_rows, some_columns = mask.flatten(1).any(1), mask.flatten(1).any(0)
    small = torch.zeros(2, out, unfolded.shape[2], dtype=torch.float64)
    small[:, some_rows] = matrix[some_rows][:, some_columns] @ unfolded[:, some_columns]
    masked = F.conv2d(image, weight * mask).flatten(2)
    assert int(some_columns.sum()) < into * size * size or kind == "row"
    torch.testing.assert_close(small, masked, rtol=1e-9, atol=1e-9)
