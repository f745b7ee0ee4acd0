"""What a runtime's nodes are added up as: parts that each get one factor of a Calibration.

Mostly a part is the runtime's operator type. Two things need parts of their own. A product of a matrix with a few rows
is bound by reading the matrix, and its kernels behave unlike those for many rows. And a node alone finds its weights in
a cache that those of a whole network don't fit into: bytes that are missed in the network and not alone are parts too,
for caches of several sizes, at a nominal rate, whose factors are 0 where a machine has no cache of that size.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from math import prod

import numpy as np

from hwmodels.profilers.runtime_node import RuntimeNode

BEYOND = "misses beyond "
SIZES_MB = (1, 2, 4, 8, 16)
"""Sizes of caches that weights may exceed, in 10^6 bytes."""
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


def beyond(nodes: Iterable[RuntimeNode]) -> dict[str, float]:
    """Seconds at the nominal rate for what a network misses in a cache of each size and its nodes alone don't; only
    sizes with misses."""
    each = [_constant_bytes(node.signature) for node in nodes]
    missed = {size: sum(n * (_misses(sum(each), size) - _misses(n, size)) for n in each) for size in SIZES_MB}
    return {f"{BEYOND}{size} MB": total * NOMINAL_S_PER_BYTE for size, total in missed.items() if total > 0.0}


def _misses(used_bytes: int, size_mb: int) -> float:
    """The share of reads that a cache misses where so much is read in turns."""
    return min(1.0, max(0.0, (used_bytes / (size_mb * 10**6) - HELD) / (MISSED - HELD)))


def _constant_bytes(signature: str) -> int:
    return sum(_bytes(kind, shape) for kind, shape in _CONSTANT.findall(signature))


def _bytes(kind: str, shape: str) -> int:
    return np.dtype(kind).itemsize * prod(int(size) for size in shape.split(",") if size.strip())
