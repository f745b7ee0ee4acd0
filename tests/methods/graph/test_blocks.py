"""Blocks: which parts can be left out, what they are called, and what a network without them computes."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest
import torch
from torch import Tensor, nn

from hwmodels.device import Device
from methods.base import Data
from methods.catalogue import METHODS
from methods.graph.file import from_bytes, to_bytes
from methods.graph.intake.capture import capture
from methods.graph.ir import Graph
from methods.graph.lower import lower
from methods.graph.module import GraphModule
from methods.graph.onnx_out.check import check_export
from methods.graph.onnx_out.export import export
from methods.graph.surgery.blocks import blocks, remove_blocks
from methods.graph.surgery.edit import BadEdit
from tests.methods.graph import skippable as s

torch.set_num_threads(1)

DEVICE = Device("toy", "toy", "analytical", "roofline", {"fp32": 1e9, "int8": 4e9}, {}, ())
CASES: dict[str, tuple[Callable[[], nn.Module], Callable[[], tuple[Tensor, ...]], dict[str, str]]] = {
    "resnet": (
        s.ResNet,
        lambda: (s.image(),),
        {f"block:{name}": name for name in ("layer1.0", "layer1.1", "layer2.1")},
    ),
    "pre-norm": (
        s.PreNorm,
        lambda: (s.tokens(), torch.randn(2, 5, 5)),
        {f"block:layers.{i}.{m}": f"layers.{i}.{m[0]}" for i in (0, 1) for m in ("a.attention", "m.mlp")},
    ),
    "parallel": (s.Parallel, lambda: (s.tokens(),), {"block:first": "first", "block:second": "second"}),
    "nested": (
        s.Nested,
        lambda: (s.image(),),
        {"block:glass.middle": "glass.middle", "block:glass": "glass"},
    ),
}
"""Name -> network, example, and site of each block -> the part to skip in eager mode."""
EVERY_CASE = pytest.mark.parametrize("name", CASES)


@cache
def captured(name: str) -> tuple[nn.Module, tuple[Tensor, ...], Graph]:
    """A network, an example, and its graph."""
    torch.manual_seed(0)
    make, example, _ = CASES[name]
    model, inputs = make().eval(), example()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(std=0.3)
            module.running_var.uniform_(0.5, 2.0)
    return model, inputs, capture(model, inputs)


@EVERY_CASE
def test_every_block_is_found_under_the_name_of_its_module(name: str) -> None:
    """And nothing else: a shortcut that computes stays."""
    assert set(blocks(captured(name)[2])) == set(CASES[name][2])


@EVERY_CASE
def test_removing_is_skipping(name: str) -> None:
    """The graph without one block, or without all, computes what the model with those parts skipped does."""
    model, inputs, graph = captured(name)
    parts = CASES[name][2]
    for gone in [*([site] for site in parts), list(parts)]:
        skipped = [model.get_submodule(parts[site]) for site in gone]
        for part in skipped:
            part.skipped = True  # type: ignore[assignment]
        with torch.no_grad():
            expected, (actual,) = model(*inputs), remove_blocks(graph, gone)(*inputs)
        for part in skipped:
            part.skipped = False  # type: ignore[assignment]
        torch.testing.assert_close(actual, expected)


@EVERY_CASE
def test_removing_takes_the_parameters_along_and_leaves_the_graph_alone(name: str) -> None:
    """What a block says it owns is exactly what goes."""
    graph = captured(name)[2]
    before = to_bytes(graph)
    names = {n for n, _ in graph.module.named_parameters()}
    for site, block in blocks(graph).items():
        left = remove_blocks(graph, [site])
        assert block.parameters
        assert {n for n, _ in left.module.named_parameters()} == names - set(block.parameters)
        assert not {n.name for n in left.nodes} & {*block.nodes, block.add}
    assert to_bytes(graph) == before


@EVERY_CASE
def test_without_all_blocks_a_network_is_sound(name: str) -> None:
    """It runs, trains, comes back from its file, and is the same in ONNX."""
    graph = captured(name)[2]
    small = remove_blocks(graph, list(blocks(graph)))
    small.check()
    assert lower(small).macs < lower(graph).macs
    assert check_export(small, export(small)) < 1e-5
    again = from_bytes(to_bytes(small))
    assert torch.equal(again(*again.example())[0], small(*small.example())[0])
    module = GraphModule(again).train()
    module(*again.example()).square().mean().backward()
    assert all(p.grad is not None for p in module.parameters())


@EVERY_CASE
def test_names_stay_when_other_blocks_are_gone(name: str) -> None:
    """Also through a file."""
    graph = captured(name)[2]
    known = blocks(graph)
    for gone in known.values():
        left = from_bytes(to_bytes(remove_blocks(graph, [gone.site])))
        sites = {site for site, block in known.items() if block.add not in {gone.add, *gone.nodes}}
        assert set(blocks(left)) == sites
        assert not blocks(remove_blocks(left, sites))


@pytest.mark.parametrize("name", ["resnet", "pre-norm"])
def test_names_stay_whatever_other_methods_do(name: str) -> None:
    """Their parameters are renamed and their values quantised, but the blocks are the same."""
    _, inputs, graph = captured(name)
    sites = set(blocks(graph))
    data = Data(tuple(x.repeat(4, *[1] * (x.dim() - 1)) for x in inputs), torch.zeros(8, dtype=torch.int64))
    for each in (METHODS[m] for m in METHODS if m != "block-removal"):
        chosen = {site: values[1] for site, values in each.space(graph, DEVICE).sites.items()}
        graph = each.apply(graph, chosen, data)
        assert set(blocks(graph)) == sites, each.name


def test_post_norm_layers_lose_attention_and_mlp_apart() -> None:
    """torch's own encoder layer: the norms stay, because sums go through them."""
    graph = capture(s.PostNorm(), s.tokens())
    sites = [f"block:layers.{i}.{part}" for i in (0, 1) for part in ("self_attn", "linear1")]
    assert list(blocks(graph)) == sites
    left = {n for n, _ in remove_blocks(graph, sites).module.named_parameters()}
    assert {n for n in left if n.startswith("layers")} == {
        f"layers.{i}.norm{j}.{w}" for i in (0, 1) for j in (1, 2) for w in ("weight", "bias")
    }


def test_cross_attention_reads_the_memory_from_outside() -> None:
    """It can go like any other block; the encoder stays for the others."""
    model = nn.Transformer(8, 2, 1, 2, 12, batch_first=True)
    graph = capture(model, (torch.randn(2, 4, 8), torch.randn(2, 3, 8)))
    site = "block:decoder.layers.1.multihead_attn"
    left = remove_blocks(graph, [site])
    left.check()
    assert set(blocks(left)) == set(blocks(graph)) - {site}


def test_a_layer_that_is_run_three_times_can_be_run_twice() -> None:
    """Its parameters stay; the three uses have names of their own, and keep them."""
    graph = capture(s.Shared(), torch.randn(2, 4, 6))
    assert list(blocks(graph)) == ["block:block.mlp", "block:block.mlp#2", "block:block.mlp#3"]
    left = remove_blocks(graph, ["block:block.mlp"])
    assert left.parameter_count == graph.parameter_count
    assert list(blocks(left)) == ["block:block.mlp#2", "block:block.mlp#3"]
    assert lower(left).macs < lower(graph).macs


def test_an_unknown_block_is_named() -> None:
    """With those that there are."""
    with pytest.raises(BadEdit, match=r"'block:layer9'; it has block:layer1.0, block:layer1.1"):
        remove_blocks(captured("resnet")[2], ["block:layer9"])
