"""Networks for measuring itself, as ONNX bytes: those that do nothing tell the cost of a call from the cost of a
node, a product of matrices tells quiet moments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from onnx import NodeProto, TensorProto, helper

from hwmodels.base import Measurement

CHAIN = 17
"""Length of the longer chain of empty nodes."""


def empty(count: int) -> bytes:
    """`count` nodes in a row that do nothing to a tensor of one number."""
    return _network([helper.make_node("Identity", [f"x{n}"], [f"x{n + 1}"]) for n in range(count)], (1,))


def product(size: int) -> bytes:
    """A square matrix times itself."""
    return _network([helper.make_node("MatMul", ["x0", "x0"], ["x1"])], (size, size))


def _network(nodes: Sequence[NodeProto], shape: tuple[int, ...]) -> bytes:
    """The nodes as a network from `x0` to the last of them, both of one shape."""
    first, last = (helper.make_tensor_value_info(f"x{n}", TensorProto.FLOAT, shape) for n in (0, len(nodes)))
    graph = helper.make_graph(nodes, "work", [first], [last])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(model.SerializeToString())


def call_overhead(one: Measurement, chain: Measurement) -> Measurement:
    """A call without any node, from calls with one empty node and with `CHAIN` of them."""
    node_s = (chain.latency_s - one.latency_s) / (CHAIN - 1)
    share = min(1.0, max(0.1, 1.0 - node_s / one.latency_s))
    return replace(
        one,
        latency_s=one.latency_s * share,
        p10_s=one.p10_s * share,
        median_s=one.median_s * share,
        disagreement=max(one.disagreement, chain.disagreement),
    )
