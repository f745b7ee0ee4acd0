"""Energy of data movement under the row-stationary dataflow of Eyeriss.

A value that takes part in T multiply-accumulates is fetched a times from DRAM into the buffer, each of these b times
from the buffer into the array, each of these c times from there into a register file, and used d times out of it:
T = a * b * c * d. With e the energy of one access at each memory (equations 3 and 4 of the paper):

    weights, inputs   a e_DRAM + a b e_buffer + a b c e_array + a b c d e_RF
    partial sums      (2a - 1) e_DRAM + 2a (b - 1) e_buffer + a b (c - 1) e_array + 2 a b c (d - 1) e_RF

The split follows the mapping: a row of weights stays in a register file while its row of inputs slides past; rows of
weights are shared across a row of the array, inputs along its diagonals, sums down its columns; what is left of the
array holds more filters and channels; what is left of T falls to the buffer. Where the device gates zero weights their
share of the register accesses is left out; where it compresses them, DRAM is read for what is left. Zeros among the
activations are not modelled.

Reference: Chen, Emer, Sze, "Eyeriss: A Spatial Architecture for Energy-Efficient Dataflow for Convolutional Neural
Networks", ISCA 2016; Sze, Chen, Yang, Emer, "Efficient Processing of Deep Neural Networks", Proc. IEEE 2017,
arXiv:1703.09039.
"""

from __future__ import annotations

from typing import NamedTuple

from hwmodels.arithmetic import compressed_share
from hwmodels.device import Device, PeArray
from hwmodels.traffic import Operands, groups, tilings
from hwmodels.workload import Op


class Split(NamedTuple):
    """Uses of one value at each memory: DRAM to buffer, buffer to array, array to register file, out of it."""

    a: float
    b: float
    c: float
    d: float


class Levels(NamedTuple):
    """One number for each memory: accesses, bits or joules."""

    register_file: float
    array: float
    buffer: float
    dram: float


class Shape(NamedTuple):
    """What the mapping needs of an operator: filters and channels per group, kernel rows and columns, output rows and
    columns. A linear layer is a 1x1 convolution over one row of positions."""

    filters: int
    channels: int
    kernel_rows: int
    kernel_columns: int
    rows: int
    columns: int


def split(uses: float, a: float, c: float, d: float) -> Split:
    """Spends the uses of a value: first on the tiles that DRAM is read for, then from the arithmetic outwards.

    No memory gets more than is left; the buffer takes the rest.
    """
    a = max(1.0, min(a, uses))
    d = max(1.0, min(d, uses / a))
    c = max(1.0, min(c, uses / (a * d)))
    return Split(a, max(1.0, uses / (a * c * d)), c, d)


def reads(s: Split) -> Levels:
    """Accesses at each memory per bit of a weight or an input."""
    ab = s.a * s.b
    return Levels(ab * s.c * s.d, ab * s.c, ab, s.a)


def sums(s: Split) -> Levels:
    """Accesses per bit of an output: partial sums go both ways, but for the first write and the last read."""
    ab = s.a * s.b
    return Levels(2 * ab * s.c * (s.d - 1), ab * (s.c - 1), 2 * s.a * (s.b - 1), 2 * s.a - 1)


def movement_parts_j(op: Op, device: Device, array: PeArray, sides: Operands, share: float = 1.0) -> Levels:
    """Joules that an operator with two operands spends on moving data, batch included, memory by memory, by the
    cheapest tiling; `share` of the register accesses are made.

    `device.memories` are register file, array, buffer and DRAM, in this order.
    """
    kept = compressed_share(op, device) if sides.right_is_weights else 1.0
    ways = [_moved(splits(op, array, way), sides, share, kept) for way in tilings(op, sides, device.memories[2].bytes)]
    registers, links, buffer, dram = (memory.energy_j_per_bit for memory in device.memories)
    parts = [Levels(m[0] * registers, m[1] * links, m[2] * buffer, m[3] * dram) for m in ways]
    return parts[0] if len(parts) == 1 else min(parts, key=sum)


def _moved(found: tuple[Split, Split, Split], sides: Operands, share: float, kept: float) -> Levels:
    """Bits that pass each memory."""
    inputs, weights, outputs = reads(found[0]), reads(found[1]), sums(found[2])
    left, right, output = sides.left_bits, sides.right_bits, sides.output_bits
    return Levels(
        share * (left * inputs[0] + right * weights[0] + output * outputs[0]),
        left * inputs[1] + right * weights[1] + output * outputs[1],
        left * inputs[2] + right * weights[2] + output * outputs[2],
        left * inputs[3] + right * kept * weights[3] + output * outputs[3],
    )


def splits(op: Op, array: PeArray, from_dram: tuple[int, int]) -> tuple[Split, Split, Split]:
    """The reuse of inputs, weights and partial sums; `from_dram` is how often the first two are read from there."""
    shape = shape_of(op)
    channels = max(1, min(shape.channels, array.input_words // shape.kernel_columns))
    filters = max(1, min(shape.filters, array.psum_words, array.weight_words // (channels * shape.kernel_columns)))
    height, width = max(1, min(shape.kernel_rows, array.rows)), max(1, min(shape.rows, array.columns))
    weights = op.weights[0] if op.weights else op.inputs[-1]
    macs = float(op.macs)
    return (
        split(
            macs / max(1, op.inputs[0].elements),
            from_dram[0],
            height * (array.columns // width),
            shape.kernel_columns * filters,
        ),
        split(macs / max(1, weights.elements), from_dram[1], width, shape.columns),
        split(
            macs / max(1, op.outputs[0].elements), 1, height * (array.rows // height), shape.kernel_columns * channels
        ),
    )


def shape_of(op: Op) -> Shape:
    """The convolution that an operator is to the array."""
    out = op.outputs[0].shape
    if op.kind == "conv" and op.weights:
        weight = op.weights[0].shape
        kernel = (1, 1, *weight[2:])[-2:]
        rows, columns = (1, 1, *out[2:])[-2:]
        return Shape(max(1, weight[0] // groups(op)), weight[1], kernel[0], kernel[1], rows, columns)
    inner = op.inputs[0].shape[-1]
    filters = max(1, out[-1])
    return Shape(filters, max(1, inner), 1, 1, 1, max(1, op.outputs[0].elements // filters))
