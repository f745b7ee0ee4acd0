"""What every cost model promises, on every analytical device: a new one is tested by its line in the catalogue."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwmodels.base import CostModel, OpCost, Source, UnsupportedOp
from hwmodels.catalogue import DEVICES, cost_model
from hwmodels.device import Device
from hwmodels.workload import Workload
from tests.hwmodels.ops import chain, conv, linear, matmul, plain

DEVICES_UNDER_TEST = pytest.mark.parametrize(
    "device", [d for d in DEVICES.values() if d.kind == "analytical"], ids=lambda d: d.id
)
UNITS = ("_s", "_j", "_bytes", "macs")
ADDITIVE = ("latency_s", "energy_j", "weight_bytes", "macs")

channels = st.integers(1, 300)
growth = st.integers(0, 40)


def model_of(device: Device) -> CostModel:
    return cost_model(device.cost_model)


def network(bits: int) -> Workload:
    """One operator of each common kind."""
    return chain(
        conv("stem", inputs=3, outputs=16, size=32, bits=bits),
        conv("depthwise", inputs=16, outputs=16, size=32, groups=16, bits=bits),
        plain("relu", "elementwise", (1, 16, 32, 32), bits=bits),
        plain("pool", "pool", (1, 16, 16, 16), bits=bits),
        plain("flatten", "data", (1, 4096), bits=bits),
        linear("head", inputs=4096, outputs=10, bits=bits),
        plain("softmax", "softmax", (1, 10), bits=bits),
    )


@DEVICES_UNDER_TEST
@pytest.mark.parametrize("bits", [8, 32])
def test_estimates_are_deterministic(device: Device, bits: int) -> None:
    """The same question gets the same answer, to the last bit."""
    assert model_of(device).estimate(network(bits), device) == model_of(device).estimate(network(bits), device)


@DEVICES_UNDER_TEST
def test_every_figure_has_a_unit_a_source_and_an_error(device: Device) -> None:
    """Names end in their unit; counts have no error; nothing is negative or zero."""
    cost = model_of(device).estimate(network(8), device)
    assert set(cost.figures) >= {"latency_s", "energy_j", "weight_bytes", "peak_bytes", "macs"}
    for name, figure in cost.figures.items():
        assert name.endswith(UNITS)
        assert figure.value > 0
        assert figure.error >= 0
    assert cost["macs"].source is Source.COUNTED
    assert cost["latency_s"].source is not Source.MEASURED


@DEVICES_UNDER_TEST
def test_the_total_is_the_sum_of_the_operators(device: Device) -> None:
    """What is additive adds up, operator by operator, and each costs the same alone."""
    model, workload = model_of(device), network(8)
    cost = model.estimate(workload, device)
    assert [part.name for part in cost.per_op] == [op.name for op in workload.ops]
    assert tuple(model.op_cost(op, device) for op in workload.ops) == cost.per_op
    for name in ADDITIVE:
        assert cost[name].value == pytest.approx(sum(getattr(part, name) for part in cost.per_op))


@DEVICES_UNDER_TEST
def test_counts_are_those_of_the_workload(device: Device) -> None:
    """MACs are counted, never estimated; int8 weights take a byte each."""
    cost = model_of(device).estimate(network(8), device)
    assert cost["macs"].value == network(8).macs
    assert cost["weight_bytes"].value == network(8).weight_bytes


def never_cheaper(before: OpCost, after: OpCost) -> None:
    for name in ADDITIVE:
        assert getattr(after, name) >= getattr(before, name) * (1 - 1e-12), name


@DEVICES_UNDER_TEST
@given(i=channels, o=channels, k=st.integers(1, 7), s=st.integers(1, 40), more=st.tuples(growth, growth, growth))
def test_a_larger_convolution_never_costs_less(
    device: Device, i: int, o: int, k: int, s: int, more: tuple[int, int, int]
) -> None:
    """More channels or a larger image, all else equal, never save anything."""
    one = conv(inputs=i, outputs=o, kernel=k, size=s)
    two = conv(inputs=i + more[0], outputs=o + more[1], kernel=k, size=s + more[2])
    never_cheaper(model_of(device).op_cost(one, device), model_of(device).op_cost(two, device))


@DEVICES_UNDER_TEST
@given(i=st.integers(1, 4096), o=st.integers(1, 4096), n=st.integers(1, 64), more=st.tuples(growth, growth, growth))
def test_a_larger_product_never_costs_less(device: Device, i: int, o: int, n: int, more: tuple[int, int, int]) -> None:
    """Linear layers and matrix products grow in cost with each of their sides."""
    model, (a, b, c) = model_of(device), more
    for one, two in (
        (linear(inputs=i, outputs=o, batch=n), linear(inputs=i + a, outputs=o + b, batch=n + c)),
        (matmul(rows=n, inner=i, columns=o), matmul(rows=n + c, inner=i + a, columns=o + b)),
    ):
        never_cheaper(model.op_cost(one, device), model.op_cost(two, device))


@DEVICES_UNDER_TEST
def test_fewer_bits_never_need_more(device: Device) -> None:
    """int8 takes no more bytes, joules or seconds than float32 of the same shape."""
    model = model_of(device)
    narrow, wide = model.estimate(network(8), device), model.estimate(network(32), device)
    for name in ("weight_bytes", "peak_bytes", "energy_j", "latency_s"):
        assert narrow[name].value <= wide[name].value
    assert narrow["weight_bytes"].value < wide["weight_bytes"].value


@DEVICES_UNDER_TEST
def test_an_unknown_precision_is_refused_by_name(device: Device) -> None:
    """The operator, its precision and the device are in the message; nothing is costed at zero."""
    odd = replace(network(8), ops=(*network(8).ops, linear("odd", bits=3)))
    with pytest.raises(UnsupportedOp, match=rf"odd .*int3.*{device.id}.*int8"):
        model_of(device).estimate(odd, device)


@DEVICES_UNDER_TEST
def test_no_operator_that_computes_is_free(device: Device) -> None:
    """Not even the smallest one."""
    cost = model_of(device).op_cost(plain("relu", "elementwise", (1, 1)), device)
    assert cost.latency_s > 0
    assert cost.energy_j > 0
