"""Block removal: what plans and graphs make of the same choices."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from hwmodels.device import Device
from hwmodels.workload import Op, TensorSpec, Workload
from methods.base import BadChoice, Data
from methods.block_removal import BlockRemoval
from methods.graph.intake.capture import capture
from methods.graph.ir import Graph
from methods.graph.lower import lower
from methods.graph.surgery.blocks import blocks
from tests.methods.graph import skippable as s

torch.set_num_threads(1)

DEVICE = Device("toy", "toy", "analytical", "roofline", {"fp32": 1e9}, {}, ())
SPEC = TensorSpec((1, 4))
OP = Op("fc", "linear", (SPEC,), (SPEC,), blocks=("block:a.b", "block:a"))


def apply(graph: Graph, **choices: str) -> Graph:
    return BlockRemoval().apply(graph, {f"block:{k.replace('__', '.')}": v for k, v in choices.items()}, Data(()))


def with_blocks(graph: Graph) -> Workload:
    """The operators, each with the blocks that its node lies in."""
    found = blocks(graph).values()
    workload = lower(graph)
    inside = [tuple(b.site for b in found if op.name in (b.add, *b.nodes)) for op in workload.ops]
    return replace(workload, ops=tuple(replace(op, blocks=b) for op, b in zip(workload.ops, inside, strict=True)))


@pytest.mark.parametrize("make", [s.ResNet, s.Nested])
def test_every_block_may_stay_or_go(make: type[torch.nn.Module]) -> None:
    """Two words a site, staying first."""
    graph = capture(make(), s.image())
    assert BlockRemoval().space(graph, DEVICE).sites == dict.fromkeys(blocks(graph), ("keep", "remove"))


@pytest.mark.parametrize("make", [s.ResNet, s.Nested])
def test_plans_see_the_layers_that_are_left(make: type[torch.nn.Module]) -> None:
    """Same layers, MACs and sums as in the network itself, for every block alone and for all of them."""
    graph = capture(make(), s.image())
    sites = list(blocks(graph))
    for gone in [*([site] for site in sites), sites]:
        choices = {site: "remove" if site in gone else "keep" for site in sites}
        planned = [o for op in with_blocks(graph).ops for o in BlockRemoval().rewrite(op, choices)]
        real = lower(BlockRemoval().apply(graph, choices, Data(())))
        assert [(o.site, o.macs) for o in planned if o.site] == [(o.site, o.macs) for o in real.ops if o.site]
        assert sum("add.Tensor" in dict(o.attributes).get("op", "") for o in planned) == sum(
            "add.Tensor" in dict(o.attributes).get("op", "") for o in real.ops
        )


@pytest.mark.parametrize(("choices", "left"), [({}, 1), ({"block:a": "keep"}, 1), ({"block:a": "remove"}, 0)])
def test_an_operator_goes_with_any_of_its_blocks(choices: dict[str, str], left: int) -> None:
    """The outer one is enough; choices at other sites don't matter."""
    assert len(BlockRemoval().rewrite(OP, {"block:z": "remove", **choices})) == left


def test_a_block_within_a_block_that_goes_may_be_chosen_too() -> None:
    """Removing both is removing the outer one."""
    graph = capture(s.Nested(), s.image())
    outer = apply(graph, glass="remove")
    both = apply(graph, glass="remove", glass__middle="remove")
    assert [n.name for n in both.nodes] == [n.name for n in outer.nodes]


def test_other_words_are_refused() -> None:
    """By the graph and by the plan, naming the site."""
    with pytest.raises(BadChoice, match=r"block:layer1\.0 takes one of keep, remove"):
        apply(capture(s.ResNet(), s.image()), layer1__0="halve")
    with pytest.raises(BadChoice, match="block:a takes one of keep, remove"):
        BlockRemoval().rewrite(OP, {"block:a": 0.5})
