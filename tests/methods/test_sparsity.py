"""Sparsity as a method: counts, ranks, masks on masks, refusals."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from hwmodels.device import Device
from methods.base import Data, MethodError, Value
from methods.channel_pruning import ChannelPruning, units_kept
from methods.graph.coupling.trace import couple
from methods.graph.intake.capture import capture
from methods.graph.ir import Graph
from methods.graph.lower import lower
from methods.graph.surgery.forms import mask_of
from methods.graph.values import value_of
from methods.importance.catalogue import IMPORTANCES
from methods.numerics.kernel_patterns import connected
from methods.numerics.patterns import Mask, Scores
from methods.sparsity import Sparsity
from methods.sparsity_words import rule
from tests.zoo.catalogue import network

DEVICE = Device("toy", "toy", "analytical", "roofline", {"fp32": 1e9}, {}, ())
NONE = Data((torch.zeros(0),))
WORDS = ("2:4", "1:4", "4:8", "block:4x1:0.5", "block:2x3:0.25", "row:0.5", "column:0.5", "kernel:0.25")
WORDS += ("strided:2", "strided:2:1", "pattern:4", "pattern:4+kernel:0.5", "strided:2+kernel:0.5")
EVERY_VALUE = pytest.mark.parametrize("value", [0.5, 0.05, *WORDS])


@cache
def plain() -> Graph:
    """Two convolutions and two linear layers."""
    return capture(*network("plain"))


def weights(graph: Graph) -> dict[str, Tensor]:
    """Site -> the weight that its layer computes with."""
    return {use.site: value_of(graph, use.node.args[1]) for use in graph.weight_uses()}


def kept(graph: Graph, site: str) -> Tensor:
    """The mask at a site."""
    found = next(mask_of(graph, use) for use in graph.weight_uses() if use.site == site)
    assert found is not None
    return found


@pytest.mark.seed("pruning-granularity")
@EVERY_VALUE
def test_every_granularity_keeps_the_count_that_was_planned(value: Value) -> None:
    """What a rule says of a shape is what the mask has, what the graph holds and what the plan reads."""
    site, method = "weight:conv2", Sparsity()
    graph = method.apply(plain(), {site: value}, NONE)
    found = rule(value)
    assert found is not None
    shape = tuple(weights(graph)[site].shape)
    assert int(kept(graph, site).sum()) == int(weights(graph)[site].count_nonzero()) == found.left(shape)
    planned = next(o for op in lower(plain()).ops if op.site == site for o in method.rewrite(op, {site: value}))
    real = next(op for op in lower(graph).ops if op.site == site)
    assert (planned.density, planned.pattern) == (pytest.approx(real.density), real.pattern)


@EVERY_VALUE
def test_what_stays_is_what_it_was(value: Value) -> None:
    """The weights that stay keep their values, those of other layers too, and putting the form on again changes
    nothing."""
    method = Sparsity()
    before, after = weights(plain()), weights(method.apply(plain(), {"weight:conv2": value}, NONE))
    mask = after["weight:conv2"] != 0
    assert torch.equal(after["weight:conv2"], before["weight:conv2"] * mask)
    assert torch.equal(after["weight:fc1"], before["weight:fc1"])
    assert torch.equal(method.project(before["weight:conv2"], value), after["weight:conv2"])
    assert torch.equal(method.project(after["weight:conv2"], value), after["weight:conv2"])


FOUND_AT_ONCE = [0.5, 0.3, *(word for word in WORDS if "pattern" not in word and "+" not in word)]
SIZES = (st.integers(2, 9), st.integers(2, 9), st.integers(1, 4))


def two_weights(*shape: int) -> Tensor:
    """Two random weights `[2, out, in, size, size]`, the same ones for every run."""
    out, into, size = shape
    torch.manual_seed(out * 1000 + into * 10 + size)
    return torch.randn(2, out, into, size, size)


def squares(weight: Tensor) -> Scores:
    """The scores of magnitude."""
    return weight.double().square().numpy()


def lost(weight: Tensor, mask: Mask) -> float:
    """The squared error of a mask."""
    return float(weight.double()[~torch.from_numpy(mask)].square().sum())


@given(*SIZES, st.sampled_from(FOUND_AT_ONCE))
def test_no_other_mask_of_the_kind_is_nearer(out: int, into: int, size: int, value: Value) -> None:
    """Against random masks of the same rule, found from random scores. Patterns share a set that is chosen by votes;
    rules of two steps are held to each step below."""
    weight, other = two_weights(out, into, size)
    found = rule(value)
    assert found is not None
    try:
        found.left(tuple(weight.shape))
    except ValueError:
        return  # a pattern that does not fit this kernel
    error = lost(weight, (Sparsity().project(weight, value) == weight).numpy())
    assert error <= lost(weight, found.mask(squares(other))) + 1e-9


@given(*SIZES, st.sampled_from(["strided:2", "pattern:2"]))
def test_no_other_kernels_are_nearer_under_the_same_places(out: int, into: int, size: int, inside: str) -> None:
    """Two steps: first the places inside of the kernels, then the kernels that are worth most with these places."""
    weight, other = two_weights(out, into, max(size, 2))
    both, places = rule(f"{inside}+kernel:0.5"), rule(inside)
    assert both is not None
    assert places is not None
    kept = places.mask(squares(weight))
    count = both.left(tuple(weight.shape)) // (places.left(tuple(weight.shape)) // (out * into))
    random = connected(squares(other), kept, count)
    assert lost(weight, both.mask(squares(weight))) <= lost(weight, random) + 1e-5


@pytest.mark.seed("han-magnitude")
@pytest.mark.parametrize("share", [0.5, 0.1, 0.05, 0.003])
def test_zeros_are_counted_to_the_last_one(share: float) -> None:
    """The count of zeros is round(s * n) for every tensor; and they are the smallest weights."""
    chosen = dict.fromkeys(("weight:conv2", "weight:fc1"), share)
    after, before = weights(Sparsity().apply(plain(), chosen, NONE)), weights(plain())
    for site in chosen:
        zero = after[site] == 0
        assert int(zero.sum()) == round((1 - share) * zero.numel())
        assert float(before[site][zero].abs().max()) <= float(before[site][~zero].abs().min())


@pytest.mark.parametrize(("first", "second"), [(0.5, 0.25), (0.5, "2:4"), ("2:4", "1:4"), ("kernel:0.5", 0.1)])
def test_masks_only_get_stricter(first: Value, second: Value) -> None:
    """Iterative pruning keeps a subset, and a share still counts all the weights."""
    once = Sparsity().apply(plain(), {"weight:conv2": first}, NONE)
    twice = Sparsity().apply(once, {"weight:conv2": second}, NONE)
    before, after = kept(once, "weight:conv2"), kept(twice, "weight:conv2")
    assert bool((after <= before).all())
    if isinstance(second, float):
        assert int(after.sum()) == round(second * after.numel())


def test_nothing_grows_back() -> None:
    """A weaker request after a stronger one changes nothing."""
    once = Sparsity().apply(plain(), {"weight:conv2": 0.25}, NONE)
    twice = Sparsity().apply(once, {"weight:conv2": 0.5}, NONE)
    assert torch.equal(kept(once, "weight:conv2"), kept(twice, "weight:conv2"))


@settings(max_examples=15)
@given(st.tuples(*[st.sampled_from([0.5, 0.2, 0.05, 1.0])] * 3))
def test_a_global_ranking_keeps_the_total(shares: tuple[float, ...]) -> None:
    """As many as the shares come to, under one threshold for all sites; each keeps its largest."""
    chosen = dict(zip(("weight:conv2", "weight:fc1", "weight:fc2"), shares))
    before, after = weights(plain()), weights(Sparsity(ranking="global").apply(plain(), chosen, NONE))
    sites = [site for site, share in chosen.items() if share < 1]
    wanted = sum(before[site].numel() - round((1 - chosen[site]) * before[site].numel()) for site in sites)
    assert sum(int(after[site].count_nonzero()) for site in sites) == wanted
    if sites:
        gone = max(float(before[s][after[s] == 0].abs().max()) for s in sites if bool((after[s] == 0).any()))
        ranked = [before[s][after[s] != 0].abs().sort().values for s in sites]
        assert all(float(values[:-1].min()) >= gone for values in ranked if len(values) > 1)


@pytest.mark.parametrize("name", ["taylor", "fisher", "gradient", "random", "magnitude-l1"])
@pytest.mark.parametrize("value", [0.25, "2:4", "row:0.5"])
def test_the_same_rules_serve_every_importance(name: str, value: Value) -> None:
    """One interface: the weights that stay are those that the importance says are worth most."""
    data = Data(plain().example(16), torch.arange(16) % 5)
    graph = Sparsity(importance=name).apply(plain(), {"weight:fc1": value}, data)
    scores = IMPORTANCES[name].weights(plain(), data)["fc1.weight"].double().numpy()
    found = rule(value)
    assert found is not None
    assert torch.equal(kept(graph, "weight:fc1"), torch.from_numpy(found.mask(scores)))


def test_an_importance_of_units_only_is_refused() -> None:
    """With the names of those that score weights."""
    with pytest.raises(MethodError, match="magnitude"):
        Sparsity(importance="batch-norm-scale").apply(plain(), {"weight:fc1": 0.5}, NONE)


def test_masks_that_leave_nothing_together_are_refused() -> None:
    """Two offsets of a stride have no place in common: a layer of zeros would be a silent wrong model."""
    once = Sparsity().apply(plain(), {"weight:conv2": "strided:2:0"}, NONE)
    with pytest.raises(MethodError, match=r"weight:conv2.*no weight would be left"):
        Sparsity().apply(once, {"weight:conv2": "strided:2:1"}, NONE)


@pytest.mark.seed("pruning-granularity")
@pytest.mark.parametrize("name", ["magnitude", "taylor", "random"])
def test_channels_are_counted_by_the_same_criteria(name: str) -> None:
    """The step above kernels: a share of channels removes exactly as many of them, by any importance."""
    data = Data(plain().example(16), torch.arange(16) % 5)
    sites = ChannelPruning().space(plain(), DEVICE).sites
    for site in sites:
        graph = ChannelPruning(importance=name).apply(plain(), {site: 0.5}, data)
        assert len(couple(graph).groups[site]) == units_kept(len(couple(plain()).groups[site]), 0.5)
