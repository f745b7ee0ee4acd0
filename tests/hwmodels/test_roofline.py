"""The roofline model on a device whose numbers can be checked in the head."""

from dataclasses import replace

import pytest

from hwmodels.base import Source, UnsupportedOp
from hwmodels.device import Device, Memory
from hwmodels.roofline import Roofline, is_depthwise
from tests.hwmodels.ops import chain, conv, linear, plain

TOY = Device(
    id="toy",
    title="1000 MACs/s, 100 bytes/s",
    kind="analytical",
    cost_model="roofline",
    macs_per_s={"int8": 1000.0, "fp32": 500.0},
    mac_energy_j={"int8": 1.0, "fp32": 4.0},
    memories=(Memory("buffer", 0, 0, 0.0), Memory("dram", 0, 100.0, 0.5)),
    efficiency={"conv": 0.5, "depthwise": 0.1},
)
MODEL = Roofline()


def test_compute_bound_operators_take_their_arithmetic() -> None:
    """4x4 outputs of 3x3x2x2 weights at half the peak."""
    op = conv(inputs=2, outputs=2, size=4)
    assert MODEL.op_cost(op, TOY).latency_s == op.macs / 500.0 == 1.152
    unlimited = replace(TOY, memories=())
    assert MODEL.op_cost(conv(inputs=2, outputs=2, size=4, bits=32), unlimited).latency_s == 2.304


def test_traffic_bound_operators_take_their_bytes() -> None:
    """A linear layer at batch 1 waits for its weights."""
    assert MODEL.op_cost(linear(inputs=10, outputs=20), TOY).latency_s == (10 + 200 + 20) / 100.0


def test_energy_is_arithmetic_traffic_and_static_power() -> None:
    """One joule a MAC, half a joule a bit, two watts while it runs."""
    cost = MODEL.op_cost(linear(inputs=10, outputs=20), replace(TOY, static_power_w=2.0))
    assert cost.energy_j == pytest.approx(200 * 1.0 + 230 * 8 * 0.5 + 2.0 * 2.3)


def test_depthwise_convolutions_have_their_own_efficiency() -> None:
    """One channel per group; grouped convolutions with more are ordinary, and so is all without a figure."""
    depthwise, grouped = conv(inputs=4, outputs=4, groups=4, size=9), conv(inputs=4, outputs=4, groups=2, size=9)
    assert is_depthwise(depthwise)
    assert not is_depthwise(grouped)
    assert not is_depthwise(conv(inputs=1, outputs=4, size=9))
    assert MODEL.op_cost(depthwise, TOY).latency_s == depthwise.macs / 100.0
    fallback = replace(TOY, efficiency={"conv": 0.5}, memories=())
    assert MODEL.op_cost(depthwise, fallback).latency_s == depthwise.macs / 500.0


def test_overhead_is_paid_per_operator_but_not_for_moving_data() -> None:
    """Kind `data` costs its traffic alone."""
    slow = replace(TOY, op_overhead_s=10.0)
    assert MODEL.op_cost(plain("relu", "elementwise", (1, 50)), slow).latency_s == 10.0 + 1.0
    assert MODEL.op_cost(plain("cat", "data", (1, 50)), slow).latency_s == 1.0


def test_operators_without_macs_work_per_element() -> None:
    """A pool does at least one operation for each element that it reads."""
    pool = plain("pool", "pool", (1, 3000))
    assert MODEL.op_cost(pool, replace(TOY, memories=())).latency_s == 3.0


def test_a_missing_precision_is_refused_by_name() -> None:
    """The message says which operator, which precision and what there is."""
    with pytest.raises(
        UnsupportedOp, match=r"fc2 \(linear\) computes in int4, which toy doesn't have; it has int8, fp32"
    ):
        MODEL.estimate(chain(linear(), linear("fc2", inputs=500, bits=4)), TOY)


def test_figures_say_where_they_come_from() -> None:
    """Counts are counted, the rest is modelled, and file bytes are nobody's guess."""
    cost = MODEL.estimate(chain(conv(inputs=2, outputs=2, size=4)), TOY)
    assert {name for name, figure in cost.figures.items() if figure.source is Source.COUNTED} == {
        "weight_bytes",
        "macs",
    }
    assert {name for name, figure in cost.figures.items() if figure.source is Source.MODELLED} == {
        "latency_s",
        "energy_j",
        "peak_bytes",
    }


def test_a_16_bit_device_halves_float32_and_leaves_int8() -> None:
    """Bytes are counted as the device stores them."""
    narrow = replace(TOY, storage_bits={32: 16})
    wide = chain(linear(inputs=10, outputs=20, bits=32))
    assert MODEL.estimate(wide, narrow)["weight_bytes"].value == 400
    assert MODEL.estimate(wide, narrow)["peak_bytes"].value == 400 + 60
    assert MODEL.estimate(chain(linear(inputs=10, outputs=20)), narrow)["weight_bytes"].value == 200
