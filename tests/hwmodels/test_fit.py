from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwmodels.base import Cost, HardwareModelError, OpCost, Source
from hwmodels.fit import LEAST_S, LatencyFit, class_of, fit_latency, samples
from hwmodels.workload import Op, Workload
from tests.onnx_networks import conv_op, linear_op

OVERHEAD_S = 2e-6


def network(width: int) -> list[Op]:
    return [conv_op("conv", width), linear_op("fc", width, "conv")]


def truth_s(op: Op) -> float:
    rate = {"conv": 2e-11, "linear": 5e-11}[op.kind]
    return 1e-6 + rate * op.macs + 1e-11 * (op.weight_bytes + op.activation_bytes)


def fitted(widths: tuple[int, ...] = (8, 16, 32, 64), alone: bool = True) -> LatencyFit:
    networks = [(network(w), OVERHEAD_S + sum(map(truth_s, network(w)))) for w in widths]
    parts = [(op, truth_s(op)) for w in widths for op in network(w)] if alone else []
    return fit_latency(networks, parts, OVERHEAD_S)


@pytest.mark.parametrize("alone", [True, False])
def test_a_linear_truth_is_found(alone: bool) -> None:
    """Latencies that follow the model are met on an unseen width, from totals alone as well."""
    fit = fitted(alone=alone)
    total = OVERHEAD_S + sum(map(truth_s, network(48)))
    assert fit.error <= fit.worst < 0.02
    assert fit.network_latency_s(network(48)) == pytest.approx(total, rel=0.02)


@given(st.lists(st.floats(1e-6, 1e-2), min_size=1, max_size=6))
def test_coefficients_are_never_negative(latencies: list[float]) -> None:
    """However odd the latencies, more work never costs less and nothing is free."""
    networks = [(network(8 * (n + 1)), OVERHEAD_S + seconds) for n, seconds in enumerate(latencies)]
    fit = fit_latency(networks, (), OVERHEAD_S)
    assert min(min(c) for c in [*fit.coefficients.values(), fit.other]) >= 0.0
    small, large = (fit.op_latency_s(conv_op("conv", width)) for width in (8, 64))
    assert LEAST_S <= small <= large


def test_blocks_of_channels_are_found() -> None:
    """A runtime that fills widths up to 16 is fitted as such: 17 channels cost what 32 do."""
    networks = [(network(w), OVERHEAD_S + sum(map(truth_s, network(-(-w // 16) * 16)))) for w in range(5, 64, 7)]
    fit = fit_latency(networks, (), OVERHEAD_S)
    assert fit.block == 16
    assert fit.op_latency_s(conv_op("conv", 17)) == pytest.approx(fit.op_latency_s(conv_op("conv", 32)), rel=0.1)


def test_unknown_kinds_follow_bytes() -> None:
    """A kind that was never seen costs what all kinds share, without its MACs; not zero."""
    strange = Op("strange", "softmax", conv_op("c", 8).inputs, conv_op("c", 8).outputs, macs=10**9)
    fit = fitted()
    assert fit.op_latency_s(strange) == pytest.approx(
        max(LEAST_S, fit.other[0] + fit.other[2] * strange.activation_bytes)
    )


def test_an_unseen_precision_gains_nothing() -> None:
    """int8 convolutions cost what float32 ones of their size do until one has been looked up."""
    fit, op = fitted(), conv_op("conv", 32, bits=8)
    assert class_of(op) == "conv/int8"
    a, per_mac, per_byte, per_block_mac = fit.coefficients["conv/fp32"]
    expected = a + (per_mac + per_block_mac) * op.macs + per_byte * (op.weight_bytes + op.activation_bytes)
    assert fit.op_latency_s(op) == pytest.approx(expected)  # 32 channels are whole blocks of any size


def test_depthwise_is_a_class_of_its_own() -> None:
    """A MAC of a depthwise convolution costs several times that of another."""
    op = conv_op("conv", 8, given=1)
    assert class_of(Op(**(vars(op) | {"attributes": (("groups", "8"),)}))) == "depthwise/fp32"


def test_samples_pair_operators_with_their_cost() -> None:
    """Parts of the cost that belong to no operator are left out."""
    conv, fc = network(8)
    parts = tuple(OpCost(name, "", 1e-6, 0.0, 0, 0, Source.LOOKED_UP) for name in ("call", "conv", "reorder"))
    assert samples(Workload((conv, fc)), Cost({}, parts)) == [(conv, 1e-6)]


def test_a_fit_without_networks_is_refused() -> None:
    """Nothing is made up from nothing."""
    with pytest.raises(HardwareModelError, match="at least one network"):
        fit_latency([])
