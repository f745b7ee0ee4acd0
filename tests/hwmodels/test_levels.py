"""Energy by level: it adds up, follows the worked vector, and falls on the Eyeriss model where the papers say."""

from dataclasses import replace

import pytest

from hwmodels.base import Figure, HardwareModelError, Source
from hwmodels.device import Device, Memory
from hwmodels.devices.accelerators import EYERISS
from hwmodels.energy import DRAM_J_PER_BIT, integer_mac_j
from hwmodels.levels import energy_levels, latencies, level_names, op_levels, per_op_levels
from hwmodels.roofline import Roofline
from hwmodels.workload import Op, Workload
from tests.hwmodels.ops import chain, conv, linear
from tests.hwmodels.test_row_stationary import ALEXNET

MODEL = Roofline()
WORKED = Device(
    id="worked-analytical",
    title="int8 arithmetic, free memory on the chip, DRAM at 640 pJ per 32 bits (analytical)",
    kind="analytical",
    cost_model="roofline",
    macs_per_s={"int8": 1.0},
    mac_energy_j={"int8": integer_mac_j(8, 8)},
    memories=(Memory("SRAM", 0, 0, 0), Memory("DRAM", 0, 0, DRAM_J_PER_BIT)),
)
CLASSIFIER = tuple(
    linear(f"fc{n}", inputs=i, outputs=o, bits=16)
    for n, (i, o) in enumerate([(9216, 4096), (4096, 4096), (4096, 1000)])
)


def levels_of(workload: Workload, device: Device) -> dict[str, float]:
    return energy_levels(workload, device, latencies(MODEL.estimate(workload, device)))


def shares(ops: tuple[Op, ...]) -> dict[str, float]:
    """Of the Eyeriss model's energy."""
    parts = levels_of(chain(*ops), EYERISS)
    return {name: joules / sum(parts.values()) for name, joules in parts.items()}


def test_the_worked_vector_comes_out_level_by_level() -> None:
    """3x3, 64 to 64 channels, 56x56, int8: 34.7 uJ of arithmetic and 70 uJ of DRAM, 64 of these for activations."""
    parts = op_levels(conv(), WORKED, 0.0)
    assert parts == pytest.approx({"arithmetic": 34.7e-6, "SRAM": 0.0, "DRAM": 70.1e-6, "static": 0.0}, rel=2e-3)
    assert conv().activation_bytes * 8 * DRAM_J_PER_BIT == pytest.approx(64e-6, rel=5e-3)


def test_operators_sum_to_the_network_and_the_network_to_its_energy() -> None:
    """Level by level and in total, static power included."""
    device = replace(EYERISS, static_power_w=0.1)
    network = chain(conv("one", bits=16), linear("two", bits=8))
    cost = MODEL.estimate(network, device)
    each, total = per_op_levels(network, device, latencies(cost)), levels_of(network, device)
    for name in level_names(device):
        assert sum(parts[name] for parts in each.values()) == pytest.approx(total[name])
    assert sum(total.values()) == pytest.approx(cost["energy_j"].value)
    assert total["static"] == pytest.approx(0.1 * cost["latency_s"].value)


def test_register_files_take_most_of_alexnets_convolutions() -> None:
    """Chen, Emer, Sze, ISCA 2016: in CONV layers the register files dominate, more than all else together."""
    found = shares(ALEXNET)
    assert found["register files"] > 0.5
    assert max(found, key=found.__getitem__) == "register files"


def test_dram_takes_most_of_alexnets_classifier() -> None:
    """The same paper: FC layers are dominated by DRAM, for want of reuse (batch 1 here; 16 there)."""
    found = shares(CLASSIFIER)
    assert found["DRAM"] > 0.9
    assert found["register files"] < 0.05


def test_alexnets_layers_share_the_chips_energy_as_measured() -> None:
    """JSSC 2017, table V: each layer's part of the chip's energy, DRAM apart, within 7 points of a hundred.

    The last three layers get up to 1.5 times their part: the chip gates zero inputs, of which the model knows nothing.
    """
    milliseconds, milliwatts = (20.9, 41.9, 23.6, 18.4, 10.5), (332, 288, 266, 235, 236)
    measured = [time * power for time, power in zip(milliseconds, milliwatts, strict=True)]
    assert sum(measured) / sum(milliseconds) == pytest.approx(278, rel=0.002)  # the chip's published mean
    modelled = []
    for op in ALEXNET:
        parts = op_levels(op, EYERISS, 0.0)
        modelled.append(sum(parts.values()) - parts["DRAM"])
    for one, other in zip(modelled, measured, strict=True):
        assert one / sum(modelled) == pytest.approx(other / sum(measured), abs=0.07)


def test_dram_accesses_stay_near_the_chip() -> None:
    """0.0029 accesses per MAC on AlexNet's convolutions, activations compressed; 1.5 times as many here, without."""
    joules = levels_of(chain(*ALEXNET), EYERISS)["DRAM"]
    accesses = joules / (16 * EYERISS.memories[-1].energy_j_per_bit)
    assert accesses / sum(op.macs for op in ALEXNET) / 0.0029 == pytest.approx(1.5, rel=0.05)


def test_gated_zeros_spare_arithmetic_and_registers_alone() -> None:
    """Half of the weights zero: half of these two levels, the array and the buffer as before, less DRAM."""
    dense, sparse = conv(bits=16), replace(conv(bits=16), density=0.5)
    before, after = op_levels(dense, EYERISS, 0.0), op_levels(sparse, EYERISS, 0.0)
    for name in ("arithmetic", "register files"):
        assert after[name] == pytest.approx(before[name] / 2)
    assert (after["array"], after["buffer"]) == (before["array"], before["buffer"])
    assert after["DRAM"] < before["DRAM"]


def test_compressed_weights_halve_what_a_classifier_reads() -> None:
    """A tenth of the weights at 16 bits and their positions: 2.1 of 16 bits each, by the entropy of the mask."""
    parts = [op_levels(replace(CLASSIFIER[1], density=d), EYERISS, 0.0)["DRAM"] for d in (1.0, 0.1)]
    assert parts[1] / parts[0] == pytest.approx((0.1 * 16 + 1.04 * 0.469) / 16, rel=0.01)


def test_a_metered_energy_has_no_parts() -> None:
    """The refusal says why."""
    cost = MODEL.estimate(chain(conv(bits=16)), EYERISS)
    metered = replace(cost, figures={**cost.figures, "energy_j": Figure(1.0, Source.MEASURED)})
    with pytest.raises(HardwareModelError, match="off a meter"):
        latencies(metered)
