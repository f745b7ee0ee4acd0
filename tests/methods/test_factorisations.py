"""What all factorisations share: exact at full rank, words, refusals, and which choices a search is offered."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from hwmodels.workload import Workload
from methods.base import Data, Value
from methods.channel_pruning import ChannelPruning
from methods.factorisation import Factorisation, RankedFactorisation
from methods.graph.coupling.trace import couple
from methods.graph.intake.capture import capture
from methods.graph.lower import lower
from methods.graph.observe import outputs
from methods.graph.surgery.chains import is_last_piece, is_piece, layout_of
from methods.graph.surgery.edit import difference, prune
from methods.low_rank import LowRank
from methods.numerics.compose import composed
from methods.recovery.least_squares import LeastSquares
from methods.separable import Separable
from methods.tucker import Tucker2
from tests.methods.factorised import DEVICE, EVERY, SITE, conv, layer, ranks
from tests.zoo.catalogue import network

EVERY_METHOD = pytest.mark.parametrize("method", EVERY, ids=lambda m: m.name)
RANKED = (Separable(), Tucker2(), LowRank(samples=0))
EVERY_RANKED = pytest.mark.parametrize("method", RANKED, ids=lambda m: m.name)
NO_DATA = Data((torch.zeros(0, 6, 8, 8),))


@pytest.mark.seed("svd-truncation", "jaderberg-separable", "tucker-2")
@EVERY_RANKED
def test_full_ranks_reproduce_the_layer(method: RankedFactorisation) -> None:
    """To rounding, stride and padding included, though it takes more weights than the layer had."""
    graph = conv()
    full = method.apply(graph, {SITE: ranks(method)}, NO_DATA)
    assert difference(graph, full, graph.example(4)) < 1e-5
    assert full.parameter_count > graph.parameter_count


@EVERY_METHOD
def test_the_projection_is_the_weight_that_the_row_amounts_to(method: Factorisation) -> None:
    """And projecting it again changes nothing."""
    graph = conv()
    value = method.space(graph, DEVICE).sites[SITE][-1]
    row = method.apply(graph, {SITE: value}, NO_DATA)
    uses = list(row.weight_uses())
    groups = [layout_of(row, use).groups for use in uses]
    effective = composed([row.tensor(use.weight).detach() for use in uses], groups)
    nearest = method.project(graph.tensor("one.weight"), value)
    torch.testing.assert_close(effective, nearest, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(method.project(nearest, value), nearest, atol=1e-5, rtol=1e-5)


@EVERY_METHOD
@pytest.mark.parametrize("name", ["plain", "depthwise", "inception", "temporal"])
def test_only_choices_that_save_weights_are_offered(method: Factorisation, name: str) -> None:
    """Every offer but the first needs fewer weights at its site; what needs more can still be asked for."""
    graph = capture(*network(name))
    whole = {op.site: op for op in lower(graph).ops if op.site}
    for site, values in method.space(graph, DEVICE).sites.items():
        assert method.rewrite(whole[site], {site: values[0]}) == (whole[site],)
        for value in values[1:]:
            row = Workload(method.rewrite(whole[site], {site: value}))
            assert row.weight_bytes < whole[site].weight_bytes


def test_energies_choose_the_lowest_rank_that_keeps_them() -> None:
    """By the weight's own singular values; plans, which don't see the weight, count the layer as it is."""
    graph = layer(nn.Linear(20, 12), 20)
    singular = 0.6 ** torch.arange(12.0)
    u, v = torch.linalg.qr(torch.randn(12, 12))[0], torch.linalg.qr(torch.randn(20, 12))[0]
    with torch.no_grad():
        graph.tensor("one.weight").copy_(u * singular @ v.T)
    kept = singular.square().cumsum(0) / singular.square().sum()
    wanted = int((kept < 0.95).sum()) + 1
    result = LowRank(samples=0).apply(graph, {SITE: "energy:0.95"}, Data(graph.example(1)))
    assert result.tensor("one.v.weight").shape == (wanted, 20)
    whole = next(op for op in lower(graph).ops if op.site == SITE)
    assert LowRank().rewrite(whole, {SITE: "energy:0.95"}) == (whole,)


@pytest.mark.parametrize("method", [LowRank(samples=0), Separable()], ids=lambda m: m.name)
def test_a_layer_that_a_word_would_make_larger_stays(method: RankedFactorisation) -> None:
    """All of its energy needs the full rank, and that needs more weights."""
    graph = conv()
    kept = method.apply(graph, {SITE: "energy:1"}, NO_DATA)
    assert [use.weight for use in kept.weight_uses()] == ["one.weight"]
    weight = graph.tensor("one.weight").detach()
    assert torch.equal(method.project(weight, "energy:1"), weight)


@EVERY_METHOD
def test_a_layer_of_one_channel_is_left_or_exact(method: Factorisation) -> None:
    """One channel in and out has rank one, which nothing is lost by."""
    graph = layer(nn.Conv2d(1, 1, 3), 1, 5, 5)
    value: Value = {"depthwise-separable": "replace", "tucker-2": "rank:1,1", "separable": "rank:3"}.get(
        method.name, "rank:1"
    )
    result = method.apply(graph, {SITE: value}, Data((torch.zeros(0, 1, 5, 5),)))
    assert difference(graph, result, graph.example(2)) < 1e-5


@EVERY_METHOD
def test_one_sample_and_zeros_are_enough(method: Factorisation) -> None:
    """A single calibration sample, a constant one, and a constant weight: the result is sound."""
    graph = conv()
    with torch.no_grad():
        graph.tensor("one.weight").fill_(0.25)
    value = method.space(graph, DEVICE).sites[SITE][-1]
    for sample in (graph.example(1), (torch.zeros(1, 6, 8, 8),)):
        result = method.apply(graph, {SITE: value}, Data(sample))
        assert difference(graph, result, graph.example(3, seed=2)) < 1e-4


@EVERY_METHOD
@pytest.mark.parametrize("cut", [False, True])
def test_least_squares_repairs_the_last_layer_of_any_row(method: Factorisation, cut: bool) -> None:
    """On samples that it has not seen; also where channels inside the rows were cut, and where the layers' own were
    before."""
    teacher = capture(*network("residual"))
    data, fresh = Data(teacher.example(256)), teacher.example(64, seed=9)
    start = ChannelPruning().apply(teacher, {"channels:conv1": 0.8}, data) if cut else teacher
    values = {"depthwise-separable": "replace", "tucker-2": 0.75}
    choices: dict[str, Value] = {f"weight:{name}": values.get(method.name, 0.375) for name in ("conv1", "conv2")}
    rows = replace(method, samples=0) if hasattr(method, "samples") else method
    made = rows.apply(start, choices, data)
    if cut:
        inside = {site: g for site, g in couple(made).groups.items() if site.endswith((".v", ".core"))}
        made = prune(made, {site: range(1, len(g)) for site, g in inside.items() if len(g) > 2})
    repaired = LeastSquares().recover(made, teacher, data, 0)
    inner = [u.weight for u in made.weight_uses() if is_piece(made, u.weight) and not is_last_piece(made, u.weight)]
    assert all(torch.equal(made.tensor(name), repaired.tensor(name)) for name in inner)
    wanted = outputs(teacher, fresh)[0]
    before, after = (float((outputs(g, fresh)[0] - wanted).norm()) for g in (made, repaired))
    assert after < 0.9 * before


@EVERY_METHOD
@pytest.mark.parametrize("precision", [torch.float64, torch.bfloat16])
def test_a_row_has_the_layers_own_precision(method: Factorisation, precision: torch.dtype) -> None:
    """Its weights can stand where the layer's did."""
    graph = conv()
    graph.set_tensor("one.weight", graph.tensor("one.weight").to(precision), trainable=True)
    value = method.space(graph, DEVICE).sites[SITE][-1]
    row = method.apply(graph, {SITE: value}, NO_DATA)
    assert {row.tensor(use.weight).dtype for use in row.weight_uses()} == {precision}
