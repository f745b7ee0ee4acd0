"""What a model offers to a search, as a document and in words."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import pytest

from hwmodels.catalogue import device
from methods.graph.coupling.verify import checked
from methods.graph.intake.capture import capture
from search import inspect_words as words
from search.inspect import describe, layer_of
from tests.zoo.catalogue import network


@lru_cache(maxsize=4)
def offered(name: str) -> dict[str, Any]:
    """What `describe` says of a network of the zoo."""
    return describe(capture(*network(name)))


def group(name: str, site: str) -> dict[str, Any]:
    found: dict[str, Any] = next(g for g in offered(name)["groups"] if g["site"] == site)
    return found


def test_groups_name_the_layers_that_make_read_and_carry_them() -> None:
    """A residual sum, a gate and the layers behind it hold one group; norms only go along."""
    stem = group("residual", "channels:stem")
    assert stem["made_by"] == ["stem", "conv2", "excite"]
    assert stem["read_by"] == ["conv1", "squeeze", "head"]
    assert stem["along"] == ["norm0", "norm2"]


def test_every_kind_has_plain_words() -> None:
    """Heads of a transformer, hidden units of an LSTM, groups of a grouped convolution."""
    assert group("transformer", "heads:layer.self_attn.in_proj")["kind"] == "attention heads"
    assert group("recurrent", "hidden:lstm")["kind"] == "hidden units"
    kinds = offered("resnext")["coverage"]["kinds"]
    assert kinds["groups of channels"]["units"] == sum(
        g["units"] for g in offered("resnext")["groups"] if g["kind"] == "groups of channels"
    )


def test_parameters_of_a_group_are_counted_once() -> None:
    """Two 1x1 convolutions, from 8 to 4 channels and back; and what a group reads and makes at once, not twice."""
    found = group("residual", "channels:squeeze")
    assert found["parameters"] == 4 * 8 + 4 + 8 * 4
    whole = group("transformer", "channels:embed")
    assert whole["parameters"] < offered("transformer")["parameters"]


def test_coverage_says_how_far_each_way_reaches() -> None:
    """An LSTM does nearly all the work of its network, but its weights can't take another form."""
    cover = offered("recurrent")["coverage"]
    assert cover["kinds"]["hidden units"]["share_of_macs"] > 0.9 > 0.1 > cover["weights_share_of_macs"]
    assert cover["blocks_share_of_macs"] == 0.0 == cover["blocks_share_of_parameters"]
    assert cover["structure_share_of_macs"] == cover["channels_share_of_macs"] == 1.0
    assert 0.9 < cover["channels_share_of_parameters"] < 1.0


def test_blocks_and_weights_have_their_layers_and_shapes() -> None:
    """A residual branch with all that is in it, and a convolution's weight as it is stored."""
    (block,) = offered("residual")["blocks"]
    assert block["layers"] == ["conv1", "norm1", "conv2", "norm2", "squeeze", "excite"]
    assert 0 < block["macs"] < offered("residual")["macs"]
    assert {"site": "weight:conv1", "kind": "convolution", "shape": [6, 8, 3, 3]} in offered("residual")["weights"]


def test_a_device_adds_costs_and_choices() -> None:
    """Every operator has its latency there, and every method what it may choose."""
    found = describe(capture(*network("plain")), device("cortex-m7-analytical"))["device"]
    assert found["costs"]["latency_s"]["value"] == pytest.approx(sum(o["latency_s"] for o in found["operators"]))
    assert 1.0 in found["spaces"]["channel-pruning"]["channels:conv1"]


def test_nothing_is_checked_twice() -> None:
    """The figures come from the check that the coupling was trusted by."""
    graph = capture(*network("plain"))
    errors = checked(graph)
    errors["channels:conv1"] = 5e-5
    assert next(g for g in describe(graph)["groups"] if g["site"] == "channels:conv1")["relative_error"] == 5e-5


@pytest.mark.parametrize(
    ("parameter", "layer"),
    [
        ("bn1.running_mean", "bn1"),
        ("lstm.weight_ih_l0_reverse", "lstm"),
        ("a.in_proj_bias", "a.in_proj"),
        ("cls", "cls"),
    ],
)
def test_a_parameter_belongs_to_its_layer(parameter: str, layer: str) -> None:
    """By torch's own names; a bare parameter is its own layer."""
    assert layer_of(parameter) == layer


def test_names_that_are_alike_are_one() -> None:
    """A residual stream runs through every layer of a transformer; four names are shown, the others counted."""
    made_by = ["tok", *(f"enc.{n}.{part}" for n in range(12) for part in ("out", "down"))]
    assert words.names(made_by) == "tok, enc.{0..11}.out, enc.{0..11}.down"
    assert words.names(["a", "b", "c", "d", "e", "f"]) == "a, b, c, d and 2 more"


def test_reasons_that_are_alike_are_one_line() -> None:
    """Nodes that only differ in their number stay for the same reason."""
    frozen = [{"site": f"channels:blocks.{n}.qkv", "units": 2, "reason": f"select_{n} picks it"} for n in (3, 4, 5)]
    frozen.append({"site": "channels:head", "units": 5, "reason": "it is an output of the network"})
    lines = words.frozen_lines({"frozen": frozen})
    assert lines[0] == words.FrozenLine("select picks it", 3, 6, "channels:blocks.{3..5}.qkv")
    assert (lines[1].count, lines[1].sites) == (1, "channels:head")


@pytest.mark.parametrize(
    ("part", "text"),
    [(0.0, "0 %"), (0.001, "under 1 %"), (0.861, "86 %"), (0.9995, "over 99 %"), (1.0, "100 %")],
)
def test_shares_say_all_and_nothing_only_where_that_is_so(part: float, text: str) -> None:
    """Rounding makes nothing complete."""
    assert words.share(part) == text


def test_a_network_with_nothing_to_prune_says_so() -> None:
    """No group of two units, no block."""
    cover = dict.fromkeys(("structure_share_of_parameters", "structure_share_of_macs"), 0.0)
    assert words.headline({"coverage": cover}) == "nothing of it can be pruned"
