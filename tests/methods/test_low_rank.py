"""Low rank."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from hwmodels.device import Device
from hwmodels.workload import Op
from methods.base import Data, MethodError
from methods.graph.intake.capture import capture
from methods.graph.lower import lower
from methods.graph.surgery.edit import BadEdit, difference
from methods.low_rank import LowRank
from methods.numerics.compose import composed
from tests.methods.factorised import SITE, layer
from tests.zoo.catalogue import network

DEVICE = Device("toy", "toy", "analytical", "roofline", {"fp32": 1e9}, {}, ())


def test_both_factors_keep_the_name_and_the_site_of_the_layer() -> None:
    """`fc1` becomes `fc1.v` and `fc1.u`, the bias goes to the second, and the site stays."""
    graph = capture(*network("plain"))
    result = LowRank().apply(graph, {"weight:fc1": 0.25}, Data(graph.example(4)))
    names = [name for name, _ in result.module.named_parameters() if name.startswith("fc1")]
    assert sorted(names) == ["fc1.u.bias", "fc1.u.weight", "fc1.v.weight"]
    assert [use.weight for use in result.weight_uses() if use.site == "weight:fc1"] == ["fc1.v.weight", "fc1.u.weight"]
    assert result.tensor("fc1.v.weight").shape == (5, 192)
    torch.testing.assert_close(result.tensor("fc1.u.bias"), graph.tensor("fc1.bias"))


@pytest.mark.parametrize("samples", [0, 8])
@pytest.mark.parametrize(("name", "site"), [("plain", "conv2"), ("plain", "fc1"), ("residual", "stem")])
def test_at_the_full_rank_nothing_is_lost(name: str, site: str, samples: int) -> None:
    """Convolutions with any padding and linear layers, with samples and without."""
    graph = capture(*network(name))
    full = LowRank(samples=samples).apply(graph, {f"weight:{site}": 0.999}, Data(graph.example(8)))
    assert f"{site}.u.weight" in dict(full.module.named_parameters())
    assert difference(graph, full, graph.example(3, seed=1)) < 1e-4


def test_samples_choose_better_directions_than_the_weight() -> None:
    """For inputs that vary in two directions, rank two is nearly exact only with a look at them."""
    graph = capture(*network("transformer"))
    with torch.no_grad():
        graph.tensor("embed.weight").copy_(torch.randn(50, 2) @ torch.randn(2, 16))
    data, choices = Data(graph.example(32)), {"weight:layer.self_attn.in_proj_weight": 0.125}
    blind, seeing = (LowRank(samples=n).apply(graph, choices, data) for n in (0, 32))
    assert difference(graph, seeing, data.inputs) < 0.2 * difference(graph, blind, data.inputs)


def test_only_ranks_that_save_weights_are_offered() -> None:
    """A square layer not at half its rank; a depthwise convolution never."""
    sites = LowRank().space(capture(*network("depthwise")), DEVICE).sites
    assert "weight:depth" not in sites
    square = LowRank().space(capture(*network("shuffle")), DEVICE).sites["weight:b"]
    assert square == (1.0, 0.375, 0.25, 0.125)


def shown(op: Op) -> tuple[object, ...]:
    return op.name, op.weights, op.inputs, op.outputs, op.macs, op.attributes


def test_the_plan_splits_operators_as_the_graph_does() -> None:
    """Names, shapes, geometry and what reads what, strides and padding included."""
    graph = capture(*network("depthwise"))
    choices = {"weight:expand": 0.5, "weight:stem": 0.5}
    planned = [o for op in lower(graph).ops for o in LowRank().rewrite(op, choices)]
    real = lower(LowRank().apply(graph, choices, Data(graph.example(2)))).ops
    halves = [(shown(a), shown(b)) for a in planned for b in real if a.name == b.name and a.name[-2:] in ("_v", "_u")]
    assert len(halves) == 4
    assert all(a == b for a, b in halves)


def test_a_weight_that_is_not_finite_is_refused() -> None:
    """With its site, and no trace of the arithmetic below."""
    graph = capture(*network("plain"))
    with torch.no_grad():
        graph.tensor("fc1.weight")[0, 0] = float("nan")
    with pytest.raises(MethodError, match=r"weight:fc1 holds 1 numbers that are NaN"):
        LowRank(samples=0).apply(graph, {"weight:fc1": 0.5}, Data(graph.example(1)))


def test_a_parameter_of_the_users_own_is_never_overwritten() -> None:
    """A layer that already has a `u` of its own keeps it."""
    graph = capture(*network("plain"))
    graph.set_tensor("fc1.u.weight", torch.zeros(1), trainable=True)
    with pytest.raises(BadEdit, match=r"fc1\.u\.weight of its own"):
        LowRank(samples=0).apply(graph, {"weight:fc1": 0.5}, Data(graph.example(1)))


@pytest.mark.seed("svd-truncation")
@pytest.mark.parametrize("rank", [1, 4, 9])
def test_what_is_lost_is_what_the_singular_values_left_out_hold(rank: int) -> None:
    """Eckart and Young, 1936: the root of their squares, in the weight that the two layers amount to."""
    torch.manual_seed(0)
    for made, shape in ((nn.Linear(14, 11), (14,)), (nn.Conv2d(4, 11, 3), (4, 5, 5))):
        graph = layer(made, *shape)
        weight = graph.tensor("one.weight").detach()
        left_out = torch.linalg.svdvals(weight.flatten(1).double())[rank:]
        result = LowRank(samples=0).apply(graph, {SITE: f"rank:{rank}"}, Data(graph.example(1)))
        pair = [result.tensor(use.weight).detach() for use in result.weight_uses()]
        assert float((composed(pair, [1, 1]) - weight).norm()) == pytest.approx(float(left_out.norm()), rel=1e-4)
        balance = [float(piece.norm()) for piece in pair]
        assert balance[0] == pytest.approx(balance[1], rel=1e-3)


@pytest.mark.seed("svd-truncation")
def test_a_layer_saves_below_the_rank_of_the_formula() -> None:
    """r < m n / (m + n): seven of fourteen times eleven needs more, six needs less."""
    op = next(op for op in lower(layer(nn.Linear(14, 11, bias=False), 14)).ops if op.site == SITE)
    bytes_at = {r: sum(made.weight_bytes for made in LowRank().rewrite(op, {SITE: f"rank:{r}"})) for r in (6, 7)}
    assert bytes_at == {6: 4 * 6 * 25, 7: 4 * 7 * 25}
    assert bytes_at[6] < op.weight_bytes < bytes_at[7]
