"""A Device is a datasheet as data: rates, memories, energies, what it supports. No behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Memory:
    """One level of the memory hierarchy, nearest to the arithmetic first.

    Attributes:
        bytes: capacity; 0 means as large as needed. bandwidth_bytes_per_s: 0 means never the bottleneck.
        energy_j_per_bit: for one bit read or written.
        holds: what passes through it; a flash that weights are read from in place holds `weights`.
    """

    name: str
    bytes: int
    bandwidth_bytes_per_s: float
    energy_j_per_bit: float
    holds: Literal["everything", "weights", "activations"] = "everything"


@dataclass(frozen=True)
class PeArray:
    """An array of processing elements that runs the row-stationary dataflow (hwmodels/row_stationary.py).

    Attributes:
        rows, columns: processing elements. weight_words, input_words, psum_words: values that the register
            file of each one holds.
    """

    rows: int
    columns: int
    weight_words: int
    input_words: int
    psum_words: int


@dataclass(frozen=True)
class Device:
    """One target.

    Attributes:
        kind: `measured` (a runtime that can be timed), `analytical` (every figure is modelled) or `imported` (a table
            of measurements without a runtime).
        cost_model, profiler: keys into the catalogue; profiler is empty for analytical devices.
        precision: what the runtime is told to compute floats in (`f32`, `bf16`); empty for what it does by itself.
        form: in which form the runtime is given a network: `onnx`, or `pt2` (a program of torch.export).
        macs_per_s: peak multiply-accumulates per second by precision (`fp32`, `int8`, ...); more specific keys win
            (`int2x8`: 2-bit weights, 8-bit activations; `shift8`: powers of two; hwmodels/arithmetic.py).
        mac_energy_j: energy of one multiply-accumulate by the same keys.
        efficiency: share of the peak that an operator kind reaches (conv, depthwise, linear, ...); `conv/int8` wins
            over `conv`.
        op_overhead_s: fixed time per operator. static_power_w: drawn while running, whatever it does.
        ram_bytes, flash_bytes: hard capacities, 0 = unknown. channel_multiple: widths that the kernels like.
        storage_bits: width that the device keeps values in, by their width in the network, where the two differ
            (`{32: 16}`: float32 is carried out in 16 bits; `macs_per_s["fp32"]` is then the 16-bit rate).
        skips: share of a zero weight's time (and energy) that is saved, by the pattern of the zeros (`2:4`, `row`,
            `any`). gates: the same of its energy alone. Empty: zeros cost what other weights cost.
        compressed: whether weights with zeros are compressed on their way through the outermost memory.
        array: set where the dataflow is row-stationary; `memories` are then register file, array, buffer, DRAM.
        batch, threads: the settings that every figure holds for. sources: datasheets and papers, one per line.
    """

    id: str
    title: str
    kind: str
    cost_model: str
    macs_per_s: Mapping[str, float]
    mac_energy_j: Mapping[str, float]
    memories: tuple[Memory, ...]
    profiler: str = ""
    precision: str = ""
    form: Literal["onnx", "pt2"] = "onnx"
    efficiency: Mapping[str, float] = field(default_factory=dict)
    op_overhead_s: float = 0.0
    static_power_w: float = 0.0
    ram_bytes: int = 0
    flash_bytes: int = 0
    channel_multiple: int = 1
    storage_bits: Mapping[int, int] = field(default_factory=dict)
    skips: Mapping[str, float] = field(default_factory=dict)
    gates: Mapping[str, float] = field(default_factory=dict)
    compressed: bool = False
    array: PeArray | None = None
    batch: int = 1
    threads: int = 1
    sources: tuple[str, ...] = ()

    @property
    def precisions(self) -> tuple[str, ...]:
        """The arithmetic that the device has, mixed widths left out."""
        return tuple(name for name in self.macs_per_s if "x" not in name)
