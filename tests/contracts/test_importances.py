"""What every importance promises, on networks that tie their channels in different ways: a new one is tested by its
line in the catalogue."""

from __future__ import annotations

import sys
from dataclasses import fields
from functools import cache
from typing import Any

import pytest
import torch

from methods.base import BadChoice, Data, Importance, MethodError
from methods.channel_pruning import ChannelPruning
from methods.graph.coupling.trace import couple
from methods.graph.file import to_bytes
from methods.graph.intake.capture import capture
from methods.graph.ir import Graph
from methods.importance.catalogue import IMPORTANCES, importance
from methods.importance.checks import layer_weights
from methods.importance.slices import REDUCTIONS
from tests.zoo.catalogue import network

torch.set_num_threads(1)

NETWORKS = ("plain", "residual", "depthwise", "dense", "transformer", "recurrent")
EVERY_IMPORTANCE = pytest.mark.parametrize("each", IMPORTANCES.values(), ids=lambda i: i.name)
EVERY_NETWORK = pytest.mark.parametrize("name", NETWORKS)

PARTIAL = ("batch-norm-scale", "lasso")
"""Those that say nothing about some sites, and nothing about single weights."""
WITHOUT_DATA = ("magnitude", "magnitude-l1", "group-magnitude", "batch-norm-scale", "random")
BLIND = ("random",)
"""Those that don't look at the network."""


@cache
def captured(name: str) -> tuple[Graph, Data]:
    """A network of the zoo and sixteen labelled samples for it."""
    graph = capture(*network(name))
    return graph, Data(graph.example(16), torch.arange(16) % 5)


@EVERY_IMPORTANCE
@EVERY_NETWORK
def test_every_unit_has_a_score(each: Importance, name: str) -> None:
    """One finite number each, never below zero, the same every time; the graph stays as it was."""
    graph, data = captured(name)
    before, groups = to_bytes(graph), couple(graph).groups
    scores = each.score(graph, data)
    assert set(scores) <= set(groups)
    assert each.name in PARTIAL or set(scores) == set(groups)
    for site, found in scores.items():
        assert found.shape == (len(groups[site]),)
        assert bool(torch.isfinite(found).all() and (found >= 0).all())
    assert all(torch.equal(found, scores[site]) for site, found in each.score(graph, data).items())
    assert to_bytes(graph) == before


@EVERY_IMPORTANCE
@EVERY_NETWORK
def test_every_weight_has_a_score_or_a_reason(each: Importance, name: str) -> None:
    """One finite number each for the weight of every layer; those that only know units name others that don't."""
    graph, data = captured(name)
    if each.name in PARTIAL:
        with pytest.raises(MethodError, match=r"can't score single weights.*magnitude, taylor"):
            each.weights(graph, data)
        return
    before, scores = to_bytes(graph), each.weights(graph, data)
    assert {n: s.shape for n, s in scores.items()} == {n: w.shape for n, w in layer_weights(graph).items()}
    assert all(bool(torch.isfinite(s).all() and (s >= 0).all()) for s in scores.values())
    assert all(torch.equal(s, scores[n]) for n, s in each.weights(graph, data).items())
    assert to_bytes(graph) == before


@EVERY_IMPORTANCE
@pytest.mark.parametrize(
    ("name", "site"), [("vgg", "channels:features.2"), ("resnet_basic", "channels:blocks.1.conv1")]
)
def test_a_dead_unit_is_worth_least(each: Importance, name: str, site: str) -> None:
    """Zeros in all that makes it, reads it and goes along: nothing is worth less, and something is worth more."""
    graph, data = captured(name)
    graph = graph.clone()
    with torch.no_grad():
        for place in couple(graph).groups[site].places:
            hit = place.index[place.unit == 2]
            graph.tensor(place.parameter).index_fill_(place.dim, hit, 0.0)
    scores = each.score(graph, data)[site]
    assert each.name in BLIND or float(scores[2]) == 0.0 < float(scores.max())


@EVERY_IMPORTANCE
@pytest.mark.parametrize("name", ["plain", "residual"])
def test_as_many_units_stay_as_were_asked_for(each: Importance, name: str) -> None:
    """Half of each group that it has scores for; a group without is refused with a remedy."""
    graph, data = captured(name)
    scored, method = each.score(graph, data), ChannelPruning(each.name)
    groups = couple(graph).groups
    half = couple(method.apply(graph, dict.fromkeys(scored, 0.5), data)).groups
    assert all(len(half[site]) == len(groups[site]) // 2 for site in scored)
    for site in set(groups) - set(scored):
        with pytest.raises(MethodError, match=r"has no score for .*'taylor' or 'magnitude'"):
            method.apply(graph, {site: 0.5}, data)


@EVERY_IMPORTANCE
def test_bad_samples_are_refused(each: Importance) -> None:
    """None, ones with NaN, ones of another shape, labels beyond the classes - unless it looks at no samples."""
    graph, data = captured("plain")
    spoilt = [
        (data.head(0), "needs samples"),
        (Data((data.inputs[0] * float("nan"),)), "NaN"),
        (Data((data.inputs[0][..., :-1],)), "of shape"),
    ]
    for bad, reason in spoilt:
        if each.name in WITHOUT_DATA:
            assert each.score(graph, bad).keys() == each.score(graph, data).keys()
            continue
        with pytest.raises(MethodError, match=reason):
            each.score(graph, bad)
    if each.name in ("taylor", "fisher", "gradient"):
        with pytest.raises(MethodError, match="classes"):
            each.score(graph, Data(data.inputs, torch.full((16,), 5)))


@EVERY_IMPORTANCE
def test_broken_weights_are_named(each: Importance) -> None:
    """Where a score can't be a number, the place is said."""
    graph, data = captured("vgg")
    graph = graph.clone()
    with torch.no_grad():
        for name in ("features.2.weight", "features.3.weight"):
            graph.tensor(name)[0] = float("nan")
    if each.name in BLIND:
        assert each.score(graph, data)
        return
    with pytest.raises(MethodError, match=r"not finite at .*features"):
        each.score(graph, data)


@EVERY_IMPORTANCE
def test_settings_are_checked(each: Importance) -> None:
    """Reductions that exist work and differ where layers are coupled; what doesn't exist is refused by name."""
    graph, data = captured("residual")
    found = [importance(each.name, {"reduction": r}) for r in REDUCTIONS] if _has(each, "reduction") else []
    sums = {float(i.score(graph, data)["channels:stem"].sum()) for i in found}
    assert len(sums) == (len(REDUCTIONS) if found else 0)
    with pytest.raises(BadChoice, match="no setting 'size'"):
        importance(each.name, {"size": 1})
    if found:
        with pytest.raises(BadChoice, match="sum, mean"):
            importance(each.name, {"reduction": "min"})
    if _has(each, "samples"):
        with pytest.raises(BadChoice, match="1 or more"):
            importance(each.name, {"samples": 0})


@EVERY_IMPORTANCE
def test_the_source_is_named(each: Importance) -> None:
    """The file says which paper it follows, with its arXiv number."""
    source = sys.modules[type(each).__module__].__doc__ or ""
    assert "Reference" in source
    assert "arXiv" in source


def _has(each: Any, setting: str) -> bool:
    return any(f.name == setting for f in fields(each))
