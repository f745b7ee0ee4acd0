"""Which choices of a recipe still have a place once blocks have been left out."""

from __future__ import annotations

import torch

from methods.base import Data
from methods.channel_pruning import ChannelPruning
from methods.graph.coupling.trace import couple
from methods.graph.intake.capture import capture
from methods.graph.sites import surviving
from methods.graph.surgery.blocks import blocks, remove_blocks
from tests.methods.graph import skippable as s

torch.set_num_threads(1)


def test_choices_inside_a_block_go_with_it() -> None:
    """Its layers and the channels between them; all other choices, unknown sites included, stay as they are."""
    graph = capture(s.ResNet(), s.image())
    left = remove_blocks(graph, ["block:layer1.0"])
    inside = {"weight:layer1.0.conv1", "channels:layer1.0.conv1", "block:layer1.0"}
    outside = {"weight:stem", "channels:stem", "channels:layer1.1.conv1", "block:layer2.1", "weight:nowhere"}
    choices = dict.fromkeys(sorted(inside | outside), 1)
    assert set(surviving(choices, left, graph)) == outside
    assert surviving(choices, graph, graph) == choices


def test_a_whole_recipe_can_be_carried_out_without_any_block() -> None:
    """Half of every channel group, where half of the groups are gone."""
    graph = capture(s.PreNorm(), (s.tokens(), torch.randn(2, 5, 5)))
    left = remove_blocks(graph, list(blocks(graph)))
    choices = surviving(dict.fromkeys(couple(graph).groups, 0.5), left, graph)
    assert choices == dict.fromkeys(couple(left).groups, 0.5)
    small = ChannelPruning("magnitude").apply(left, choices, Data(graph.example(4)))
    small.check()
