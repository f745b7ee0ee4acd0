"""What a runtime's nodes are added up as: parts that each get one factor of a Calibration.

Mostly a part is the runtime's operator type. Products of a matrix with one row, or with a few, are parts of their own:
they are bound by reading the matrix, and their kernels behave unlike those for many rows. And a node alone finds its
weights in a cache that those of a whole network don't fit into: inside one it takes what it takes *swept*, with other
memory read ahead of each call, to the extent that the network's weights exceed a core's nearest caches. What they
exceed larger caches by counts in bytes at a nominal rate; factors of these parts are 0 where a machine has no cache of
that size.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from math import prod

import numpy as np

from hwmodels.profilers.runtime_node import RuntimeNode

BEYOND = "misses beyond "
USUAL_MB = 1.0
"""What a core's nearest caches hold where the machine doesn't tell, in 10^6 bytes."""
FAR_MB = (8, 16, 32)
"""Sizes of larger caches that weights may exceed."""
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
    found = _ROWS.search(node.signature)
    rows = int(found.group(1)) if found else FEW + 1
    return f"{node.op_type} of {'one row' if rows == 1 else 'few rows'}" if rows <= FEW else node.op_type


def is_heavy(node: RuntimeNode) -> bool:
    """Whether it has weights enough that it matters where they come from."""
    return _constant_bytes(node) >= HEAVY_BYTES


def constant_bytes(nodes: Sequence[RuntimeNode]) -> int:
    """Bytes of the constants that nodes read."""
    return sum(map(_constant_bytes, nodes))


def missed(used_bytes: int, size_mb: float) -> float:
    """The share of reads that a cache misses where so much is read in turns."""
    return min(1.0, max(0.0, (used_bytes / (size_mb * 10**6) - HELD) / (MISSED - HELD)))


def beyond(nodes: Sequence[RuntimeNode]) -> dict[str, float]:
    """Nominal seconds for the bytes that a network misses in a larger cache of each size and its nodes alone don't;
    only sizes with misses."""
    each = [_constant_bytes(node) for node in nodes]
    total = {size: sum(n * (missed(sum(each), size) - missed(n, size)) for n in each) for size in FAR_MB}
    return {f"{BEYOND}{size} MB": bytes_ * NOMINAL_S_PER_BYTE for size, bytes_ in total.items() if bytes_ > 0.0}


def _constant_bytes(node: RuntimeNode) -> int:
    return _bytes_in(node.signature)


@lru_cache(maxsize=65_536)
def _bytes_in(signature: str) -> int:
    return sum(_bytes(kind, shape) for kind, shape in _CONSTANT.findall(signature))


def _bytes(kind: str, shape: str) -> int:
    return np.dtype(kind).itemsize * prod(int(size) for size in shape.split(",") if size.strip())
