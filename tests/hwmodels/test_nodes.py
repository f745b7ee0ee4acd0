from __future__ import annotations

import re

import numpy as np
import pytest

from hwmodels.base import MeasurementFailed, UnsupportedOp
from hwmodels.networks.transformer import transformer
from hwmodels.profilers.runtimes.onnxruntime import bound_run, open_session, sample_inputs
from tests.onnx_networks import convolutional, endless, quantized, residual
from tests.onnx_nodes import nodes_of


def test_nodes_are_those_after_layout_changes() -> None:
    """A convolution has its activation inside and the blocked layout, where this machine has one, has its reorder."""
    nodes = nodes_of(convolutional(width=16))
    kinds = [node.op_type for node in nodes]
    assert "Relu" not in kinds
    assert all("activation=Relu" in node.signature for node in nodes if node.op_type.endswith("Conv"))
    assert ("com.microsoft.nchwc.Conv" in kinds) == ("com.microsoft.nchwc.ReorderOutput" in kinds)


def test_quantised_nodes_are_integer_kernels() -> None:
    """A QDQ convolution is what the runtime runs: an integer kernel on uint8 activations, with weights of 8 bits that
    are signed or not as the processor's exact sums want it."""
    nodes = nodes_of(quantized())
    conv = next(node for node in nodes if "QLinearConv" in node.op_type)
    assert "uint8[" in conv.signature
    assert re.search(r"const u?int8\[16, ", conv.signature)


def test_keys_forget_names_and_weights() -> None:
    """Renamed activations and other weights make the same keys, call after call."""
    first, again = (nodes_of(convolutional()) for _ in range(2))
    renamed = nodes_of(convolutional(prefix="other_", seed=1))
    assert [n.key for n in first] == [n.key for n in again] == [n.key for n in renamed]
    assert [n.name for n in first] != [n.name for n in renamed]


@pytest.mark.parametrize("change", [{"width": 40}, {"batch": 2}, {"threads": 2}])
def test_keys_know_width_batch_and_threads(change: dict[str, int]) -> None:
    """What changes the convolution's work changes its key (widths that the runtime pads to the same block don't)."""
    settings = {"width": 8, "batch": 1, "threads": 1}
    both = (settings, settings | change)
    keys = [nodes_of(convolutional(s["width"]), s["batch"], s["threads"])[0].key for s in both]
    assert keys[0] != keys[1]


@pytest.mark.parametrize("program", [convolutional(), residual(), quantized()], ids=["plain", "residual", "int8"])
def test_every_node_runs_alone(program: bytes) -> None:
    """Each node's model loads without optimisation and runs on made-up inputs of the node's own shapes."""
    for node in nodes_of(program):
        session = open_session(node.model, 1, optimise=False)
        for name, value in sample_inputs(session).items():
            assert f"{value.dtype}{list(value.shape)}" in node.signature, name
        bound_run(session)()


def test_a_masked_softmax_is_timed_on_masked_scores() -> None:
    """Exponentials of masked scores take another time, so the node alone is given scores that are masked as many."""
    causal, patches = (next(n for n in nodes_of(transformer(seed)) if n.op_type == "Softmax") for seed in (1, 0))
    assert "masked" not in patches.signature
    assert causal.signature.endswith(("masked=0.48", "masked=0.49"))  # of 32 or 64 tokens
    session = open_session(causal.model, 1, optimise=False)
    (seen,) = session.run(None, {})
    assert np.array_equal(seen[0, 0] > 0.0, np.tri(seen.shape[-1], dtype=bool))


def test_models_of_known_nodes_are_left_out() -> None:
    """A key that is known already, or came earlier in the network, brings no model."""
    nodes = nodes_of(residual())
    known = nodes[0].key
    with_model = [node.key for node in nodes_of(residual(), 1, 1, {known}) if node.model]
    assert known not in with_model
    assert len(with_model) == len(set(with_model)) == len({node.key for node in nodes}) - 1


def test_views_stay_views() -> None:
    """A Flatten inside a network is timed as a view: its model reads it without copying it to an output."""
    flatten = next(node for node in nodes_of(convolutional()) if node.op_type == "Flatten")
    session = open_session(flatten.model, 1, optimise=False)
    assert flatten.signature.endswith("view")
    assert [output.shape for output in session.get_outputs()] == [[2]]


def test_control_flow_is_refused_by_name() -> None:
    """A loop's time depends on data, so it has no row; it isn't even run."""
    with pytest.raises(UnsupportedOp, match=r"Loop \(y\)"):
        nodes_of(endless())


def test_a_second_free_dimension_is_refused_by_name() -> None:
    """Only the batch can be free: a latency belongs to one shape."""
    program = convolutional().replace(b"\x12\x01N", b"\x12\x01M")
    with pytest.raises(MeasurementFailed, match="input x has the free dimension 'M'"):
        nodes_of(program)
