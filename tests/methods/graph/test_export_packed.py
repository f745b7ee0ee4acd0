"""Weights in 4 bits inside an exported file."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from methods.base import Data
from methods.graph.intake.capture import capture
from methods.graph.ir import Graph
from methods.graph.onnx_out.export import check_export, export
from methods.graph.onnx_out.packed import nibbles, runs_packed
from methods.quantization import Quantization
from tests.onnx_nodes import nodes_of
from tests.zoo.catalogue import network

SYMMETRY = pytest.mark.parametrize("symmetric", [True, False])


def layers(*sizes: int, bias: bool = True) -> Graph:
    """Linear layers from size to size with ReLUs in between."""
    torch.manual_seed(0)
    rows = [nn.Linear(a, b, bias) for a, b in pairwise(sizes)]
    return capture(nn.Sequential(*(m for row in rows for m in (row, nn.ReLU()))), torch.randn(1, sizes[0]))


def quantised(graph: Graph, word: str, **settings: object) -> Graph:
    """Every layer in this word."""
    sites = dict.fromkeys((use.site for use in graph.weight_uses()), word)
    return Quantization(**settings).apply(graph, sites, Data(graph.example(8)))  # type: ignore[arg-type]


def kinds(program: bytes) -> list[str]:
    return [node.op_type for node in onnx.load_from_string(program).graph.node]


@SYMMETRY
@pytest.mark.parametrize("word", ["w4", "w4g16", "w4g32", "w4g64", "w4g128", "w3", "w2g32", "w4g48"])
def test_the_packed_file_computes_what_the_graph_computes(word: str, symmetric: bool) -> None:
    """Codes, scales and zero points, exact to rounding; the file takes less than a fifth of the floats'."""
    graph = layers(384, 256)
    small = quantised(graph, word, symmetric=symmetric)
    program = export(small)
    assert kinds(program).count("MatMulNBits") == 1
    assert runs_packed(small) == {"weight:0": True}
    assert check_export(small, program) < 1e-5
    assert len(program) < (0.2 if word != "w4g16" else 0.26) * len(export(graph))


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 150), st.integers(1, 9), st.booleans(), st.booleans())
def test_any_size_of_layer_is_packed_right(inputs: int, outputs: int, bias: bool, symmetric: bool) -> None:
    """Last blocks that are not full, odd numbers of blocks, one output, no bias."""
    small = quantised(layers(inputs, outputs, bias=bias), "w4", symmetric=symmetric)
    program = export(small)
    assert "MatMulNBits" in kinds(program)
    assert check_export(small, program) < 1e-5


@pytest.mark.parametrize("word", ["w8", "w5", "w4g24", "w4g2", "fp8-e4m3"])
def test_what_no_kernel_takes_is_written_as_floats(word: str) -> None:
    """Exact too, no smaller, and said to gain in storage only."""
    graph = layers(48, 20)
    small = quantised(graph, word)
    program = export(small)
    assert not {"MatMulNBits", "DequantizeLinear"} & set(kinds(program))
    assert runs_packed(small) == {"weight:0": False}
    assert check_export(small, program) < 1e-5
    assert len(program) > 0.95 * len(export(graph))


def test_activations_of_four_bits_are_rounded_in_floats() -> None:
    """No kernel takes such codes; the weight is packed all the same."""
    small = quantised(layers(48, 20), "w4a4")
    program = export(small)
    assert {"MatMulNBits", "Round"} <= set(kinds(program))
    assert runs_packed(small) == {"weight:0": True}
    assert check_export(small, program) < 1e-5


def test_a_weight_that_two_layers_share_is_packed_for_both() -> None:
    """Under a name for each."""
    shared = nn.Linear(32, 32)
    small = quantised(capture(nn.Sequential(shared, nn.ReLU(), shared), torch.randn(1, 32)), "w4")
    program = export(small)
    assert kinds(program).count("MatMulNBits") == 2
    assert check_export(small, program) < 1e-5


def test_convolutions_in_four_bits_gain_in_storage_only() -> None:
    """Linear layers of the same network are packed; with 8-bit activations all run on codes."""
    graph = capture(*network("plain"))
    convolutions = {use.site for use in graph.weight_uses() if "conv" in str(use.node.target)}
    packed = runs_packed(quantised(graph, "w4"))
    assert {site for site, runs in packed.items() if not runs} == convolutions
    assert all(runs_packed(quantised(graph, "w4a8")).values())
    assert runs_packed(graph) == {}


def test_sequences_are_packed_too() -> None:
    """Linear layers over `[batch, steps, features]`, in a transformer."""
    graph = capture(*network("transformer"))
    small = quantised(graph, "w4")
    program = export(small)
    assert kinds(program).count("MatMulNBits") >= 4
    assert check_export(small, program) < 1e-4


def test_a_profiler_can_take_the_packed_node_alone() -> None:
    """The runtime's node list names it, and its model runs by itself."""
    small = quantised(layers(64, 32), "w4g32")
    nodes = nodes_of(export(small))
    (packed,) = [node for node in nodes if "MatMulNBits" in node.op_type]
    assert packed.model
    assert "block_size" in packed.signature
    assert len({node.key for node in nodes}) == len(nodes)


def test_two_codes_share_a_byte() -> None:
    """The first in the lower half."""
    np.testing.assert_array_equal(nibbles(np.array([[1, 2, 15, 0]], np.uint8)), [[0x21, 0x0F]])
