"""What a runtime's nodes are added up as: parts that each get one factor of a Calibration.

Mostly a part is the runtime's operator type. Two things need parts of their own. A product of a matrix with a few rows
is bound by reading the matrix, and its kernels behave unlike those for many rows. And a node alone finds its weights in
a cache that those of a whole network don't fit into. What it takes longer with them swept out of the nearest caches is
a part, by the share that the network misses of a cache, for several sizes; of larger caches the bytes that are missed
in the network and not alone, at a nominal rate. Factors are 0 where a machine has no cache of that size.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from math import prod

import numpy as np

from hwmodels.profilers.runtime_node import RuntimeNode

BEYOND = "misses beyond "
NEAR_MB, FAR_MB = (0.5, 1, 2), (4, 8, 16, 32)
"""Sizes of caches that weights may exceed, in 10^6 bytes: those that a node is swept out of, and larger ones."""
HEAVY_BYTES = 32_768
"""Weights from which on a node is timed swept as well."""
HELD, MISSED = 0.5, 1.5
"""Of what is read in turns over and over a cache holds all up to so many times its size, and nothing from so many on: a
network of matrices read at 40 ps a byte from 2.7 MB on, and at 15 to 22 below 1.3 (a Xeon of 2023 with 2 MB)."""

NOMINAL_S_PER_BYTE = 1e-11
FEW = 16
"""Rows up to which a product of matrices counts as one of few rows."""

_ROWS = re.compile(r"Gemm\(\w+\[(\d+), \d+\]")
_CONSTANT = re.compile(r"const (\w+)\[([\d, ]*)\]")


def part_of(node: RuntimeNode) -> str:
    """The part that a node's time belongs to."""
    rows = _ROWS.search(node.signature)
    return f"{node.op_type} of few rows" if rows and int(rows.group(1)) <= FEW else node.op_type


def is_heavy(node: RuntimeNode) -> bool:
    """Whether it has weights enough that it matters where they come from."""
    return _constant_bytes(node.signature) >= HEAVY_BYTES


def beyond(nodes: Sequence[RuntimeNode], later_s: Callable[[RuntimeNode], float]) -> dict[str, float]:
    """Seconds for what a network misses in a cache of each size and its nodes alone don't; only sizes with misses.

    `later_s` is what a heavy node takes longer when swept. Of larger caches bytes are counted, at the nominal rate.
    """
    each = [_constant_bytes(node.signature) for node in nodes]
    swept_s = sum(later_s(node) for node in nodes if is_heavy(node))
    near = {size: _misses(sum(each), size) * swept_s for size in NEAR_MB}
    far = {size: sum(n * (_misses(sum(each), size) - _misses(n, size)) for n in each) for size in FAR_MB}
    seconds = near | {size: total * NOMINAL_S_PER_BYTE for size, total in far.items()}
    return {f"{BEYOND}{size:g} MB": total for size, total in seconds.items() if total > 0.0}


def _misses(used_bytes: int, size_mb: float) -> float:
    """The share of reads that a cache misses where so much is read in turns."""
    return min(1.0, max(0.0, (used_bytes / (size_mb * 10**6) - HELD) / (MISSED - HELD)))


def _constant_bytes(signature: str) -> int:
    return sum(_bytes(kind, shape) for kind, shape in _CONSTANT.findall(signature))


def _bytes(kind: str, shape: str) -> int:
    return np.dtype(kind).itemsize * prod(int(size) for size in shape.split(",") if size.strip())
