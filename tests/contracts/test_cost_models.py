"""What every cost model promises, on every analytical device: a new one is tested by its line in the catalogue.

Each is asked about the widths that it has: float32, float16 and int8, or some of them.
"""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwmodels.base import CostModel, OpCost, Source, UnsupportedOp
from hwmodels.catalogue import DEVICES, cost_model
from hwmodels.device import Device
from hwmodels.levels import energy_levels, latencies, per_op_levels
from hwmodels.memory import peak_activation_bytes
from hwmodels.workload import POWERS_OF_TWO, Workload
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


def widths(device: Device) -> tuple[int, ...]:
    """The usual widths of whole networks that the device computes in, narrowest first."""
    names = {"int8": 8, "fp16": 16, "fp32": 32}
    return tuple(bits for name, bits in names.items() if name in device.macs_per_s)


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
def test_estimates_are_deterministic(device: Device) -> None:
    """The same question gets the same answer, to the last bit."""
    for bits in widths(device):
        assert model_of(device).estimate(network(bits), device) == model_of(device).estimate(network(bits), device)


@DEVICES_UNDER_TEST
def test_every_figure_has_a_unit_a_source_and_an_error(device: Device) -> None:
    """Names end in their unit; counts have no error; nothing is negative or zero."""
    cost = model_of(device).estimate(network(widths(device)[0]), device)
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
    model, workload = model_of(device), network(widths(device)[0])
    cost = model.estimate(workload, device)
    assert [part.name for part in cost.per_op] == [op.name for op in workload.ops]
    assert tuple(model.op_cost(op, device) for op in workload.ops) == cost.per_op
    for name in ADDITIVE:
        assert cost[name].value == pytest.approx(sum(getattr(part, name) for part in cost.per_op))


@DEVICES_UNDER_TEST
def test_counts_are_those_of_the_workload(device: Device) -> None:
    """MACs are counted, never estimated; int8 weights take a byte each, float16 two."""
    narrow = network(widths(device)[0])
    cost = model_of(device).estimate(narrow, device)
    assert cost["macs"].value == narrow.macs
    assert cost["weight_bytes"].value == narrow.weight_bytes


def never_cheaper(before: OpCost, after: OpCost) -> None:
    for name in ADDITIVE:
        assert getattr(after, name) >= getattr(before, name) * (1 - 1e-12), name


@DEVICES_UNDER_TEST
@given(i=channels, o=channels, k=st.integers(1, 7), s=st.integers(1, 40), more=st.tuples(growth, growth, growth))
def test_a_larger_convolution_never_costs_less(
    device: Device, i: int, o: int, k: int, s: int, more: tuple[int, int, int]
) -> None:
    """More channels or a larger image, all else equal, never save anything."""
    bits = widths(device)[0]
    one = conv(inputs=i, outputs=o, kernel=k, size=s, bits=bits)
    two = conv(inputs=i + more[0], outputs=o + more[1], kernel=k, size=s + more[2], bits=bits)
    never_cheaper(model_of(device).op_cost(one, device), model_of(device).op_cost(two, device))


@DEVICES_UNDER_TEST
@given(i=st.integers(1, 4096), o=st.integers(1, 4096), n=st.integers(1, 64), more=st.tuples(growth, growth, growth))
def test_a_larger_product_never_costs_less(device: Device, i: int, o: int, n: int, more: tuple[int, int, int]) -> None:
    """Linear layers and matrix products grow in cost with each of their sides."""
    model, bits, (a, b, c) = model_of(device), widths(device)[0], more
    for one, two in (
        (linear(inputs=i, outputs=o, batch=n, bits=bits), linear(inputs=i + a, outputs=o + b, batch=n + c, bits=bits)),
        (matmul(rows=n, inner=i, columns=o, bits=bits), matmul(rows=n + c, inner=i + a, columns=o + b, bits=bits)),
    ):
        never_cheaper(model.op_cost(one, device), model.op_cost(two, device))


@DEVICES_UNDER_TEST
def test_fewer_bits_never_need_more(device: Device) -> None:
    """Each width takes no more bytes, joules or seconds than the next wider one, and less memory."""
    costs = [model_of(device).estimate(network(bits), device) for bits in widths(device)]
    for narrow, wide in pairwise(costs):
        for name in ("weight_bytes", "peak_bytes", "energy_j", "latency_s"):
            assert narrow[name].value <= wide[name].value
    assert len(costs) == 1 or costs[0]["weight_bytes"].value < costs[-1]["weight_bytes"].value


@DEVICES_UNDER_TEST
def test_narrower_operands_never_need_more(device: Device) -> None:
    """Narrowing weights, activations or both by one step costs no more, in whatever pairs the device computes."""
    pairs = [(w, a) for w in (2, 4, 8, 16, 32) for a in (2, 4, 8, 16, 32)]
    costs = {pair: cost for pair in pairs if (cost := mixed_cost(device, *pair)) is not None}
    assert costs
    for (w, a), cost in costs.items():
        for wider in ((2 * w, a), (w, 2 * a), (2 * w, 2 * a)):
            if wider in costs:
                never_cheaper(cost, costs[wider])


def mixed_cost(device: Device, weights: int, activations: int) -> OpCost | None:
    """A convolution with operands of two widths; None where the device refuses it."""
    op = conv(bits=activations)
    try:
        return model_of(device).op_cost(replace(op, weights=(replace(op.weights[0], bits=weights),)), device)
    except UnsupportedOp:
        return None


@DEVICES_UNDER_TEST
@given(
    density=st.floats(0.01, 1.0),
    less=st.floats(0.1, 1.0),
    pattern=st.sampled_from(["", "row", "column", "kernel", "block:4x1", "2:4"]),
)
def test_zeros_never_cost_more(device: Device, density: float, less: float, pattern: str) -> None:
    """Fewer weights that count, never more seconds, joules or bytes; where the table says nothing of them, the same."""
    bits = widths(device)[0]
    for op in (conv(bits=bits), linear(inputs=4096, outputs=1000, bits=bits)):
        dense, one, two = (
            model_of(device).op_cost(replace(op, density=d, pattern=pattern), device)
            for d in (1.0, density, density * less)
        )
        never_cheaper(two, one)
        never_cheaper(one, dense)
        if not (device.skips or device.gates or device.compressed):
            assert one == dense


@DEVICES_UNDER_TEST
def test_powers_of_two_never_cost_more(device: Device) -> None:
    """They cost what other weights cost, or less where the table has a rate for shifting."""
    bits = widths(device)[-1]
    for activations in widths(device):
        op = conv(bits=activations)
        op = replace(op, weights=(replace(op.weights[0], bits=bits),), stored_bits=3.9)
        plain_cost = model_of(device).op_cost(op, device)
        shifted = model_of(device).op_cost(replace(op, levels=POWERS_OF_TWO), device)
        never_cheaper(shifted, plain_cost)
        assert (shifted == plain_cost) != (f"shift{activations}" in device.macs_per_s)


@DEVICES_UNDER_TEST
def test_energy_levels_sum_to_the_energy(device: Device) -> None:
    """Arithmetic, memories and what is always drawn, of the network and of each operator."""
    workload = network(widths(device)[0])
    cost = model_of(device).estimate(workload, device)
    parts = energy_levels(workload, device, latencies(cost))
    assert sum(parts.values()) == pytest.approx(cost["energy_j"].value)
    each = per_op_levels(workload, device, latencies(cost))
    assert [sum(p.values()) for p in each.values()] == pytest.approx([part.energy_j for part in cost.per_op])


@DEVICES_UNDER_TEST
def test_peak_memory_counts_weights_and_live_activations(device: Device) -> None:
    """So that it can be held against the capacities, which are whole bytes or unknown."""
    workload = network(widths(device)[0])
    peak = model_of(device).estimate(workload, device)["peak_bytes"].value
    assert peak == peak_activation_bytes(workload, device) + workload.weight_bytes
    assert min(device.ram_bytes, device.flash_bytes) >= 0


@DEVICES_UNDER_TEST
def test_an_unknown_precision_is_refused_by_name(device: Device) -> None:
    """The operator, its precision and the device are in the message; nothing is costed at zero."""
    narrow = network(widths(device)[0])
    odd = replace(narrow, ops=(*narrow.ops, linear("odd", bits=3)))
    with pytest.raises(UnsupportedOp, match=rf"odd .*int3.*{device.id}.*{device.precisions[-1]}"):
        model_of(device).estimate(odd, device)


@DEVICES_UNDER_TEST
def test_no_operator_that_computes_is_free(device: Device) -> None:
    """Not even the smallest one."""
    cost = model_of(device).op_cost(plain("relu", "elementwise", (1, 1), bits=widths(device)[0]), device)
    assert cost.latency_s > 0
    assert cost.energy_j > 0
