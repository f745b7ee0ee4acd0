"""How many bits an operator moves through each memory of a Device: a simple reuse model, stated in full here.

1. Every tensor passes each memory that holds its kind (weights or activations) once.
2. An operator that multiplies two operands (convolution, linear, matmul) keeps one of them in the next memory inwards,
   a tile at a time, and streams the other past it, once per tile: ceil(kept / capacity) times. It keeps the one that
   makes for less traffic. Groups only meet their own share, so their tiles are that much smaller.
3. A recurrent layer whose weights don't fit the next memory inwards reads them again for every step.
4. In the innermost memory every multiply-accumulate also reads both its operands; sums stay in a register.
5. A look-up in a table of weights (an embedding) reads the rows that it returns, not the table.
6. Where the device leaves out the arithmetic of zero weights, it leaves out the reads of rule 4 too. Where it keeps
   them compressed, the outermost memory that holds weights moves what is left of them and their positions.
"""

from __future__ import annotations

from typing import NamedTuple

from hwmodels.arithmetic import compressed_share, energy_share, weight_bits
from hwmodels.device import Device, Memory
from hwmodels.workload import Op, TensorSpec

TILED = frozenset({"conv", "linear", "matmul"})
"""Kinds that multiply two operands, each element of one with many of the other."""

MOVERS = frozenset({"data", "embedding"})
"""Kinds that only move data: they need no arithmetic from the device, whatever type their tensors have."""


class Operands(NamedTuple):
    """The sides of an operator in bits, as the device stores them: `left` is its first input."""

    left_bits: int
    right_bits: int
    output_bits: int
    right_is_weights: bool


class Traffic(NamedTuple):
    """What an operator reads and writes, and the bits that this moves through each of `device.memories`."""

    operands: Operands
    bits: tuple[int, ...]


def groups(op: Op) -> int:
    """The operator's group count; 1 where it has none."""
    for key, value in op.attributes:
        if key == "groups":
            return int(value)
    return 1


def bits_of(tensors: tuple[TensorSpec, ...], device: Device) -> int:
    """Bits of some tensors in the device's own widths."""
    kept, bits = device.storage_bits, 0
    for tensor in tensors:
        bits += tensor.elements * kept.get(tensor.bits, tensor.bits)
    return bits


def operands(op: Op, device: Device) -> Operands:
    """What the operator reads and writes; without weights, every input after the first is the right side."""
    output = bits_of(op.outputs, device)
    if op.weights:
        weights = weight_bits(op, device)
        if op.kind in MOVERS:
            weights = min(weights, output)
        return Operands(bits_of(op.inputs, device), weights, output, True)
    return Operands(bits_of(op.inputs[:1], device), bits_of(op.inputs[1:], device), output, False)


def tilings(op: Op, sides: Operands, capacity_bytes: int) -> tuple[tuple[int, int], ...]:
    """The ways to get the two sides past a memory of this capacity (0: as large as needed): times each is read.

    Either side can be the one that is kept in tiles; where one of them fits whole, both are read once.
    """
    bits = 8 * capacity_bytes
    if bits and op.kind == "recurrent" and sides.right_bits > bits:
        return ((1, max(1, op.macs // max(1, sum(w.elements for w in op.weights)))),)
    if not bits or op.kind not in TILED:
        return ((1, 1),)
    bits *= groups(op)
    if sides.left_bits <= bits or sides.right_bits <= bits:
        return ((1, 1),)
    return (1, -(-sides.left_bits // bits)), (-(-sides.right_bits // bits), 1)


def passes(op: Op, sides: Operands, capacity_bytes: int) -> tuple[int, int]:
    """The tiling that moves the fewest bits."""
    ways = tilings(op, sides, capacity_bytes)
    return min(ways, key=lambda way: way[0] * sides.left_bits + way[1] * sides.right_bits) if len(ways) > 1 else ways[0]


def traffic(op: Op, device: Device) -> Traffic:
    """Counts the bits that the operator moves, by the rules above."""
    sides = operands(op, device)
    if not device.memories:
        return Traffic(sides, ())
    bits = [_innermost(op, sides, device)]
    inner_left = inner_right = device.memories[0].bytes
    share = compressed_share(op, device)
    outermost = _outermost(device, weights=True) if share < 1.0 else None
    for memory in device.memories[1:]:
        through = 0
        if _holds(memory, weights=False):
            through = sides.left_bits * passes(op, sides, inner_left)[0] + sides.output_bits
            inner_left = memory.bytes
        if _holds(memory, weights=sides.right_is_weights):
            right = round(sides.right_bits * share) if memory is outermost else sides.right_bits
            through += right * passes(op, sides, inner_right)[1]
            inner_right = memory.bytes
        bits.append(through)
    return Traffic(sides, tuple(bits))


def traffic_time_s(moved: Traffic, device: Device) -> float:
    """Seconds that the slowest memory takes for the bits moved; memories without a bandwidth never are the slowest."""
    slowest = 0.0
    for bits, memory in zip(moved.bits, device.memories):
        if memory.bandwidth_bytes_per_s:
            slowest = max(slowest, bits / (8.0 * memory.bandwidth_bytes_per_s))
    return slowest


def _outermost(device: Device, *, weights: bool) -> Memory | None:
    return next((memory for memory in reversed(device.memories) if _holds(memory, weights=weights)), None)


def _holds(memory: Memory, *, weights: bool) -> bool:
    return memory.holds == "everything" or (memory.holds == "weights") == weights


def _innermost(op: Op, sides: Operands, device: Device) -> int:
    kept = device.storage_bits
    pair = (op.inputs[:1] + (op.weights or op.inputs[1:]))[:2]
    per_mac = sum(kept.get(t.bits, t.bits) for t in pair)
    share = energy_share(op, device)
    reads = op.macs * per_mac if share == 1.0 else round(op.macs * share) * per_mac
    return reads + sides.left_bits + sides.right_bits + sides.output_bits
