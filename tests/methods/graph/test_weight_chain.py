"""Forms on a weight: what is put on is read off again, trained, settled and exported."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from methods.graph.intake.capture import capture
from methods.graph.ir import Graph, WeightUse
from methods.graph.lower import lower
from methods.graph.onnx_out.export import check_export, export
from methods.graph.surgery.edit import difference
from methods.graph.surgery.forms import form_of, look_up, mask_weight, scale_weight
from methods.graph.surgery.rounding import quantise_groups, quantise_weight, snap_weight
from methods.graph.surgery.settle import settled
from methods.graph.values import value_of
from tests.zoo.catalogue import network


def plain() -> Graph:
    """A network of two convolutions and two linear layers."""
    return capture(*network("plain"))


def layer(graph: Graph, site: str = "weight:fc1") -> WeightUse:
    """The layer at a site."""
    return next(use for use in graph.weight_uses() if use.site == site)


def weight(graph: Graph, site: str = "weight:fc1") -> Tensor:
    """What the layer at a site computes with."""
    return value_of(graph, layer(graph, site).node.args[1])


def half(values: Tensor) -> Tensor:
    """True for the larger half."""
    return values.abs() > values.abs().median()


def test_every_link_is_read_off_again() -> None:
    """A look-up with signs under a mask, factors and rounding: each has its name."""
    graph = plain()
    values = weight(graph)
    indices = torch.arange(values.numel()).reshape(values.shape) % 7
    look_up(graph, layer(graph), "buckets", torch.randn(7), indices, torch.where(values > 0, 1, -1))
    mask_weight(graph, layer(graph), half(values))
    scale_weight(graph, layer(graph), torch.ones(len(values), 1))
    quantise_weight(graph, layer(graph), torch.ones(len(values)), -7, 7)
    chain = form_of(layer(graph))
    assert (chain.parameter, chain.indices, chain.kind) == ("fc1.weight.buckets", "fc1.weight.indices", "buckets")
    assert (chain.mask, chain.factors, chain.signs) == ("fc1.weight_mask", "fc1.weight_factors", "fc1.weight_signs")
    assert chain.rounding is layer(graph).node.args[1]
    graph.remove_unused()
    graph.check()


def test_a_mask_gets_only_stricter() -> None:
    """Of two masks one after the other, what both keep stays, and one mask stands there."""
    graph = plain()
    values = weight(graph)
    mask_weight(graph, layer(graph), half(values), "free")
    mask_weight(graph, layer(graph), values > 0)
    assert torch.equal(weight(graph) != 0, half(values) & (values > 0))
    assert sum(str(n.target).endswith("_mask") for n in graph.nodes) == 1


def test_a_mask_goes_behind_rounding_that_is_there() -> None:
    """Masked after rounding, the weight is rounded still."""
    graph = plain()
    values = weight(graph)
    quantise_weight(graph, layer(graph), values.abs().amax(1) / 7, -7, 7)
    mask_weight(graph, layer(graph), half(values))
    graph.remove_unused()
    assert form_of(layer(graph)).rounding is layer(graph).node.args[1]
    assert torch.equal(weight(graph)[~half(values)], torch.zeros(int((~half(values)).sum())))
    assert len(torch.unique((weight(graph) / values.abs().amax(1, keepdim=True) * 7).round())) <= 15


def test_zeros_under_a_mask_survive_training() -> None:
    """A step of training moves the weights that are kept and no others."""
    graph = plain()
    mask = half(weight(graph))
    mask_weight(graph, layer(graph), mask)
    graph.remove_unused()
    graph.set_training(True)
    optimizer = torch.optim.SGD(graph.module.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1)
    before = weight(graph)
    for _ in range(2):
        graph(*graph.example(4))[0].square().sum().backward()
        optimizer.step()
    assert not weight(graph)[~mask].any()
    assert (weight(graph)[mask] != before[mask]).all()


def snapped(graph: Graph, scale: Tensor, pattern: Tensor, edges: Tensor) -> Graph:
    """The graph with levels on one layer."""
    snap_weight(graph, layer(graph), scale, pattern, edges)
    graph.remove_unused()
    return graph


@pytest.mark.parametrize("rows", [1, 20])
def test_settling_keeps_every_value_and_drops_the_full_numbers(rows: int) -> None:
    """Levels for all and levels for each channel become look-ups with the same values, in the file and in ONNX too."""
    graph = plain()
    values = weight(graph)
    size = values.abs().mean(1, keepdim=True) if rows > 1 else values.abs().mean().reshape(1)
    graph = snapped(graph, size, torch.tensor([-1.0, 0.0, 1.0]), (0.7 * size) * torch.tensor([-1.0, 1.0]))
    fixed = settled(graph)
    assert torch.equal(weight(fixed), weight(graph))
    assert len(torch.unique(weight(graph)[0].abs())) == 2
    assert "fc1.weight.codebook" in dict(fixed.module.named_parameters())
    assert check_export(graph, export(graph)) < 1e-5
    assert [op.stored_bits for op in lower(graph).ops] == [op.stored_bits for op in lower(fixed).ops]


def test_levels_get_the_sum_of_their_members_gradients() -> None:
    """And every full number gets the gradient of its level."""
    graph = plain()
    graph = snapped(graph, torch.ones(3), torch.tensor([-0.1, 0.0, 0.2]), torch.tensor([-0.05, 0.1]))
    values = weight(graph)
    pull = torch.randn(values.shape)
    scale, full = graph.tensor("fc1.weight_level_scale"), graph.tensor("fc1.weight")
    levels = scale * graph.tensor("fc1.weight_pattern")
    made = torch.ops.fitwright.snap(full, levels, graph.tensor("fc1.weight_edges"))
    by_scale, by_weight = torch.autograd.grad((made * pull).sum(), [scale, full])
    assert torch.allclose(by_scale[2], 0.2 * pull[values == 0.2].sum(), atol=1e-5)
    assert torch.equal(by_weight, pull)


def test_learned_steps_settle_to_fixed_ones() -> None:
    """The same values before and after, and the network can be exported."""
    graph = plain()
    use = layer(graph)
    values = weight(graph)
    quantise_weight(graph, use, values.abs().amax(1) / 7, -7, 7)
    node = use.node.args[1]
    target = torch.ops.aten._fake_quantize_learnable_per_channel_affine.default
    graph.set_tensor("fc1.weight_scale", values.abs().amax(1) / 7, trainable=True)
    graph.set_tensor("fc1.weight_zero_point", torch.zeros(len(values)), trainable=False)
    node.target, node.args = target, (*node.args, 1.0)  # type: ignore[union-attr]
    graph.remove_unused()
    fixed = settled(graph)
    assert torch.equal(weight(fixed), weight(graph))
    assert difference(fixed, graph, graph.example(3)) == 0.0
    assert check_export(graph, export(graph)) < 1e-5


def test_groups_have_steps_of_their_own() -> None:
    """Each run of neighbours is rounded in its own step, and the weight keeps its shape."""
    graph = plain()
    values = weight(graph)
    scale = values.reshape(-1, 16).abs().amax(1) / 7
    quantise_groups(graph, layer(graph), scale, torch.zeros(len(scale)), (-7, 7))
    graph.remove_unused()
    steps = weight(graph).reshape(-1, 16) / scale[:, None]
    assert torch.allclose(steps, steps.round(), atol=1e-4)
    assert form_of(layer(graph)).rounding is not None
    assert next(op for op in lower(graph).ops if op.site == "weight:fc1").weights[0].bits == 4
