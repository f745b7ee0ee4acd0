"""What a runtime's nodes are added up as: parts that each get one factor of a Calibration.

Mostly a part is the runtime's operator type. Two things need parts of their own. A product of a matrix with a few rows
is bound by reading the matrix, and its kernels behave unlike those for many rows. And a node alone finds its weights in
the caches, where those of a large network push each other out: what weights in all exceed some sizes by are parts as
well, at a nominal rate, whose factors are 0 where a machine's caches hold everything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from math import prod

import numpy as np

from hwmodels.profilers.runtime_node import RuntimeNode

BEYOND = "weights beyond "
SIZES_MB = (2, 4, 8, 16)
"""Sizes of caches that weights may exceed, in 10^6 bytes."""

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
    """Seconds at the nominal rate by which all weights together exceed each size; only sizes that are exceeded."""
    total = sum(_constant_bytes(node.signature) for node in nodes)
    over = {f"{BEYOND}{size} MB": (total - size * 10**6) * NOMINAL_S_PER_BYTE for size in SIZES_MB}
    return {name: seconds for name, seconds in over.items() if seconds > 0.0}


def _constant_bytes(signature: str) -> int:
    return sum(_bytes(kind, shape) for kind, shape in _CONSTANT.findall(signature))


def _bytes(kind: str, shape: str) -> int:
    return np.dtype(kind).itemsize * prod(int(size) for size in shape.split(",") if size.strip())
