"""The fixed pieces of work that the estimator leans on: empty networks, and the convolution of the gauge."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from hwmodels.profilers.sessions import bound_run, open_session
from hwmodels.profilers.timing import Gauge

CHAIN = 17
"""Length of the chain of empty nodes that tells the cost of a call from the cost of a node."""


def empty(count: int) -> bytes:
    """`count` nodes in a row that do nothing to a tensor of one number."""
    nodes = [helper.make_node("Identity", [f"x{n}"], [f"x{n + 1}"]) for n in range(count)]
    return _model(nodes, (1,), (1,), [])


def convolution() -> bytes:
    """16 channels to 32, 3 by 3, on 16 by 16: some tens of microseconds, within the nearest caches."""
    weight = np.random.default_rng(0).standard_normal((32, 16, 3, 3)).astype(np.float32)
    node = helper.make_node("Conv", ["x0", "w"], ["x1"], pads=[1, 1, 1, 1])
    return _model([node], (1, 16, 16, 16), (1, 32, 16, 16), [numpy_helper.from_array(weight, "w")])


def new_gauge() -> Gauge:
    """The gauge of this machine, on one thread whatever is measured; it has no best time yet."""
    return Gauge(bound_run(open_session(convolution(), batch=1, threads=1, optimise=True)))


def _model(nodes: list[object], given: tuple[int, ...], made: tuple[int, ...], weights: list[object]) -> bytes:
    first = helper.make_tensor_value_info("x0", TensorProto.FLOAT, given)
    last = helper.make_tensor_value_info(f"x{len(nodes)}", TensorProto.FLOAT, made)
    graph = helper.make_graph(nodes, "work", [first], [last], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(model.SerializeToString())
