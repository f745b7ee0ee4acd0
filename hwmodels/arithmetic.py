"""What arithmetic a device gives an operator: its rate, its energy, and what of it is left out where weights are zero.

A device names its rates by key; of the keys that fit an operator the most specific one counts:

    shift8    weights that are powers of two, times 8-bit activations: shifts and additions
    int2x8    weights of 2 bits times activations of 8
    int8      operands of at most so many bits; fp16 and fp32 alike

What a form of the weights brings depends on the device alone: `skips` and `gates` say which patterns of zeros save time
and energy, `compressed` whether zeros are left out of what the outermost memory moves. Where a device says nothing of a
form, operators cost what full weights cost. Codebooks are stored small and computed in full everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil

from hwmodels.base import UnsupportedOp
from hwmodels.device import Device
from hwmodels.stored import stored_bits_per_weight
from hwmodels.workload import POWERS_OF_TWO, Op

ANY = "any"
"""In `skips` and `gates`: zeros in any pattern."""


def rate(op: Op, device: Device) -> float:
    """Peak multiply-accumulates per second. Raises UnsupportedOp where the device lacks the precision."""
    return _most_specific(op, device, device.macs_per_s)


def mac_energy_j(op: Op, device: Device) -> float:
    """Energy of one multiply-accumulate. Raises UnsupportedOp where the device lacks the precision."""
    return _most_specific(op, device, device.mac_energy_j)


def shifts(op: Op, device: Device) -> bool:
    """Whether the device multiplies this operator's weights by shifting, and keeps them as exponents."""
    return op.levels == POWERS_OF_TWO and f"shift{op.widths[1]}" in device.macs_per_s


def weight_bits(op: Op, device: Device) -> int:
    """Bits of all the operator's parameters as the device keeps them: exponents, where it shifts."""
    kept, bits = device.storage_bits, 0
    for tensor in op.weights:
        bits += tensor.elements * kept.get(tensor.bits, tensor.bits)
    if op.levels and shifts(op, device):
        first = op.weights[0]
        bits -= first.elements * (kept.get(first.bits, first.bits) - code_bits(op))
    return bits


def code_bits(op: Op) -> int:
    """Whole bits of a weight's code."""
    return max(1, ceil(op.stored_bits or op.weights[0].bits))


def time_share(op: Op, device: Device) -> float:
    """Share of the multiply-accumulates that take time: 1 where zeros are computed like everything else."""
    return _share(op, device.skips)


def energy_share(op: Op, device: Device) -> float:
    """Share of the multiply-accumulates, and of the register reads for them, that take energy."""
    if op.density >= 1.0 or not (device.gates or device.skips):
        return 1.0
    return min(_share(op, device.gates), _share(op, device.skips))


def compressed_share(op: Op, device: Device) -> float:
    """Bits of the first weight as the outermost memory moves them, positions of zeros included, over its bits."""
    if not device.compressed or op.density >= 1.0 or not op.weights:
        return 1.0
    first = op.weights[0]
    width = code_bits(op) if shifts(op, device) else device.storage_bits.get(first.bits, first.bits)
    return min(1.0, stored_bits_per_weight(op, width) / width)


def saves(device: Device, stage: str) -> frozenset[str]:
    """What forms of a stage (`mask`, `round`) may save here beside bytes: `latency`, `energy`, both or nothing."""
    if stage == "round" and any(key.startswith("shift") for key in device.macs_per_s):
        return frozenset(("latency", "energy"))
    if stage != "mask" or not (device.skips or device.gates or device.compressed):
        return frozenset()
    return frozenset(("latency", "energy") if device.skips else ("energy",))


def stages_seen(device: Device) -> frozenset[str]:
    """The stages of methods whose forms cost less here than full weights: for plans."""
    return frozenset(stage for stage in ("mask", "round") if saves(device, stage))


def lacks_precision(op: Op, device: Device) -> UnsupportedOp:
    """The refusal, naming the operator, what it computes in and what the device has."""
    return UnsupportedOp(
        f"{op.name} ({op.kind}) computes in {op.precision}, which {device.id} doesn't have; "
        f"it has {', '.join(device.precisions)}"
    )


def _most_specific(op: Op, device: Device, table: Mapping[str, float]) -> float:
    found = None
    if op.levels == POWERS_OF_TWO:
        found = table.get(f"shift{op.widths[1]}")
    if found is None and op.weights and op.inputs and op.weights[0].bits != op.inputs[0].bits:
        found = table.get("int{}x{}".format(*op.widths))
    if found is None:
        found = table.get(op.precision)
    if found is None:
        raise lacks_precision(op, device)
    return found


def _share(op: Op, saved: Mapping[str, float]) -> float:
    if not saved or op.density >= 1.0:
        return 1.0
    return 1.0 - (1.0 - op.density) * saved.get(op.pattern, saved.get(ANY, 0.0))
