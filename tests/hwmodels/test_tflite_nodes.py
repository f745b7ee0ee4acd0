"""The nodes of a tflite program: what runs as one, what tells two apart, and the model of each."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import onnx
import pytest

from hwmodels.networks.builder import Builder
from hwmodels.networks.catalogue import FAMILIES
from hwmodels.networks.int8 import int8
from hwmodels.profilers.runtimes.litert import open_interpreter, open_run
from hwmodels.profilers.tflite.convert import convert
from hwmodels.profilers.tflite.nodes import TfliteNode, runtime_nodes
from tests.hwmodels.tflite_runs import delegated

WRITTEN = sorted(set(FAMILIES) - {"recurrent"})


def nodes(program: bytes, known: Any = ()) -> list[TfliteNode]:
    return list(runtime_nodes(convert(program, 1), "threads=1", known))


@pytest.mark.parametrize("family", WRITTEN)
@pytest.mark.parametrize("form", ["fp32", "int8"])
def test_the_delegate_runs_whole_networks(family: str, form: str) -> None:
    """Every operator but the look-up of words, whose indices are 64 bits wide."""
    program = FAMILIES[family](2)
    assert delegated(convert(int8(program) if form == "int8" else program, 1))


def test_names_are_no_part_of_a_key() -> None:
    """The same network under other names has the same nodes."""
    renamed = onnx.load_model_from_string(FAMILIES["residual"](1))
    for each in renamed.graph.node:
        for names in (each.input, each.output):
            names[:] = [f"other/{name}" for name in names]
    for value in (*renamed.graph.initializer, *renamed.graph.input, *renamed.graph.output):
        value.name = f"other/{value.name}"
    keys = [[node.key for node in nodes(p)] for p in (FAMILIES["residual"](1), bytes(renamed.SerializeToString()))]
    assert keys[0] == keys[1]


def test_a_node_has_a_model_once_and_none_when_known() -> None:
    """Equal nodes are measured once."""
    found = nodes(FAMILIES["transformer"](2))
    keys = {node.key for node in found}
    assert len(keys) < len(found)
    assert sum(bool(node.model) for node in found) == len(keys)
    assert not any(node.model for node in nodes(FAMILIES["transformer"](2), keys))


def test_every_model_is_opened_by_the_runtime() -> None:
    """With the types and shapes that it has in the network."""
    for program in (FAMILIES["depthwise"](1), int8(FAMILIES["transformer"](1))):
        for node in nodes(program):
            if node.model:
                open_run(node.model, {"threads": 1})()


def test_edges_belong_to_the_convolution() -> None:
    """A strided convolution's padding is an operator of the file, and no node of its own."""
    found = nodes(FAMILIES["residual"](0))
    joined = [node for node in found if node.signature.startswith("PAD(")]
    assert joined
    assert {node.op_type for node in joined} == {"CONV_2D"}


def test_functions_between_codes_are_one_node() -> None:
    """XNNPACK makes a table of DEQUANTIZE, GELU and QUANTIZE."""
    program = int8(FAMILIES["transformer"](2))
    codes = [operator.code for operator in convert(program, 1).operators]
    assert "GELU" in codes
    found = nodes(program)
    assert "GELU" not in {node.op_type for node in found}
    assert any(node.signature.startswith("DEQUANTIZE(") and "GELU" in node.signature for node in found)


def mlp(width: int) -> bytes:
    b = Builder(0)
    x = "x"
    for _ in range(3):
        x = b.op("Relu", b.gemm(x, width, width))
    return b.model(b.gemm(x, width, 10), (width,))


def test_layers_of_large_networks_are_timed_as_copies() -> None:
    """As many as fill the network's place in the caches; their file holds the weights once."""
    small, large = (next(node for node in nodes(mlp(width)) if node.model) for width in (64, 512))
    assert (small.copies, large.copies) == (1, 3)
    assert len(large.model) < 1.1 * 4 * 512 * 512
    places = open_interpreter(large.model, threads=1).get_input_details()
    assert len(places) == 3
    assert "beside=2^21.5" in large.signature
    assert "beside" not in small.signature


def test_nodes_are_named_after_the_activations_that_they_compute() -> None:
    """Those of the ONNX network, in its order; steps on the way begin with the name."""
    program = FAMILIES["residual"](1)
    order = [name for node in onnx.load_model_from_string(program).graph.node for name in node.output]
    places = [order.index(node.name.partition("/")[0]) for node in nodes(program)]
    assert all(first <= second for first, second in pairwise(places))
    assert np.unique(places).size == len(places)
