"""Peak memory of a Workload: the most bytes that are live at once, by liveness over its operators.

An activation is live from the operator that writes it to the last one that reads it; the network's inputs from the
start, its outputs to the end. Operators never write over their input (no in-place elementwise reuse), views are
copies, and nothing is lost to alignment: runtimes that plan better need less, runtimes that fragment need more.
"""

from __future__ import annotations

from collections.abc import Iterator

from hwmodels.arithmetic import code_bits, shifts
from hwmodels.base import HardwareModelError
from hwmodels.device import Device
from hwmodels.workload import Op, TensorSpec, Workload


def stored_bytes(tensor: TensorSpec, device: Device | None = None) -> int:
    """Bytes that a tensor takes on the device, which may keep values narrower than the network does."""
    if device is None or tensor.bits not in device.storage_bits:
        return tensor.bytes
    return -(-tensor.elements * device.storage_bits[tensor.bits] // 8)


def weight_bytes(op: Op, device: Device | None = None) -> int:
    """Bytes of one operator's parameters on the device."""
    if device is not None and op.levels and shifts(op, device):
        return -(-op.weights[0].elements * code_bits(op) // 8) + sum(stored_bytes(w, device) for w in op.weights[1:])
    return sum(stored_bytes(w, device) for w in op.weights)


def peak_activation_bytes(workload: Workload, device: Device | None = None) -> int:
    """The most bytes of activations that are live while any one operator runs; 0 for a Workload without operators.

    Raises HardwareModelError where an operator's names and tensors don't match.
    """
    read: dict[str, int] = {}
    written: dict[str, int] = {}
    first_use: dict[str, int] = {}
    last_use: dict[str, int] = {}
    for step, op in enumerate(workload.ops):
        for name, size in _named(op, op.reads, op.inputs, device):
            read[name] = max(size, read.get(name, 0))
            first_use.setdefault(name, 0)
            last_use[name] = step
        for name, size in _named(op, op.writes, op.outputs, device):
            written[name] = size
            first_use.setdefault(name, step)
            last_use[name] = step
    last_use.update((name, len(workload.ops) - 1) for name in workload.outputs if name in last_use)
    # What was written whole may be read in part (one piece of a split): the size written counts.
    return _peak(read | written, first_use, last_use, len(workload.ops))


def peak_bytes(workload: Workload, device: Device | None = None) -> int:
    """Live activations at their peak plus all weights: what the network needs while it runs, flash and RAM together."""
    return peak_activation_bytes(workload, device) + sum(weight_bytes(op, device) for op in workload.ops)


def _named(
    op: Op, names: tuple[str, ...], tensors: tuple[TensorSpec, ...], device: Device | None
) -> Iterator[tuple[str, int]]:
    """(name, bytes) of activations; one name for several tensors stands for all of them (an LSTM's outputs)."""
    sizes = [stored_bytes(t, device) for t in tensors]
    if len(names) == 1:
        sizes = [sum(sizes)]
    if len(names) != len(sizes):
        raise HardwareModelError(
            f"operator {op.name} has {len(sizes)} activations but names {len(names)} ({', '.join(names)}): "
            "each needs one name"
        )
    yield from zip(names, sizes)


def _peak(sizes: dict[str, int], first: dict[str, int], last: dict[str, int], steps: int) -> int:
    """Largest running total when every name adds its size at its first step and drops it after its last."""
    change = [0] * (steps + 1)
    for name, size in sizes.items():
        change[first[name]] += size
        change[last[name] + 1] -= size
    peak = live = 0
    for step in change:
        live += step
        peak = max(peak, live)
    return peak
