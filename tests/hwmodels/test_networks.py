from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import onnx
import pytest

from hwmodels.networks.builder import CLASSES
from hwmodels.networks.catalogue import FAMILIES
from hwmodels.networks.int8 import int8
from hwmodels.onnx_runtime import session
from tests.onnx_networks import convolutional
from tests.onnx_nodes import nodes_of


def kinds(program: bytes) -> Counter[str]:
    return Counter(node.op_type for node in onnx.load_model_from_string(program).graph.node)


def run(program: bytes, batch: int) -> Any:
    """The network's output on made-up inputs of this batch."""
    opened = session(program)
    (given,) = opened.get_inputs()
    shape = [batch, *given.shape[1:]]
    value = np.zeros(shape, np.int64) if "int64" in given.type else np.ones(shape, np.float32)
    return opened.run(None, {given.name: value})[0]


@pytest.mark.parametrize("family", FAMILIES)
def test_networks_run_with_any_batch(family: str) -> None:
    """Every family is valid ONNX, in floats and in whole numbers, with a free batch."""
    program = FAMILIES[family](3)
    for network in (program, int8(program)):
        onnx.checker.check_model(onnx.load_model_from_string(network))
        for batch in (1, 3):
            assert run(network, batch).shape == (batch, CLASSES)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_seed_is_a_network(family: str) -> None:
    """The same seed gives the same bytes, another one other widths."""
    assert FAMILIES[family](1) == FAMILIES[family](1)
    shapes = [
        [tuple(t.dims) for t in onnx.load_model_from_string(FAMILIES[family](n)).graph.initializer] for n in (1, 3)
    ]
    assert shapes[0] != shapes[1]


def test_families_hold_what_they_are_for() -> None:
    """Attention over patches and over tokens, both recurrent operators, linear layers alone."""
    assert {"LayerNormalization", "Softmax", "Gelu", "Conv"} <= set(kinds(FAMILIES["transformer"](0)))
    assert {"LayerNormalization", "Softmax", "Gelu", "Gather"} <= set(kinds(FAMILIES["transformer"](1)))
    assert kinds(FAMILIES["recurrent"](0))["LSTM"]
    assert kinds(FAMILIES["recurrent"](1))["GRU"]
    assert set(kinds(FAMILIES["mlp"](0))) <= {"Gemm", "Relu", "Tanh", "Sigmoid", "Gelu"}


def test_whole_numbers_are_what_the_runtime_runs() -> None:
    """Every convolution and linear layer of a quantised network becomes an integer kernel, with nothing left behind."""
    for family, floats in (("residual", {"Conv", "FusedConv"}), ("mlp", {"Gemm", "FusedGemm"})):
        found = {node.op_type.rpartition(".")[2] for node in nodes_of(int8(FAMILIES[family](0)))}
        assert {"QLinearConv", "QGemm"} & found
        assert not floats & found


def test_whole_numbers_compute_nearly_the_same() -> None:
    """Codes of inputs within their range lose little: the quantised network follows the float one."""
    program = convolutional()
    opened = [session(p) for p in (program, int8(program))]
    given = {"x": np.random.default_rng(0).uniform(0, 1, (1, 3, 8, 8)).astype(np.float32)}
    exact, coded = (o.run(None, given)[0] for o in opened)
    assert np.abs(exact - coded).max() < 0.1 * max(1.0, float(np.abs(exact).max()))
