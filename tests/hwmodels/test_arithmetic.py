"""Which of a device's rates an operator gets, and what zeros and powers of two bring it."""

from dataclasses import replace

import pytest

from hwmodels.arithmetic import (
    compressed_share,
    energy_share,
    mac_energy_j,
    rate,
    saves,
    stages_seen,
    time_share,
    weight_bits,
)
from hwmodels.base import UnsupportedOp
from hwmodels.catalogue import DEVICES
from hwmodels.device import Device, Memory
from hwmodels.memory import weight_bytes
from hwmodels.roofline import Roofline
from hwmodels.traffic import traffic
from hwmodels.workload import POWERS_OF_TWO, Op
from tests.hwmodels.ops import conv, linear

MIXED = Device(
    id="mixed",
    title="rates by both widths",
    kind="analytical",
    cost_model="roofline",
    macs_per_s={"fp32": 1.0, "int8": 10.0, "int2x8": 40.0, "shift8": 80.0},
    mac_energy_j={"fp32": 8.0, "int8": 4.0, "int2x8": 2.0, "shift8": 1.0},
    memories=(Memory("buffer", 0, 0, 0.0), Memory("dram", 0, 1.0, 1.0)),
    storage_bits={32: 16},
)


def with_widths(weights: int, activations: int, levels: str = "", stored_bits: float = 0.0) -> Op:
    op = linear(inputs=64, outputs=16, bits=activations)
    return replace(op, weights=(replace(op.weights[0], bits=weights),), levels=levels, stored_bits=stored_bits)


@pytest.mark.parametrize(
    ("op", "key"),
    [
        (with_widths(8, 8), "int8"),
        (with_widths(2, 8), "int2x8"),
        (with_widths(4, 8), "int8"),
        (with_widths(8, 2), "int8"),
        (with_widths(4, 32), "fp32"),
        (with_widths(8, 8, POWERS_OF_TWO, 3.9), "shift8"),
        (with_widths(32, 32, POWERS_OF_TWO, 3.9), "fp32"),
    ],
    ids=["same", "pair", "no such pair", "other way round", "float activations", "shift", "no such shift"],
)
def test_the_most_specific_rate_wins(op: Op, key: str) -> None:
    """Shifting before the pair of widths, that before the wider one of the two."""
    assert (rate(op, MIXED), mac_energy_j(op, MIXED)) == (MIXED.macs_per_s[key], MIXED.mac_energy_j[key])


def test_a_width_that_the_device_lacks_is_refused() -> None:
    """A pair of 4 bits isn't rounded up silently; the message lists whole precisions only."""
    with pytest.raises(UnsupportedOp, match=r"in int4, which mixed doesn't have; it has fp32, int8, shift8$"):
        rate(with_widths(4, 4), MIXED)


def test_shifted_weights_are_kept_as_exponents() -> None:
    """3.9 bits take 4, in memory as on the way; a device without shifts keeps the widths of its arithmetic."""
    op = with_widths(32, 8, POWERS_OF_TWO, 3.9)
    plain = replace(MIXED, macs_per_s={"fp32": 1.0}, mac_energy_j={"fp32": 1.0})
    assert (weight_bits(op, MIXED), weight_bytes(op, MIXED)) == (64 * 16 * 4, 64 * 16 // 2)
    assert (weight_bits(op, plain), weight_bytes(op, plain)) == (64 * 16 * 16, 64 * 16 * 2)


def test_zeros_save_what_the_device_says_of_their_pattern() -> None:
    """A tenth of the time of 2:4 zeros on one, the energy of any zero on the other, nothing on most."""
    half = replace(with_widths(8, 8), density=0.5)
    ordered = replace(half, pattern="2:4")
    skipping, gating = replace(MIXED, skips={"2:4": 0.1}), replace(MIXED, gates={"any": 1.0})
    assert (time_share(ordered, skipping), energy_share(ordered, skipping)) == (0.95, 0.95)
    assert (time_share(half, skipping), energy_share(half, skipping)) == (1.0, 1.0)
    assert (time_share(half, gating), energy_share(half, gating)) == (1.0, 0.5)
    assert (time_share(ordered, MIXED), energy_share(ordered, MIXED)) == (1.0, 1.0)


def test_skipped_zeros_take_no_time() -> None:
    """Half of them, all skipped: half of the arithmetic's time."""
    device = replace(MIXED, skips={"2:4": 1.0}, memories=())
    dense, sparse = conv(), replace(conv(), density=0.5, pattern="2:4")
    assert Roofline().op_cost(sparse, device).latency_s == Roofline().op_cost(dense, device).latency_s / 2


def test_compressed_weights_move_what_is_left_and_its_positions() -> None:
    """4 of 16 zeros by pattern: half the values and log2(6) / 4 bits each; other tensors move as before."""
    device = replace(MIXED, compressed=True)
    dense = with_widths(8, 8)
    sparse = replace(dense, density=0.5, pattern="2:4")
    share = (0.5 * 8 + 1.04 * 2.585 / 4) / 8
    assert compressed_share(sparse, device) == pytest.approx(share, rel=1e-4)
    saved = traffic(dense, device).bits[1] - traffic(sparse, device).bits[1]
    assert saved == pytest.approx((1 - share) * 64 * 16 * 8, abs=1)
    assert compressed_share(sparse, MIXED) == 1.0
    assert compressed_share(replace(dense, density=0.99), device) <= 1.0


def test_a_codebook_is_computed_in_full() -> None:
    """Stored in 4 bits, multiplied and moved as everywhere: no device gains from it but in its file."""
    for device in DEVICES.values():
        if device.kind == "analytical":
            bits = 8 if "int8" in device.macs_per_s else 16
            plain = with_widths(bits, bits)
            assert Roofline().op_cost(replace(plain, stored_bits=4.0), device) == Roofline().op_cost(plain, device)


def test_plans_know_which_forms_save_what() -> None:
    """By the device's table alone."""
    seen = {name: stages_seen(DEVICES[f"{name}-analytical"]) for name in ("eyeriss", "zynq-fpga", "a100", "cortex-m4")}
    assert seen == {"eyeriss": {"mask"}, "zynq-fpga": {"round"}, "a100": {"mask"}, "cortex-m4": set()}
    assert saves(DEVICES["eyeriss-analytical"], "mask") == {"energy"}
    assert saves(DEVICES["a100-analytical"], "mask") == {"latency", "energy"}
