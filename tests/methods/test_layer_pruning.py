"""Leaving out whole blocks: exact where a block does nothing, and a shorter chain of operators."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from methods.base import Data
from methods.block_removal import BlockRemoval
from methods.graph.intake.capture import capture
from methods.graph.ir import Graph
from methods.graph.lower import lower
from methods.graph.surgery.blocks import blocks
from methods.graph.surgery.edit import difference
from tests.zoo.catalogue import network


def silenced(graph: Graph, site: str) -> Graph:
    """The same with zeros in every parameter of one block: its branch adds nothing."""
    result = graph.clone()
    trained = dict(result.module.named_parameters())
    with torch.no_grad():
        for name in blocks(graph)[site].parameters:
            if name in trained:
                result.tensor(name).zero_()
    return result


@pytest.mark.seed("layer-pruning")
@pytest.mark.parametrize(
    "name", ["resnet_basic", "resnet_bottleneck", "resnet_preact", "mobilenet_v2", "vit_fused", "gpt"]
)
def test_a_block_whose_branch_is_zero_may_as_well_go(name: str) -> None:
    """Each block in turn: its branch set to zero, then left out; the outputs don't change."""
    graph = capture(*network(name))
    sites = list(blocks(graph))
    assert sites
    for site in sites:
        silent = silenced(graph, site)
        shorter = BlockRemoval().apply(silent, {site: "remove"}, Data(()))
        assert difference(silent, shorter, graph.example(3)) <= 1e-6
        assert difference(graph, shorter, graph.example(3)) > 1e-6


@pytest.mark.seed("layer-pruning")
def test_every_block_that_goes_takes_its_operators_along() -> None:
    """Block after block the chain gets shorter, in operators and in multiply-accumulates."""
    graph = capture(*network("resnet_basic"))
    chosen: dict[str, float | int | str] = {}
    lengths, macs = [len(lower(graph).ops)], [lower(graph).macs]
    for site in blocks(graph):
        chosen[site] = "remove"
        workload = lower(BlockRemoval().apply(graph, chosen, Data(())))
        lengths.append(len(workload.ops))
        macs.append(workload.macs)
    assert all(after < before for before, after in pairwise(lengths))
    assert all(after < before for before, after in pairwise(macs))
